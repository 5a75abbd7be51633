"""What stays of a run's checkpoints, the bytes of one, and a disk without room."""

import contextlib
import errno
import os
import threading

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, checkpoint_files, tensor_file
from gan_cli.runs.checkpoint import kept
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.saver import Saver

TENSORS = {"w": torch.arange(6.0).reshape(2, 3)}
STEPS = st.integers(0, 60)


def save(folder, step, keep=2, milestones=None, best=None, warn=pytest.fail):
    meta = {"step": step} | ({"best": {"step": best}} if best is not None else {})
    return checkpoint.save(folder, step, TENSORS, meta, keep, milestones, warn)


def damage(path):
    content = bytearray((path / "state.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "state.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("good", "newest", "milestone", "best", "stay"),
    [
        ([9, 8], 2, None, None, {9, 8}),
        ([9, 8], 3, None, None, {9, 8, 7}),
        ([9, 8], 2, None, 3, {9, 8, 3}),
        ([9, 8], 2, 4, None, {9, 8, 4}),
        ([9, 8], 2, 3, 5, {9, 8, 6, 3, 5}),
        ([9, 7], 2, None, None, {9, 8, 7}),  # 8 does not verify
        ([5, 3], 2, None, None, {9, 8, 5, 3}),
        ([9, 8], 2, None, 100, {9, 8}),  # a best that is gone brings nothing back
    ],
)
def test_the_rule(good, newest, milestone, best, stay):
    assert kept(range(3, 10), good, newest, milestone, best) == stay


@given(st.sets(STEPS), st.sets(STEPS), st.integers(2, 5), st.none() | st.integers(1, 9), st.none() | STEPS)
def test_the_rule_keeps_what_it_promises(present, verifies, newest, milestone, best):
    good = present & verifies
    stay = kept(present, good, newest, milestone, best)
    assert stay <= present
    assert set(sorted(present)[-newest:]) <= stay
    assert len(stay & good) >= min(2, len(good))
    assert {step for step in present if milestone and step % milestone == 0} <= stay
    assert best not in present or best in stay
    # kept again, nothing more goes
    assert kept(stay, stay & good, newest, milestone, best) == stay


def test_milestones_and_the_best_stay(tmp_path):
    for step in range(1, 10):
        save(tmp_path, step, milestones=4, best=min(step, 3))
    assert checkpoint.steps(tmp_path) == [9, 8, 4, 3]
    assert checkpoint.load_best(tmp_path, pytest.fail).meta["step"] == 3
    save(tmp_path, 10, milestones=4, best=10)
    assert checkpoint.steps(tmp_path) == [10, 9, 8, 4]
    assert checkpoint.load_best(tmp_path, pytest.fail).meta["step"] == 10


def test_a_damaged_checkpoint_does_not_take_a_good_ones_place(tmp_path):
    save(tmp_path, 1)
    damage(save(tmp_path, 2))
    save(tmp_path, 3)
    assert checkpoint.steps(tmp_path) == [3, 2, 1]
    save(tmp_path, 4)
    assert checkpoint.steps(tmp_path) == [4, 3]


def test_a_damaged_later_checkpoint_does_not_push_out_what_a_resumed_run_saves(tmp_path):
    save(tmp_path, 90)
    damage(save(tmp_path, 100))
    for step in (94, 97):
        save(tmp_path, step)
        assert checkpoint.load(tmp_path, lambda text: None).meta == {"step": step}
    save(tmp_path, 100)
    assert checkpoint.steps(tmp_path) == [100, 97]


def test_verify_distinguishes_damage_from_a_good_one(tmp_path):
    path = save(tmp_path, 1)
    assert checkpoint_files.verify(path) == {"step": 1}
    damage(path)
    with pytest.raises(checkpoint_files.CorruptError, match=r"state.safetensors is not what was written"):
        checkpoint_files.verify(path)
    (path / "meta.json").unlink()
    with pytest.raises(checkpoint_files.CorruptError):
        checkpoint_files.verify(path)


@pytest.mark.parametrize("best", ["7", {"step": "7"}, {"step": True}, {}, None, [7]])
def test_a_best_that_is_no_step_is_none(best):
    assert checkpoint.best_step({"best": best}) is None


def test_no_best_is_refused_by_name(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(UserError, match=r"no best checkpoint.*checkpoint=latest, or a step of 1"):
        checkpoint.load_best(tmp_path, pytest.fail)
    save(tmp_path, 2, best=0)
    with pytest.raises(UserError, match="no checkpoint of step 0; it has 2, 1"):
        checkpoint.load_best(tmp_path, pytest.fail)


def test_a_best_that_does_not_verify_is_refused(tmp_path):
    path = save(tmp_path, 1, best=1)
    save(tmp_path, 2, best=1)
    damage(path)
    warnings = []
    with pytest.raises(UserError, match=r"step_0000000001 is damaged; the run has the checkpoints 2, 1"):
        checkpoint.load_best(tmp_path, warnings.append)
    assert "is not what was written" in warnings[0]


EVERY_TYPE = {
    name: torch.arange(5).to(getattr(torch, name))
    for name in ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
}
ODD = {
    "scalar": torch.tensor(1.5),
    "empty": torch.empty(0, 3),
    "nan": torch.tensor([float("nan"), -0.0]),
    "transposed": torch.randn(3, 4).T,
    "channels_last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "needs a gradient": torch.nn.Parameter(torch.randn(3)),
    'a "quoted" ü name': torch.ones(1),
}


@pytest.mark.parametrize("tensors", [EVERY_TYPE, ODD, {}, TENSORS], ids=["types", "odd", "none", "plain"])
def test_the_file_is_one_that_the_library_reads(tensors):
    content = b"".join(tensor_file.pieces(tensors))
    assert_close(safetensors.torch.load(content), tensors, rtol=0, atol=0, equal_nan=True)
    assert content == b"".join(tensor_file.pieces(dict(reversed(tensors.items()))))


def test_a_type_that_has_no_name_is_refused():
    with pytest.raises(ValueError, match=r"z is of torch.complex64"):
        list(tensor_file.pieces({"z": torch.zeros(1, dtype=torch.complex64)}))


def test_a_checkpoint_behind_the_training_does_not_follow_the_state(tmp_path, monkeypatch):
    written, go = {}, threading.Event()

    def save(folder, step, tensors, *rest):
        assert go.wait(60)
        written[step] = b"".join(tensor_file.pieces(tensors))

    monkeypatch.setattr(checkpoint, "save", save)
    state = {name: tensor.detach().clone() for name, tensor in {**EVERY_TYPE, **ODD}.items()}
    before = b"".join(tensor_file.pieces(state))
    with contextlib.closing(RunDirectory(tmp_path)) as run:
        saver = Saver(run, 2, None, True, saved=lambda step: None, warn=pytest.fail)
        saver.save(1, state, {})
        state["transposed"] += 1
        go.set()
        saver.wait()
        saver.close()
    assert written == {1: before}
    assert b"".join(tensor_file.pieces(state)) != before


class Disk:
    """A disk on which the next `full` syncs fail."""

    def __init__(self, monkeypatch, code=errno.ENOSPC):
        self.full, self.code, self.sync = 0, code, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor):
        if self.full > 0:
            self.full -= 1
            raise OSError(self.code, os.strerror(self.code))
        self.sync(descriptor)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EFBIG, errno.EDQUOT])
