"""kill -9: at every point of a checkpoint's write, at random moments, and in the whole life of a run."""

from __future__ import annotations

import functools
import json
import random

import pytest
import torch

from gan_cli.runs import checkpoint, directory
from tests.faults import faults
from tests.faults.harness import KILLED, STEPS, differences, recovered

IN_SAVE = "kill -9 at every event of a checkpoint's write"
BEHIND = "the same, the write behind the training"
RANDOM = "kill -9 at a random moment"
IN_RUN = "kill -9 at every event of a whole run"


def killed_at(bench, whole, tally, row, fault, at, *overrides):
    name = f"run_{at}"
    with tally(row) as trial:
        ended = bench.train(name, *overrides, fault=functools.partial(fault, bench.folder / name, at=at))
        assert ended.code == KILLED, ended
        recovered(bench, name, whole, ended, trial)


def count(bench, fault, *overrides):
    ended = bench.train("counted", *overrides, fault=functools.partial(fault, bench.folder / "counted", at=0))
    assert ended.code == 0, ended
    return ended.events


def test_the_comparison_sees_what_differs(bench, whole):
    assert bench.train("run").code == 0
    run = bench.folder / "run"
    assert differences(run, whole) == []
    rows = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(rows.replace("1", "2", 1))
    (run / "samples" / "step_0000000004.png").unlink()
    found = checkpoint.load(run / directory.CHECKPOINTS, pytest.fail)
    name = next(name for name, tensor in found.tensors.items() if tensor.is_floating_point())
    found.tensors[name].view(torch.int32).view(-1)[0] ^= 1
    checkpoint.save(run / directory.CHECKPOINTS, STEPS, found.tensors, found.meta, keep=2)
    (run / directory.STATUS).write_text(json.dumps({"status": "running", "step": 3}))
    expected = ["run.json says running at step 3", name, "metrics.jsonl", "samples/step_0000000004.png"]
    assert differences(run, whole) == expected


@pytest.mark.timeout(900)
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_at_every_event_of_a_checkpoints_write(bench, whole, tally, every):
    fault = functools.partial(faults.kill_in_save, step=6)  # the third: the first is removed after it
    events = count(bench, fault)
    assert events > 20
    for at in range(1, events + 1, every):
        killed_at(bench, whole, tally, IN_SAVE, fault, at)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_at_some_events_of_a_write_behind_the_training(bench, whole, tally):
    fault = functools.partial(faults.kill_in_save, step=6)
    behind = ("checkpoint.background=true",)
    for at in range(1, count(bench, fault, *behind) + 1, 4):
        killed_at(bench, whole, tally, BEHIND, fault, at, *behind)


@pytest.mark.parametrize(
    ("first", "trials"), [(0, 8), pytest.param(8, 200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_at_random_moments(bench, whole, tally, first, trials):
    for seed in range(first, first + trials):
        name, step = f"run_{seed}", random.Random(seed).randrange(STEPS)
        with tally(RANDOM) as trial:
            ended = bench.train(name, fault=functools.partial(faults.kill_in_step, step, seed))
            assert ended.code in (KILLED, 0), ended  # 0: the run was over before the moment came
            recovered(bench, name, whole, ended, trial)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_at_every_event_of_a_whole_run(bench, whole, tally):
    for at in range(1, count(bench, faults.kill_in_run) + 1):
        killed_at(bench, whole, tally, IN_RUN, faults.kill_in_run, at)


def test_a_resume_that_is_killed_too(bench, whole, tally):
    with tally("kill -9, and again in the session that resumed") as trial:
        run = bench.folder / "run"
        assert bench.train("run", fault=functools.partial(faults.kill_in_save, run, 4, 12)).code == KILLED
        for at in (3, 9, 17):
            ended = bench.resume("run", fault=functools.partial(faults.kill_in_save, run, 6, at))
            assert ended.code == KILLED, ended
        recovered(bench, "run", whole, ended, trial)
