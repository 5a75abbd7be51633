"""Every command of README and of docs/ is run, on few and small steps, or composed where its data are not here."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import gan_cli
from gan_cli.cli import main
from gan_cli.sweeps import process
from tests import children

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Their commands are for clusters and for data that are not here, or take hours.
COMPOSED = [DOCS / f"{name}.md" for name in ("beyond_one_machine", "limited_data", "pacgan", "unrolled")]
COMPOSED += [DOCS / "tasks" / f"{name}.md" for name in ("cycle", "restore", "translate")]
# The page with a loss of one's own is last: other pages' commands could not read its run.
LAST = DOCS / "tutorial" / "your_network.md"
PAGES = [ROOT / "README.md", *(page for page in sorted(DOCS.rglob("*.md")) if page not in (*COMPOSED, LAST)), LAST]
BLOCK = re.compile(r'^```(\w*)(?: title="([^"]*)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)  # kind, file, text


def blocks(*pages):
    return [block for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(*pages):
    """Each command once; a variable that a line sets is put into the lines after it."""
    found = []
    for kind, _, text in blocks(*pages):
        variables = {}
        for line in text.replace("\\\n", "").splitlines() if kind == "bash" else []:
            for name, value in variables.items():
                line = line.replace(f'"${{{name}[@]}}"', value)
            assigned = re.fullmatch(r"(\w+)(\+?)=\((.*)\)", line)
            if assigned:
                variables[assigned[1]] = f"{variables[assigned[1]]} {assigned[3]}" if assigned[2] else assigned[3]
            else:
                found.append(line)
    return list(dict.fromkeys(found))


COMMANDS = commands(*PAGES)
SHORT = ["train.steps=2", "log.every_steps=1", "model.width=4", "train.batch_size=16", "runtime.threads=1"]
EVALUATED = ["evaluate.every_steps=1", "evaluate.count=20", "evaluate.w1_count=10"]

GALLERY = {  # as the section that looks into them calls the gallery's runs
    "runs/GAN": ["loss=nonsaturating", "dataset.limit=600"],
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
    """A directory with the pages' own files, and with pictures of two classes."""
    place = tmp_path_factory.mktemp("readme")
    for _, name, text in blocks(*PAGES):
        if name:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
    for i in range(40):
        path = place / "pictures" / ("cats", "dogs")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((24 + i, 32), i).convert("RGB").save(path)
    return place


@pytest.fixture(scope="module")
def shown(workplace):
    """The run that stands for runs/NAME."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        assert main(["train", *SHORT, *EVALUATED, "run_dir=shown"]) == 0
    return "shown"


def python(text):
    """The pages' block of Python that holds a text."""
    (found,) = (block for kind, _, block in blocks(*PAGES) if kind == "python" and text in block)
    return found


