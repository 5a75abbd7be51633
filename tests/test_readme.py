"""Every command of README and its pages is run, on few and small steps; CI itself runs `make train` and `make test`."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gan_cli.cli import main
from gan_cli.sweeps import process
from tests import children

ROOT = Path(__file__).resolve().parents[1]
# README last: it ends with a run of a loss of one's own, which the other pages' commands could not read.
PAGES = [*(ROOT / "docs" / f"{name}.md" for name in ("curves", "measure", "explore", "export")), ROOT / "README.md"]
README = "".join(page.read_text() for page in PAGES)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
SHORT = ["train.steps=2", "log.every_steps=1", "model.width=4", "train.batch_size=16", "runtime.threads=1"]

GALLERY = {  # as the section that looks into them calls the gallery's runs
    "runs/GAN": ["loss=nonsaturating"],
    "runs/INFOGAN": ["loss=infogan"],
    "runs/CONDITIONAL": ["loss=nonsaturating", "condition=concat"],
}
QUICK = {  # by the command, or by another word of it
    "evaluate": ["count=60", "w1_count=30"],
    "within_classes=true": ["count=400"],  # of each class a few
    "collapse": ["batches=10", "max_size=8", "count=50"],
    "report": ["--updates", "2", "--count", "20"],
    "kind=walk": ["kind.points=2", "kind.frames=3"],
    "kind=truncation": ["kind.psi=[1,2]", "kind.count=40"],
    "kind=classes": ["kind.count=20"],
    "kind=neighbours": ["kind.count=50"],
    "kind=edit": ["kind.count=4", "kind.steps=2"],
    "kind=features": ["kind.units=1", "kind.count=40"],
}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A directory with the README's own files, and one run to sample and resume."""
    place = tmp_path_factory.mktemp("readme")
    (place / "my_conf" / "loss").mkdir(parents=True)
    (place / "my_losses.py").write_text(python("class LeastSquares"))
    (place / "my_conf" / "loss" / "my_loss.yaml").write_text(dict(BLOCKS)["yaml"])
    return place


def python(text):
    """The README's block of Python that holds a text."""
    (found,) = (block for kind, block in BLOCKS if kind == "python" and text in block)
    return found


def small_grid(arguments):
    """Two values of the first key that is varied, one of every other."""
    grid, left = [], 2
    for argument in arguments:
        key, equals, value = argument.partition("=")
        several = equals and "," in value and not {"[", "("} & set(value)
        grid.append(f"{key}={','.join(value.split(',')[:left])}" if several else argument)
        left = 1 if several else left
    return grid


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("gan ") and c != "gan board"])
def test_a_gan_command(command, workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    _, name, *arguments = shlex.split(command)
    if name == "train":
        shutil.rmtree("runs", ignore_errors=True)
        arguments = [a for a in arguments if not a.startswith("train.steps")] + SHORT
        if any(a.startswith("evaluate.") for a in arguments):
            arguments += ["evaluate.every_steps=1", "evaluate.count=20", "evaluate.w1_count=10"]
        if "-m" in arguments:
            monkeypatch.setattr(process, "start", children.gan)
            arguments = small_grid(arguments)
            if "sweep=optuna" in arguments:
                pytest.importorskip("optuna", reason='pip install "gan_cli[optuna]"')
                arguments = [a for a in arguments if "n_trials" not in a] + ["sweep.search.n_trials=2"]
    elif "runs/NAME" in arguments or name == "runs":
        if not any(Path("runs").glob("**/config.yaml")):
            assert main(["train", *SHORT]) == 0
        run = next(Path("runs").glob("**/config.yaml")).parent
        arguments = [str(run) if a == "runs/NAME" else a for a in arguments]
        arguments = ["train.steps=3" if a.startswith("train.steps=") else a for a in arguments]
    for run in GALLERY.keys() & {a.removeprefix("init_from=") for a in arguments}:
        if not Path("gallery", run).exists():
            assert main(["train", *GALLERY[run], *SHORT, f"run_dir={Path('gallery', run)}"]) == 0
        arguments = [re.sub(rf"^(init_from=)?{run}$", rf"\1{Path('gallery', run)}", a) for a in arguments]
    if name == "study" and arguments:  # elsewhere: its runs are none that the other commands look at
        monkeypatch.chdir(workplace / "my_conf")
        arguments += [word for word in SHORT if not word.startswith("model.")]
    arguments += [a for key in (name, *arguments) for a in QUICK.get(key, [])]
    assert main([name, *arguments]) == 0, capsys.readouterr().err
    if name == "train":
        runs = [path.parent for path in Path("runs").glob("**/config.yaml")]
        assert len(runs) == (2 if "-m" in arguments else 1)
        assert all((run / "metrics.jsonl").stat().st_size for run in runs)


def test_the_lines_of_python(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    code = python("import gan_cli")
    assert code.count('"train.steps=300"]') == 2
    own = [word for word in SHORT if not word.startswith("model.")]
    for words in (SHORT, own):  # both networks are given in the second run
        code = code.replace('"train.steps=300"]', f"*{words}]", 1)
    found = {}
    exec(code.replace("count=500", "count=20, w1_count=10"), found)
    assert found["x"].shape == (64, 1, 32, 32)
    assert found["own"].sample(2).shape == (2, 1, 28, 28)
    assert (workplace / "estimate.png").stat().st_size


MISTAKES = [pair for kind, block in BLOCKS if kind == "console" for pair in re.findall(r"^\$ (.*)\n(.*)$", block, re.M)]


@pytest.mark.parametrize(("command", "line"), MISTAKES)
def test_a_mistake(command, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 2
    assert capsys.readouterr().err == f"{line}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("torchrun ")])
def test_a_command_of_several_processes(command, tmp_path):
    head, _, arguments = command.partition(" -m gan_cli ")
    assert re.fullmatch(r"torchrun --nproc-per-node=2 --max-restarts=3", head)  # itself: a slow test of its own
    device = "auto" if torch.cuda.device_count() != 1 else "cpu"  # each process takes a GPU of its own
    ranks = children.Ranks(tmp_path, [*shlex.split(arguments), *SHORT, f"runtime.device={device}"])
    assert ranks.codes() == [0, 0], ranks.outputs[0].read_text()


def test_gan_board(workplace):
    (workplace / "runs").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "gan_cli", "board", "--port", "0"]
    with subprocess.Popen(command, cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as board:
        try:
            assert any("http://" in line for line in board.stdout)
        finally:
            board.send_signal(signal.SIGINT)


def test_nothing_else_is_promised():
    others = {c for c in COMMANDS if not c.startswith(("gan ", "torchrun "))}
    assert others == {"pip install ."}  # test_wheel.py installs the built package
    makes = set(re.findall(r"^make \w+$", README, re.MULTILINE))
    ci = (ROOT / ".ci" / "run").read_text()
    assert makes == {"make train", "make test"}
    assert all(command in ci for command in makes)


def test_the_pictures_are_there():
    names = [page.parent / name for page in PAGES for name in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]
    assert names
    assert [name for name in names if not name.exists()] == []
