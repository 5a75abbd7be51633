"""Milestones, the best, and writing behind the training, in whole runs."""

import dataclasses
import json
import os
import signal
import threading
import time

import pytest
import torch

from gan_cli.cli import main
from gan_cli.errors import GanError, Interrupted, NonFiniteError
from gan_cli.runs import checkpoint, checkpoint_files, directory
from gan_cli.session import build
from gan_cli.session.job import Earlier
from gan_cli.session.restore import restore
from gan_cli.session.session import Session
from gan_cli.training.best import Best
from tests.children import run_code
from tests.conftest import TINY

SMALL = ("model=toy_mlp", "dataset=ring", "updates.n_critic=1", *TINY, "log.every_steps=2", "log.samples_every_steps=4")
BACKGROUND = "checkpoint.background=true"


@pytest.fixture
def begin(config_of, tmp_path):
    def session(name, *overrides, steps=9, resume=False, values=None):
        plan = build.check(config_of(f"train.steps={steps}", *SMALL, *overrides))
        (tmp_path / name).mkdir(exist_ok=True)
        run = directory.RunDirectory(tmp_path / name)
        plan, data = plan.open()
        state = plan.state(data)
        found = checkpoint.load(run.checkpoints, pytest.fail) if resume else None
        if found:
            restore(state, found)
        session = Session(plan, run, data, state, Earlier(found) if resume else None).open()
        session.callbacks.pictures = lambda state, logs: None  # they take longest
        if values:
            session.callbacks.curves.probes.append(lambda state, row: {"test/value": values.get(state.step, 0.0)})
        return session

    return session


def steps(path):
    return checkpoint.steps(path / directory.CHECKPOINTS)


def newest(path):
    return checkpoint.load(path / directory.CHECKPOINTS, pytest.fail)


def files(path):
    """Every checkpoint's state and meta, but for what its run's times and names make of it, and the rows."""
    folders = sorted((path / directory.CHECKPOINTS).iterdir())
    found = {f"{folder.name} state": (folder / "state.safetensors").read_bytes() for folder in folders}
    found |= {folder.name: {**json.loads((folder / "meta.json").read_text()), "run": None} for folder in folders}
    return found | {"metrics": (path / "metrics.jsonl").read_bytes()}


@pytest.fixture
def slow(monkeypatch):
    """Let a step's write last until the event is set, or a while."""
    save, released, order = checkpoint.save, threading.Event(), []

    def patch(at, then=lambda: None, seconds=0.3):
        def slowly(folder, step, *rest):
            order.append(f"begin {step}")
            if step == at:
                then()
                released.wait(seconds)
            path = save(folder, step, *rest)
            order.append(f"end {step}")
            return path

        monkeypatch.setattr(checkpoint, "save", slowly)
        return released, order

    return patch


def test_what_is_written_behind_the_training_is_the_same_to_the_byte(begin, tmp_path, slow):
    options = ("checkpoint.every_steps=2", "checkpoint.keep=5", "checkpoint.milestone_every_steps=3")
    options = (*options, "checkpoint.best=critic/loss", "optimizer=adam", "train.ema_halflife_images=20")
    begin("before", *options).train()
    slow(4, seconds=0.2)  # the state moves on while it is written
    session = begin("behind", *options, BACKGROUND)
    foreground = session.plan.config.checkpoint.replace(background=False)
    session.plan = dataclasses.replace(session.plan, config=session.plan.config.replace(checkpoint=foreground))
    session.train()  # a checkpoint holds its run's config, here without `background`
    assert session.callbacks.saver._thread is not None
    assert steps(tmp_path / "behind")[:5] == [9, 8, 6, 4, 3]
    assert files(tmp_path / "behind") == files(tmp_path / "before")


def test_milestones_are_saved_and_stay(begin, tmp_path):
    begin("run", "checkpoint.every_steps=2", "checkpoint.milestone_every_steps=3", steps=11).train()
    assert steps(tmp_path / "run") == [11, 10, 9, 6, 3]


VALUES = {2: 1.0, 4: float("nan"), 6: 3.0, 8: 3.0, 9: 9.0, 10: 2.0, 12: 0.5, 13: 99.0}


@pytest.mark.parametrize(("best_is", "expected"), [("max", (6, 3.0)), ("min", (12, 0.5))])
def test_the_best_is_saved_and_stays(begin, tmp_path, best_is, expected):
    best = ("checkpoint.best=test/value", f"checkpoint.best_is={best_is}", "checkpoint.every_steps=null")
    begin("run", *best, steps=13, values=VALUES).train()
    step, value = expected
    assert newest(tmp_path / "run").meta["best"] == {"tag": "test/value", "is": best_is, "value": value, "step": step}
    assert checkpoint.load_best(tmp_path / "run" / directory.CHECKPOINTS, pytest.fail).meta["step"] == step
    assert step in steps(tmp_path / "run")