def small_grid(arguments, left=2):
    """So many values of the first key that is varied, one of every other."""
    grid = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        several = equals and "," in value and not {"[", "("} & set(value)
        grid.append(f"{key}={','.join(value.split(',')[:left])}" if several else argument)
        left = 1 if several else left
    return grid


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("gan ") and c != "gan board"])
def test_a_gan_command(command, workplace, shown, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    _, name, *arguments = shlex.split(command.partition(" | ")[0])
    if name == "train":
        shutil.rmtree("runs", ignore_errors=True)
        own = "model=my_model" in arguments  # it has no width
        arguments = [a for a in arguments if not a.startswith("train.steps")]
        arguments += [word for word in SHORT if not (own and word.startswith("model."))]
        if any(a.startswith("evaluate.") for a in arguments):
            arguments += EVALUATED
        if "-m" in arguments:
            monkeypatch.setattr(process, "start", children.gan)
            arguments = small_grid(arguments)
            if "sweep=optuna" in arguments:
                pytest.importorskip("optuna", reason='pip install "gan_cli[optuna]"')
                arguments = [a for a in arguments if "n_trials" not in a] + ["sweep.search.n_trials=2"]
    elif name == "resume":
        arguments = ["train.steps=3" if a.startswith("train.steps=") else a for a in arguments]
    elif name == "runs" and "state=failed" not in arguments:
        arguments = [shown, *arguments]
    arguments = [shown if a == "runs/NAME" else a for a in arguments]
    for run in GALLERY.keys() & {a.removeprefix("init_from=") for a in arguments}:
        if not Path("gallery", run).exists():
            assert main(["train", *GALLERY[run], *SHORT, f"run_dir={Path('gallery', run)}"]) == 0
        arguments = [re.sub(rf"^(init_from=)?{run}$", rf"\1{Path('gallery', run)}", a) for a in arguments]
    if name == "study" and arguments:  # elsewhere: its runs are none that the other commands look at
        monkeypatch.chdir(workplace / "my_conf")
        arguments = [word for word in arguments if not word.startswith("seed=")]
        arguments += ["seed=0", *(word for word in SHORT if not word.startswith("model."))]
    arguments += [a for key in (name, *arguments) for a in QUICK.get(key, [])]
    Path("runs").mkdir(exist_ok=True)
    assert main([name, *arguments]) == 0, capsys.readouterr().err
    if name == "train":
        runs = [path.parent for path in Path("runs").glob("**/config.yaml")]
        assert len(runs) == (2 if "-m" in arguments else 1)
        assert all((run / "metrics.jsonl").stat().st_size for run in runs)


@pytest.mark.parametrize("command", [c for c in commands(*COMPOSED) if c.startswith("gan ") and "compare" not in c])
def test_a_command_is_composed(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, name, *arguments = shlex.split(command)
    arguments = small_grid([a for a in arguments if not a.startswith(("-m", "hydra", "init_from="))], 1)
    if name == "train":
        gan_cli.compose(arguments)
    else:
        assert main([name, *arguments, "--cfg", "job"]) == 0, capsys.readouterr().err


def test_failed_runs_are_deleted(shown, workplace, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("finished", "failed"):
        run = shutil.copytree(workplace / shown, Path("runs", name))
        status = json.loads((run / "run.json").read_text()) | {"status": name}
        (run / "run.json").write_text(json.dumps(status))
    (command,) = (command for command in COMMANDS if "shutil.rmtree" in command)
    lists, deletes = map(shlex.split, command.split(" | "))
    assert main(lists[1:]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(capsys.readouterr().out))
    assert deletes[:2] == ["python", "-c"]
    exec(deletes[2], {})
    assert [run.name for run in Path("runs").iterdir()] == ["finished"]


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


CONSOLES = [text for kind, _, text in blocks(*PAGES) if kind == "console"]
MISTAKES = [pair for text in CONSOLES for pair in re.findall(r"^\$ (.*)\n(.*)$", text, re.M)]


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


@pytest.mark.parametrize("command", commands(*PAGES, *COMPOSED))
def test_a_shell_takes_a_command_as_it_is(command):
    unquoted = re.sub(r"""'[^']*'|"[^"]*\"""", "", command)
    assert not set("[]{}()*?~$`\\;&<>#!").intersection(unquoted)


def test_nothing_else_is_promised():
    others = {c for c in COMMANDS if not c.startswith(("gan ", "torchrun "))}
    assert others == {"pip install ."}  # test_wheel.py installs the built package
    elsewhere = {c.split()[0] for c in commands(*COMPOSED)}
    assert elsewhere == {"gan", "torchrun", "pip", "python"}  # machines, launchers and measurements that are not here
    readme = (ROOT / "README.md").read_text()
    makes = set(re.findall(r"^make \w+$", readme, re.MULTILINE))
    ci = (ROOT / ".ci" / "run").read_text()
    assert makes == {"make train", "make test"}
    assert all(command in ci for command in makes | {"make docs"})


def test_readme_is_short_and_what_it_names_is_there():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    names = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert len(names) > 20
    assert [name for name in names if not (ROOT / name).exists()] == []
