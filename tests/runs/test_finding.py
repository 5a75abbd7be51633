"""Runs by what their user calls them: `latest`, an end of a name, a sweep; the same for every command."""

import os
import shutil
from pathlib import Path

import pytest

import gan_cli
from gan_cli.runs.finding import find_one

ONE = "runs/2026-01-01_ring"


@pytest.fixture
def runs(run_of, tmp_path, monkeypatch):
    """Two runs in runs/, of which the first is the latest, and a sweep of two."""
    monkeypatch.chdir(tmp_path)
    ring = run_of("ring")
    for i, name in enumerate(("2026-01-01_ring", "2026-01-02_other", "lrs/0_lr=1", "lrs/1_lr=2")):
        shutil.copytree(ring, tmp_path / "runs" / name)
        os.utime(tmp_path / "runs" / name / "run.json", ns=(10**18, 10**18 - i * 10**9))
    return tmp_path


COMMANDS = {
    "sample": ("count=4",),
    "evaluate": ("count=20", "w1_count=10"),
    "resume": ("train.steps=2",),
    "doctor": (),
    "compare": ("--table",),
    "export": (),
}


@pytest.mark.parametrize("name", ["latest", "2026-01-01_ring", "01_ring", ONE])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_is_found_by_every_command(gan, runs, command, name):
    ended = gan(command, name, *COMMANDS[command])
    assert ended.code == 0, ended
    assert ONE in ended.out + ended.err or command == "compare"


@pytest.mark.parametrize("command", ["sample", "resume", "evaluate", "explore", "collapse", "export", "doctor"])
def test_where_one_run_is_needed_those_of_a_sweep_are_listed(refused, runs, command):
    for name in ("lrs", "runs/lrs"):
        line = refused(command, name)
        assert line.endswith(f"{name}: runs/lrs has 2 runs, and one is needed: runs/lrs/0_lr=1, runs/lrs/1_lr=2")


def test_keys_and_flags_that_name_a_run(gan, refused, runs):
    assert gan("train", "--from", "latest", "run_dir=a", "train.steps=1").code == 0
    small = ("loss=wgan_gp", "model=toy_mlp", "model.width=4", "dataset=ring", "train.steps=1", "train.batch_size=8")
    assert gan("train", "runtime=cpu", "init_from=01_ring", "run_dir=b", *small).code == 0
    assert str(runs / ONE) in Path("b/config.yaml").read_text()
    assert gan("sample", "run=latest", "count=4").code == 0
    assert refused("train", "init_from=lrs").startswith("init_from=lrs: runs/lrs has 2 runs, and one is needed")
    assert refused("train", "--from", "lrs").startswith("--from lrs: runs/lrs has 2 runs, and one is needed")
    assert refused("train", "init_from=nowhere").startswith("init_from=nowhere: no such run; `gan runs` shows")


def test_several_ends_and_none(refused, runs):
    assert refused("sample", "lr=1") == "lr=1: no such key; see `gan sample --help`"
    assert refused("sample", "run=2026-01-01_rign") == "run=2026-01-01_rign: no such run; did you mean 2026-01-01_ring?"
    shutil.copytree(ONE, "runs/2026-01-03_ring")
    line = refused("sample", "_ring")
    assert line == "run=_ring: 2 runs end like this: runs/2026-01-01_ring, runs/2026-01-03_ring"
    shutil.rmtree("runs")
    assert refused("sample", "latest") == "run=latest: there is no run in runs"


def test_a_path_comes_first_and_is_left_as_it_is(runs):
    shutil.copytree(ONE, "latest")
    for path in ("latest", "ring", f"./{ONE}", str(runs / ONE)):
        assert find_one(path) == path
    Path("damaged/checkpoints").mkdir(parents=True)
    assert find_one("damaged") == "damaged"


def test_python_finds_the_same(runs):
    assert gan_cli.load("01_ring").path == Path(ONE)
    assert gan_cli.load("lrs")[0].path == Path("runs/lrs/0_lr=1")