def test_a_full_disk_is_given_room_and_asked_once_more(tmp_path, monkeypatch, code):
    for step in range(1, 7):
        save(tmp_path, step, keep=6, milestones=2, best=1)
    (tmp_path / ".tmp-step_0000000006-1").mkdir()
    disk, warnings = Disk(monkeypatch, code), []
    disk.full = 1
    save(tmp_path, 7, keep=6, milestones=2, best=7, warn=warnings.append)
    # until the seventh is there, the best is still the first; then the rule as ever
    assert checkpoint.steps(tmp_path) == [7, 6, 5, 4, 2, 1]
    assert warnings == [
        f"no room for the checkpoint of step 7 ({os.strerror(code)}): .tmp-step_0000000006-1, step_0000000003 removed, "
        "tried again"
    ]


def test_a_disk_that_stays_full_is_reported_and_two_good_ones_stay(tmp_path, monkeypatch):
    for step in (1, 2, 3, 4):
        save(tmp_path, step, keep=4)
    damage(tmp_path / "step_0000000004")
    disk, warnings = Disk(monkeypatch), []
    disk.full = 2
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 5, keep=4, warn=warnings.append)
    assert disk.full == 0
    assert checkpoint.steps(tmp_path) == [4, 3, 2]
    assert len(warnings) == 1
    assert sorted(path.name for path in tmp_path.iterdir())[0] == "step_0000000002"  # no temporary
    assert checkpoint.load(tmp_path, warnings.append).meta == {"step": 3}


def test_another_error_is_not_tried_again(tmp_path, monkeypatch):
    for step in (1, 2, 3):
        save(tmp_path, step, keep=3)
    disk = Disk(monkeypatch, errno.EIO)
    disk.full = 1
    with pytest.raises(OSError, match="Input/output"):
        save(tmp_path, 4, keep=3)
    assert checkpoint.steps(tmp_path) == [3, 2, 1]


def test_leftovers_of_a_killed_process_with_the_same_number_are_removed(tmp_path):
    for name in (f".tmp-step_0000000003-{os.getpid()}", ".tmp-old-step_0000000001"):
        (tmp_path / name / "half").mkdir(parents=True)
    for step in (1, 2, 3):
        save(tmp_path, step)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_0000000002", "step_0000000003"]


@pytest.mark.parametrize("number", [errno.ENOTEMPTY, errno.EIO, errno.EACCES])
def test_an_old_checkpoint_that_cannot_be_removed_is_left_for_later(tmp_path, monkeypatch, number):
    warnings = []
    save(tmp_path, 1)
    save(tmp_path, 2)
    with monkeypatch.context() as failing:
        failing.setattr(checkpoint_files.os, "rename", _failing(os.rename, "step_0000000001", number))
        save(tmp_path, 3, warn=warnings.append)
    text = f"the checkpoint of step 1 cannot be removed now ({os.strerror(number)}): it is left for later"
    assert (warnings, checkpoint.steps(tmp_path)) == ([text], [3, 2, 1])
    save(tmp_path, 4)
    assert checkpoint.steps(tmp_path) == [4, 3]


def _failing(call, name, number):
    def failing(source, target):
        if source.name == name:
            raise OSError(number, os.strerror(number), str(source))
        call(source, target)

    return failing
