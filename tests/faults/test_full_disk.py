"""A full disk: by the limit on a file's size, and on a small file system."""

from __future__ import annotations

import functools

import pytest

from gan_cli.runs import checkpoint, directory
from tests.faults import faults
from tests.faults.harness import STEPS, differences, good_step, recovered

SIGNS = ("File too large", "No space left")
FATAL = {"checkpoint": 2, "metrics row": 2, "event file": 2}  # the call of it that meets the full disk


@pytest.mark.parametrize("place", FATAL)
def test_what_the_run_needs_ends_it_and_a_resume_continues_it(bench, whole, tally, place):
    with tally(f"full disk: {place}") as trial:
        ended = bench.train("run", fault=functools.partial(faults.full_at, place, FATAL[place]))
        assert ended.code == 1, ended
        assert any(sign in ended.output for sign in SIGNS)
        assert f"`gan resume {bench.folder / 'run'}` continues from the newest" in ended.output
        assert good_step(bench.folder / "run") >= 2
        assert directory.read_status(bench.folder / "run")["status"] == "failed"
        recovered(bench, "run", whole, ended, trial)


@pytest.mark.parametrize("place", ["picture", "picture in the event file"])
def test_a_picture_that_does_not_fit_changes_the_exit_code_alone(bench, whole, tally, place):
    with tally(f"full disk: {place}"):
        ended = bench.train("run", fault=functools.partial(faults.full_at, place, 2))
        assert ended.code == 3, ended
        status = directory.read_status(bench.folder / "run")
        assert status["status"] == "finished"
        assert [entry["what"] for entry in status["failures"]][-1] == "samples/step_0000000004.png"
        missing = [d for d in differences(bench.folder / "run", whole) if not d.startswith("samples/")]
        assert missing == []


@pytest.mark.parametrize("size", [100, 1_000, 2_500, 5_000, 20_000, 60_000])
def test_any_limit_ends_in_a_run_that_can_be_resumed(bench, whole, tally, size):
    with tally("full disk: any file above a size, from step 4 on") as trial:
        ended = bench.train("run", fault=functools.partial(faults.full_from, 4, size))
        assert ended.code in (0, 1, 3), ended
        if ended.code != 3:
            recovered(bench, "run", whole, ended, trial)


def test_some_limit_of_these_ends_the_run(bench):
    assert bench.train("run", fault=functools.partial(faults.full_from, 4, 100)).code == 1


def small(bench, disk, room, *overrides):
    ended = bench.do("on_small_disk", disk, "run", room, 5, overrides, bench.folder)
    assert ended.code == 0, ended
    return ended, (bench.folder / "first").read_text()


def test_a_small_file_system_that_fills_up(bench, whole, tally, mountable):
    with tally("full disk: a small file system, nothing to remove") as trial:
        ended, first = small(bench, mountable, 8192)
        assert first.startswith("1: "), first
        assert "No space left" in first
        trial.lost = 5 - good_step(bench.folder / "run_full")
        assert good_step(bench.folder / "run_full") == 4
        assert differences(bench.folder / "run", whole) == [], ended


def test_older_checkpoints_make_room_once(bench, whole, tally, mountable):
    with tally("full disk: older checkpoints make room"):
        keep = ("checkpoint.keep=9", "checkpoint.every_steps=1")
        ended, first = small(bench, mountable, 8192, *keep)
        assert first == "finished", ended
        assert "no room for the checkpoint of step 5" in ended.output
        assert "step_0000000001, step_0000000002 removed" in ended.output
        assert checkpoint.steps(bench.folder / "run" / directory.CHECKPOINTS)[0] == STEPS
        assert differences(bench.folder / "run", whole) == [], ended
