"""The run's directory: missing, read-only, taken, removed."""

from __future__ import annotations

import functools
import shutil

import pytest

from gan_cli.runs import checkpoint, directory
from tests.faults import faults
from tests.faults.harness import differences, recovered

RECIPE = ("runtime=cpu", "model.width=4", "dataset.image_size=16", "train.steps=3")


def one_line(ended):
    assert ended.code == 2, ended
    assert ended.output.startswith("gan: "), ended
    assert ended.output.count("\n") == 1, ended
    return ended.output


def test_a_run_that_is_not_there(bench, tally):
    with tally("missing run directory"):
        assert "no such run" in one_line(bench.gan("resume", str(bench.folder / "nowhere")))


def test_a_run_directory_that_cannot_be_made(bench, tally):
    (bench.folder / "file").write_text("")
    with tally("missing run directory"):
        line = one_line(bench.gan("train", *RECIPE, f"run_dir={bench.folder}/file/run"))
        assert "not a writable directory; choose another run_dir" in line


@pytest.mark.parametrize("run_dir", ["disk", "disk/run"])
def test_a_read_only_one_is_found_before_training(bench, tally, mountable, run_dir):
    with tally("read-only run directory"):
        argv = ("train", *RECIPE, f"run_dir={bench.folder / run_dir}")
        line = one_line(bench.do("read_only", mountable, argv))
        assert "choose another run_dir" in line


def test_a_run_that_became_read_only_is_not_resumed(bench, tally, mountable, whole):
    with tally("read-only run directory"):
        line = one_line(bench.do("resume_read_only", whole, mountable))
        assert "cannot be written" in line


def test_the_second_process_on_a_run_is_refused(bench, whole, tally):
    with tally("a second process on the run") as trial:
        first = bench.start("run", fault=functools.partial(faults.slow_steps, 0.4))
        first.wait_for(lambda child: child.step >= 2)
        beside = type(bench)(bench.folder / "second")
        beside.folder.mkdir()
        assert "in use by another process" in one_line(beside.gan("resume", str(bench.folder / "run")))
        assert "is not empty" in one_line(beside.gan("train", *RECIPE, f"run_dir={bench.folder / 'run'}"))
        ended = first.end()
        assert ended.code == 0, ended
        recovered(bench, "run", whole, ended, trial)


def test_a_lock_that_was_removed_lets_no_second_process_in(bench, whole, tally):
    with tally("a second process on the run") as trial:
        first = bench.start("run", fault=functools.partial(faults.slow_steps, 0.4))
        first.wait_for(lambda child: child.step >= 2)
        (bench.folder / "run" / ".lock").unlink()
        beside = type(bench)(bench.folder / "second")
        beside.folder.mkdir()
        assert "in use by another process" in one_line(beside.gan("resume", str(bench.folder / "run")))
        ended = first.end()
        assert ended.code == 0, ended
        recovered(bench, "run", whole, ended, trial)


def test_a_run_that_takes_the_place_of_another_gets_nothing_of_it(bench, whole, tally):
    with tally("another run in the directory of one that trains"):
        run = bench.folder / "run"
        first = bench.start("run", "seed=1", fault=functools.partial(faults.slow_steps, 0.4))
        first.wait_for(lambda child: child.step >= 3)
        shutil.rmtree(run)
        beside = type(bench)(bench.folder / "second")
        beside.folder.mkdir()
        second = beside.do("begin", run, ())
        assert second.code == 0, second
        ended = first.end()
        assert ended.code == 1, ended
        assert f"{run} was removed or replaced while the run was writing there" in ended.output
        assert differences(run, whole) == []
        assert checkpoint.steps(run / directory.CHECKPOINTS) == checkpoint.steps(whole / directory.CHECKPOINTS)


def test_a_directory_removed_under_the_run(bench, tally):
    with tally("run directory removed in a step"):
        run = bench.folder / "run"
        ended = bench.train("run", fault=functools.partial(faults.gone_at, 3, run))
        assert ended.code == 1, ended
        assert f"{run} was removed or replaced while the run was writing there" in ended.output
        assert "Traceback" not in ended.output
        assert not (run / directory.CONFIG).exists()