@pytest.mark.parametrize("first", [3, 7, 9])  # before the best, after it, and after a row that the end cut short
def test_the_best_of_two_parts_is_that_of_the_whole(begin, tmp_path, first):
    best = ("checkpoint.best=test/value", "checkpoint.every_steps=5")
    begin("whole", *best, steps=13, values=VALUES).train()
    begin("parts", *best, steps=first, values=VALUES).train()
    begin("parts", *best, steps=13, values=VALUES, resume=True).train()
    assert newest(tmp_path / "parts").meta["best"] == newest(tmp_path / "whole").meta["best"]
    assert steps(tmp_path / "parts") == steps(tmp_path / "whole") == [13, 10, 6]


def test_another_curve_begins_anew(begin, tmp_path):
    begin("run", "checkpoint.best=test/value", steps=4, values=VALUES).train()
    begin("run", "checkpoint.best=critic/loss", steps=6, values=VALUES, resume=True).train()
    assert newest(tmp_path / "run").meta["best"]["tag"] == "critic/loss"


NO_VALUES = ("x", None, True, 1, float("nan"), float("inf"))


@pytest.mark.parametrize("best", [7, {}, *({"tag": "t", "is": "max", "value": v, "step": 2} for v in NO_VALUES)])
def test_a_best_that_nobody_wrote_is_none(best):
    watch = Best("t", "max", 2, 4, dict, pytest.fail)
    watch.load({"best": best})
    assert (watch.value, watch.step, watch.meta()) == (None, None, {})


def test_a_best_that_is_gone_is_reported(begin, tmp_path, capsys):
    values = {2: 5.0, 4: 1.0, 6: 1.0, 8: 6.0}
    options = ("checkpoint.best=test/value", "checkpoint.every_steps=2")
    begin("run", *options, steps=6, values=values).train()
    assert steps(tmp_path / "run") == [6, 4, 2]
    checkpoint_files.remove(tmp_path / "run" / directory.CHECKPOINTS / "step_0000000002")
    begin("run", *options, steps=8, values=values, resume=True).train()
    assert "the best checkpoint, of step 2, is missing" in capsys.readouterr().err
    assert newest(tmp_path / "run").meta["best"]["step"] == 8


def test_the_samples_own_tags_can_be_the_best(begin, tmp_path, capsys):
    begin("run", "checkpoint.best=quality/kl_to_uniform", "checkpoint.best=quality/modes", steps=6).train()
    assert "warning" not in capsys.readouterr().err
    assert newest(tmp_path / "run").meta["best"]["step"] == 4  # where samples are drawn first


def test_a_tag_that_no_row_has_is_reported_once_with_those_there_are(begin, tmp_path, capsys):
    begin("run", "checkpoint.best=quality/mode", steps=9).train()
    lines = [line for line in capsys.readouterr().err.splitlines() if "checkpoint.best" in line]
    assert len(lines) == 1
    assert "no row up to step 4 has this tag" in lines[0]
    assert "did you mean checkpoint.best=quality/modes?" in lines[0]
    assert "critic/loss, critic/" in lines[0]
    assert "best" not in newest(tmp_path / "run").meta
    assert "checkpoint.best=quality/mode: no row" in (tmp_path / "run" / "train.log").read_text()


@pytest.mark.parametrize("at", [2, 9])
def test_an_error_behind_the_training_ends_it_with_exit_code_1(begin, tmp_path, monkeypatch, at):
    save = checkpoint.save

    def full(folder, step, *rest):
        if step == at:
            raise OSError(28, "No space left on device", str(folder))
        return save(folder, step, *rest)

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(GanError, match=r"checkpoints: No space left on device.*gan resume") as caught:
        begin("run", "checkpoint.every_steps=1", BACKGROUND).train()
    assert caught.value.exit_code == 1
    status = directory.read_status(tmp_path / "run")
    assert (status["status"], status["saved_step"]) == ("failed", at - 1)
    assert steps(tmp_path / "run")[0] == at - 1
    monkeypatch.undo()
    begin("run", resume=True).train()
    assert directory.read_status(tmp_path / "run")["saved_step"] == 9


def test_only_what_is_committed_is_reported_as_saved(begin, tmp_path, slow):
    session = begin("run", "checkpoint.every_steps=4", BACKGROUND, steps=8)
    reported = {}

    def watch(state, logs):
        reported[state.step] = directory.read_status(tmp_path / "run").get("saved_step")
        if state.step == 6:
            released.set()
            session.callbacks.saver.wait()

    released, order = slow(4, seconds=30)
    session.callbacks.pictures = watch
    session.train()
    assert [reported[step] for step in (3, 4, 5, 6)] == [None] * 4
    assert reported[7] == 4
    assert order == ["begin 4", "end 4", "begin 8", "end 8"]


def test_one_write_at_a_time(begin, tmp_path, slow):
    _, order = slow(2)
    begin("run", "checkpoint.every_steps=1", BACKGROUND, steps=4).train()
    assert order == [f"{word} {step}" for step in (1, 2, 3, 4) for word in ("begin", "end")]
    log = (tmp_path / "run" / "train.log").read_text()
    assert [line.split()[-1] for line in log.splitlines() if " saved step" in line] == ["1", "2", "3", "4"]


