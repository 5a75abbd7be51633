"""`gan` itself: commands, flags, the bare argument, and how a job's end is reported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from gan_cli import cli
from gan_cli.config import compose
from gan_cli.core import processor
from gan_cli.errors import Interrupted, NonFiniteError


@pytest.fixture
def command(monkeypatch):
    """Put a function in a command's place, which ends its calls by these errors; returns what it was called with."""

    def install(name, *errors):
        calls, ends = [], iter(errors)

        def body(config, line):
            calls.append((config, line.overrides, line.choices))
            if error := next(ends, None):
                raise error

        monkeypatch.setitem(sys.modules, f"gan_cli.commands.{name}", types.SimpleNamespace(**{name: body}))
        return calls

    return install


def test_a_run_is_composed_once_and_gets_its_config_overrides_and_choices(gan, command, tmp_path, monkeypatch):
    composed, hydras = [], compose.compose
    monkeypatch.setattr(compose, "compose", lambda *a, **k: composed.append(a) or hydras(*a, **k))
    calls = command("train")
    assert gan("train", "loss=wgan_gp", "--run", "train.steps=7", "hydra.mode=RUN") == (0, "", "")
    assert len(composed) == 1
    [(config, overrides, choices)] = calls
    assert config.train.steps == 7
    critic = config.optimizer.critic
    assert (critic.target, critic.arguments) == ("torch.optim.Adam", {"lr": 1e-4, "betas": [0.5, 0.9], "eps": 1e-8})
    assert "hydra" not in config.plain()
    assert overrides == ["loss=wgan_gp", "train.steps=7", "hydra.mode=RUN"]
    assert (choices["loss"], choices["optimizer"]) == ("wgan_gp", "adam_wgan_gp")
    assert "experiment" not in choices
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_file_of_commands_with_its_meaning(gan):
    files = {p.stem for p in (Path(cli.__file__).parent / "commands").glob("[!_]*.py")}
    assert set(cli.commands()) == files >= {"train", "resume", "sample", "list", "board"}
    ended = gan("--help")
    assert ended == gan("-h") == gan() == (0, cli.overview() + "\n", "")
    for name, meaning in cli.commands().items():
        assert re.search(rf"^  {name} .*  {re.escape(meaning)}$", ended.out, re.MULTILINE), name
        assert meaning


def test_version(gan):
    assert gan("--version").out == gan("train", "--version").out
    assert gan("--version").out.split()[0] == "gan"


@pytest.mark.parametrize(
    ("unit", "given", "expected"),
    [
        (None, {}, {"OMP_WAIT_POLICY": "PASSIVE"}),
        ("avx512_bf16", {}, {"OMP_WAIT_POLICY": "PASSIVE"}),
        ("amx_bf16", {}, {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}),
        ("amx_bf16", {"OMP_WAIT_POLICY": "PASSIVE"}, {"OMP_WAIT_POLICY": "PASSIVE"}),
        (None, {"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ("amx_bf16", {"KMP_BLOCKTIME": "0"}, {"KMP_BLOCKTIME": "0"}),
    ],
)
def test_how_threads_of_torch_wait_is_the_processors_or_the_users(gan, monkeypatch, unit, given, expected):
    monkeypatch.setattr(processor, "bf16_unit", lambda: unit)
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    for name in names:
        monkeypatch.setenv(name, given.get(name, ""))  # as a variable of this test, to be removed at its end
        if name not in given:
            monkeypatch.delenv(name)
    gan("--version")
    assert {name: os.environ[name] for name in names if name in os.environ} == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tran", "tran: no such command; did you mean train? commands: train, "),
        ("--fast", "--fast: no such flag; commands: "),
        ("resume", "no run is named; write gan resume RUN, such as gan resume runs/NAME"),
        ("board nowhere --port 7007", "nowhere: no such run; `gan runs` shows the runs here"),
    ],
)
def test_one_line(refused, line, expected):
    assert refused(*line.split()).startswith(expected)


def test_an_error_gives_one_line_and_its_exit_code_and_a_bug_its_traceback(gan, command):
    command("train", NonFiniteError("loss is nan\nat step 3"), KeyboardInterrupt(), ZeroDivisionError())
    assert gan("train") == (70, "", "gan: loss is nan at step 3\n")
    assert gan("train") == (130, "", "")
    with pytest.raises(ZeroDivisionError):
        gan("train")


def test_sweep_goes_on_after_a_failed_cell_and_ends_with_an_interrupted_one(gan, command, tmp_path):
    calls = command("sample", None, NonFiniteError("nan"))
    (tmp_path / "x").mkdir()
    ended = gan("sample", "run=x", "seed=0,1,2", "-m", "count=1")
    assert ended.code == 70
    assert [config.seed for config, *_ in calls] == [0, 1, 2]
    assert ended.err == "gan: cell 2 of 3 (run=x seed=1 count=1): nan\n"
    assert {p.name for p in tmp_path.rglob("*")} >= {"multirun.yaml"}
    assert {p.relative_to(tmp_path).parts[:2] for p in tmp_path.rglob("*.yaml")} == {("runs", ".sweeps")}
    calls = command("sample", Interrupted("saved at step 3", 2))
    assert gan("sample", "run=x", "-m", "seed=0,1,2").code == 130
    assert len(calls) == 1


@pytest.mark.parametrize(
    "path", ["a b", "a=b,c", "it's", 'say "x"', "${oc.env:HOME}", "tail\\", "\\${x}", "[x", "é", "#1", "~u"]
)
def test_any_path_reaches_the_command(path, gan, command, tmp_path):
    calls = command("sample")
    (tmp_path / path).mkdir()
    assert gan("sample", path).code == 0
    assert calls[0][0].run == path


def test_help_and_hydras_own_views_and_mistakes_there(gan, tmp_path):
    for wrong in ("loss=nope", "experiment=null", "train.stpes=1"):
        for flags in (["--cfg", "job"], ["--help"], ["--info"]):
            ended = gan("train", wrong, *flags)
            assert (ended.code, ended.out) == (2, "")
            assert ended.err.startswith(f"gan: {wrong}: ")
    for name in ("train", "resume", "sample"):
        ended = gan(name, "--help")
        assert ended.out.startswith(f"gan {name} ")
        assert "allow_targets: []" in ended.out
        assert ("\nloss: began, ebgan, " in ended.out) == (name == "train")
    assert "steps: 9" in gan("train", "--cfg", "job", "train.steps=9").out
    assert gan("train", "--cfg", "job", "--package", "latent", "--resolve").out.splitlines()[0] == "# @package latent"
    assert "steps: 9" in gan("train", "--info", "config", "train.steps=9").out
    assert "Hydra" in gan("train", "--hydra-help").out
    assert str(tmp_path) in gan("train", "--info", "searchpath", f"hydra.searchpath=[file://{tmp_path}]").out


def test_python_m_gan_cli_and_a_reader_that_leaves():
    shell = f"{sys.executable} -m gan_cli list | head -n 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "condition\n"
    assert done.stderr == ""
