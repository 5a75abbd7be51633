"""NaN, too little memory, parts that break, a critic that collapses."""

from __future__ import annotations

import functools
import json

import pytest

from gan_cli.runs import checkpoint, directory
from tests.faults import faults
from tests.faults.harness import differences, recovered


@pytest.mark.parametrize("where", ["weights", "loss", "data"])
def test_nothing_is_saved_after_a_nan(bench, whole, tally, where):
    with tally(f"NaN in the {where}") as trial:
        ended = bench.train("run", "checkpoint.every_steps=1", fault=functools.partial(faults.nan_in, where, 4))
        assert ended.code == 70, ended
        # The data that step 4 makes NaN are first read by the critic in step 5
        step = 5 if where == "data" else 4
        assert f"became nan at step {step}: a smaller optimizer.lr" in ended.output
        assert checkpoint.steps(bench.folder / "run" / directory.CHECKPOINTS) == [step - 1, step - 2]
        assert "Traceback" not in ended.output
        assert directory.read_status(bench.folder / "run")["status"] == "failed"
        recovered(bench, "run", whole, ended, trial)


def test_out_of_memory_names_the_fix(bench, whole, tally):
    with tally("out of memory in a step") as trial:
        ended = bench.train("run", fault=functools.partial(faults.out_of_memory, 4))
        assert ended.code == 1, ended
        assert "out of memory at train.batch_size=8, model.width=4: halve either" in ended.output
        assert "Traceback" not in ended.output
        recovered(bench, "run", whole, ended, trial)


PARTS = {  # what breaks: the message, what of the run is then missing
    "the grid": ("samples/step_0000000004.png", "samples/"),
    "the generator's picture": ("samples/step_0000000004.png", "samples/"),
    "the probe": ("CriticProbe", ("TensorBoard's critic/", "metrics.jsonl")),
}


@pytest.mark.parametrize("what", PARTS)
def test_a_part_beside_the_training_that_breaks(bench, whole, tally, what):
    message, missing = PARTS[what]
    with tally("a picture or probe that breaks"):
        ended = bench.train("run", fault=functools.partial(faults.broken, what))
        assert ended.code == 3, ended
        reason = f"RuntimeError: {what} is broken (faults.py, line "
        assert f"{message}: {reason}" in ended.output
        run = bench.folder / "run"
        assert f"{message}: {reason}" in (run / directory.LOG).read_text()
        status = directory.read_status(run)
        assert status["status"] == "finished"
        assert [entry["number"] for entry in status["failures"]] == list(range(1, len(status["failures"]) + 1))
        assert all(entry["reason"].startswith(reason) for entry in status["failures"])
        found = differences(run, whole)  # every tensor of the last checkpoint is there, bit for bit
        assert found
        assert [difference for difference in found if not difference.startswith(missing)] == []


def test_a_collapsed_critic_is_reported_once_and_ends_nothing(bench, tally):
    with tally("a collapsed critic"):
        long = ("train.steps=40", "log.every_steps=1", "log.samples_every_steps=100", "checkpoint.every_steps=40")
        ended = bench.train("run", *long, fault=functools.partial(faults.collapsed_at, 10))
        assert ended.code == 0, ended
        (warning,) = directory.read_status(bench.folder / "run")["warnings"]
        assert warning["what"] == "collapsed critic"
        assert warning["step"] == 29  # the twentieth row from step 10's on
        for fix in ("constraint.c", "optimizer.critic.lr", "another constraint"):
            assert fix in warning["reason"]
        log = (bench.folder / "run" / directory.LOG).read_text()
        assert log.count("warning at step 29: collapsed critic: all samples get the same score") == 1


@pytest.mark.parametrize("loss", ["wgan", "wgan_gp"])
def test_a_healthy_critic_is_not_called_collapsed(bench, loss):
    run = bench.folder / "run"
    short = ("train.steps=30", "train.batch_size=8", "model.width=8", "dataset.limit=160", "log.every_steps=1")
    size = ("dataset.image_size=16", "log.samples_every_steps=100", "runtime=cpu", "runtime.threads=1")
    ended = bench.gan("train", f"loss={loss}", *short, *size, f"run_dir={run}")
    assert ended.code == 0, ended
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 30
    assert all(row["critic/score_std"] > 0 for row in rows)
    assert directory.read_status(run)["warnings"] == []