def test_a_signal_waits_for_the_write_under_way(begin, tmp_path, slow):
    _, order = slow(2, then=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted) as caught:
        begin("run", "checkpoint.every_steps=2", BACKGROUND, steps=1000).train()
    assert caught.value.exit_code == 143
    saved, last = steps(tmp_path / "run")[0], order[-1]
    assert order[:2] == ["begin 2", "end 2"]
    assert last == f"end {saved}"
    assert f"after step {saved};" in str(caught.value)
    assert directory.read_status(tmp_path / "run")["saved_step"] == saved
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("checkpoint")]


def nan_at(session, step):
    def poison(state, logs):
        if state.step == step - 1:
            session.state.params["generator"][0].data[0] = float("nan")

    session.callbacks.pictures = poison


def test_a_nan_waits_for_the_write_under_way(begin, tmp_path, slow):
    slow(2)
    session = begin("run", "checkpoint.every_steps=2", BACKGROUND)
    nan_at(session, 4)
    with pytest.raises(NonFiniteError):
        session.train()
    assert steps(tmp_path / "run") == [2]
    status = directory.read_status(tmp_path / "run")
    assert (status["status"], status["saved_step"]) == ("failed", 2)


def test_an_error_under_way_is_reported_beside_the_one_that_ended_the_run(begin, tmp_path, slow, capsys):
    def fail():
        time.sleep(0.3)
        raise OSError(5, "Input/output error")

    slow(2, then=fail)
    session = begin("run", "checkpoint.every_steps=2", BACKGROUND)
    nan_at(session, 4)
    with pytest.raises(NonFiniteError):
        session.train()
    assert "a checkpoint was still being written, and failed: [Errno 5]" in capsys.readouterr().err
    assert directory.read_status(tmp_path / "run")["saved_step"] is None


@pytest.mark.parametrize("background", ["true", "false"])
def test_room_that_was_made_is_reported(begin, tmp_path, monkeypatch, capsys, background):
    sync, full = os.fsync, []

    def fsync(descriptor):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if "step_0000000008/" in name.replace(f"-{os.getpid()}", "") and not full:
            full.append(name)
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    options = ("checkpoint.every_steps=2", "checkpoint.keep=4", f"checkpoint.background={background}")
    begin("run", *options, steps=10).train()
    assert len(full) == 1
    assert steps(tmp_path / "run") == [10, 8, 6, 4]
    warning = "warning: no room for the checkpoint of step 8 (No space left on device): step_0000000002 removed"
    assert warning in capsys.readouterr().err
    assert warning in (tmp_path / "run" / "train.log").read_text()


KILLED = """
import os, signal, sys
from gan_cli.cli import main
rename = os.rename
def kill(source, target):
    if str(target).endswith("step_0000000004"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = kill
main(["train", "runtime=cpu", "runtime.threads=1", *sys.argv[1:]])
"""


def test_a_kill_during_the_write_leaves_the_older_ones_good(begin, tmp_path):
    run = tmp_path / "run"
    options = ("checkpoint.every_steps=2", BACKGROUND)
    killed = run_code(KILLED, *SMALL, *options, "train.steps=1000", f"run_dir={run}")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert steps(run) == [2]
    assert directory.read_status(run)["saved_step"] == 2
    begin("run", *options, resume=True).train()
    begin("whole", *options).train()
    assert (run / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()
    for name, tensor in newest(tmp_path / "whole").tensors.items():
        assert torch.equal(newest(run).tensors[name], tensor), name
    assert not list((run / directory.CHECKPOINTS).glob(".tmp-*"))


def test_gan_sample_draws_from_the_best(begin, tmp_path, capsys):
    begin("run", "checkpoint.best=test/value", steps=9, values=VALUES).train()
    run = tmp_path / "run"
    assert main(["sample", str(run), "checkpoint=best", "count=3", "device=cpu"]) == 0, capsys.readouterr().err
    assert "step_0000000006_" in capsys.readouterr().out
    begin("plain", steps=3).train()
    assert main(["sample", str(tmp_path / "plain"), "checkpoint=best", "device=cpu"]) == 2
    assert "has no best checkpoint" in capsys.readouterr().err
    assert main(["sample", str(run), "checkpoint=worst", "device=cpu"]) == 2
    assert "latest" in capsys.readouterr().err


def test_a_longer_run_measures_modes_at_the_same_steps(begin, tmp_path):
    begin("whole", steps=12).train()
    begin("parts", steps=6).train()
    begin("parts", steps=12, resume=True).train()
    whole, parts = ((tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "parts"))
    assert whole == parts
    assert whole.count("quality/modes") == 3


@pytest.mark.parametrize(
    "override",
    [
        "checkpoint.milestone_every_steps=0",
        "checkpoint.best_is=largest",
        "checkpoint.best_is=min",
        "checkpoint.best=''",
    ],
)
def test_what_cannot_be_is_refused(override, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", override]) == 2
    assert override.partition("=")[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_meta_is_strict_json(begin, tmp_path):
    begin("run", "checkpoint.best=test/value", steps=4, values={2: float("inf"), 4: float("nan")}).train()
    content = (newest(tmp_path / "run").path / "meta.json").read_text()
    assert "best" not in json.loads(content, parse_constant=pytest.fail)
