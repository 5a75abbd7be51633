"""A checkpoint from a stranger, every hash of it right."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile

import pytest
import safetensors.torch
import torch

from gan_cli.runs import checkpoint
from tests.hostile import forge
from tests.hostile.perform import perform

COMMANDS = [("sample",), ("resume", "train.steps=4")]
both = pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])


@pytest.fixture
def only(run):
    """The run's one checkpoint: what is refused cannot be passed over."""
    return forge.alone(run)


def tensors(path):
    return safetensors.torch.load((path / forge.STATE).read_bytes())


def put(path, changed):
    forge.put_state(path, safetensors.torch.save(changed))


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.unlink, (str(self.path),))


@both
@pytest.mark.parametrize("kind", ["pickle", "torch", "zip", "old torch"])
def test_pickles_are_not_run(refused, run, only, canary, command, kind):
    state = only / forge.STATE
    if kind == "pickle":
        state.write_bytes(pickle.dumps(Canary(canary)))
    elif kind == "zip":
        with zipfile.ZipFile(state, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Canary(canary)))
    else:
        torch.save(Canary(canary), state, _use_new_zipfile_serialization=kind == "torch")
    forge.seal(only)
    assert "no checkpoint that verifies" in refused(command[0], str(run), *command[1:], written=True)
    assert canary.read_text() == "alive"


def edited(edit):
    """A state whose header was edited as JSON."""

    def make(state):
        head, data = forge.header(state)
        return forge.state_of(edit(head, len(data)) or head, data)

    return make


def first(head):
    return head[min(head)]


STATES = {
    "empty": lambda s: b"",
    "seven bytes": lambda s: s[:7],
    "truncated header": lambda s: s[:50],
    "truncated data": lambda s: s[:-1],
    "one byte more": lambda s: s + b"\0",
    "header of 2**63 bytes": lambda s: struct.pack("<Q", 2**63) + s[8:],
    "header of all there is": lambda s: struct.pack("<Q", len(s)) + s[8:],
    "header of no bytes": lambda s: struct.pack("<Q", 0) + s[8:],
    "header that is a list": lambda s: forge.state_of([], b""),
    "header that is no JSON": lambda s: forge.state_of(b"{", b""),
    "deep header": lambda s: forge.state_of(b'{"a":' * 100_000, b""),
    "many names": lambda s: forge.state_of(
        {f"n{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_000)}, b""
    ),
    "text that is not UTF-8": lambda s: forge.state_of(b'{"\xff": 1}', b""),
    "no tensors": lambda s: forge.state_of({}, b""),
    "unknown type": edited(lambda h, n: first(h).update(dtype="F3")),
    "type of four bits": edited(lambda h, n: first(h).update(dtype="F4")),
    "complex": edited(lambda h, n: first(h).update(dtype="C64")),
    "negative offset": edited(lambda h, n: first(h).update(data_offsets=[-4, 0])),
    "offset beyond the end": edited(lambda h, n: first(h).update(data_offsets=[0, n * 2])),
    "offsets swapped": edited(lambda h, n: first(h)["data_offsets"].reverse()),
    "offset of 2**64": edited(lambda h, n: first(h).update(data_offsets=[0, 2**64])),
    "overlapping": edited(lambda h, n: [t.update(data_offsets=first(h)["data_offsets"]) for t in h.values()] and h),
    "huge shape": edited(lambda h, n: first(h).update(shape=[2**31, 2**31, 2**31])),
    "huge shape of nothing": edited(lambda h, n: first(h).update(shape=[0, 2**62, 2**62], data_offsets=[0, 0])),
    "one huge empty tensor": lambda s: forge.state_of(
        {"game/x": {"dtype": "F32", "shape": [2**62, 0], "data_offsets": [0, 0]}}, b""
    ),
    "negative shape": edited(lambda h, n: first(h).update(shape=[-1])),
    "shape of text": edited(lambda h, n: first(h).update(shape="x")),
    "many dimensions": edited(lambda h, n: first(h).update(shape=[1] * 100_000)),
    "name twice": lambda s: forge.state_of(
        b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        b"",
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_states_that_are_none(refused, run, only, kind):
    forge.put_state(only, STATES[kind]((only / forge.STATE).read_bytes()))
    refused("sample", str(run))


def test_one_that_is_refused_is_passed_over_by_name(run, capsys):
    forge.put_state(forge.newest(run), b"")
    perform("sample", str(run), "count=4")
    told = capsys.readouterr()
    assert "step_0000000003 is passed over: not a checkpoint" in told.err
    assert "step_0000000002_seed" in told.out


def other_dtype(found):
    return {n: t.double() if n.startswith("game/") and t.is_floating_point() else t for n, t in found.items()}


NAMED = {
    "a name that climbs": lambda t: {**t, "../../../outside/canary": torch.zeros(2)},
    "a name that climbs in the game": lambda t: {**t, "game/../../x": torch.zeros(2)},
    "a name of 100,000 characters": lambda t: {**t, "game/" + "x" * 100_000: torch.zeros(2)},
    "a weight less": lambda t: {n: v for n, v in t.items() if n != min(t_ for t_ in t if t_.startswith("game/"))},
    "another shape": lambda t: {n: v[None] if n.startswith("game/") else v for n, v in t.items()},
    "another type": other_dtype,
    "NaN": lambda t: {n: v * float("nan") if n.startswith("game/") else v for n, v in t.items()},
    "infinite": lambda t: {n: v / 0 if n.startswith("game/critic") else v for n, v in t.items()},
    "slot of another shape": lambda t: {n: v[..., None] if n.endswith("/square_avg") else v for n, v in t.items()},
    "slot of another type": lambda t: {n: v.half() if n.endswith("/square_avg") else v for n, v in t.items()},
    "slot missing": lambda t: {n: v for n, v in t.items() if not n.endswith("/square_avg")},
    "slot of another optimizer": lambda t: {n.replace("square_avg", "exp_avg"): v for n, v in t.items()},
    "slot of nobody": lambda t: {**t, "optimizer/critic/99/step": torch.tensor(1.0)},
    "slot of a number with a sign": lambda t: {**t, "optimizer/critic/-1/step": torch.tensor(1.0)},
    "slot of another digit": lambda t: {**t, "optimizer/critic/\u0663/step": torch.tensor(1.0)},
    "slot of no number": lambda t: {**t, "optimizer/critic/x/step": torch.tensor(1.0)},
    "slot of no name": lambda t: {**t, "optimizer/critic/0": torch.tensor(1.0)},
    "slot that climbs": lambda t: {**t, "optimizer/critic/0/../step": torch.tensor(1.0)},
    "slot of another player": lambda t: {**t, "optimizer/referee/0/step": torch.tensor(1.0)},
    "average of another shape": lambda t: {**t, "averages/critic/loss": torch.zeros(4, dtype=torch.float64)},
    "average of another type": lambda t: {**t, "averages/critic/loss": torch.zeros(3)},
    "average of nothing": lambda t: {**t, "averages/critic/loss": torch.zeros(3, dtype=torch.float64)},
    "average of NaN counts": lambda t: {**t, "averages/x": torch.full((3,), float("nan"), dtype=torch.float64)},
    "average that climbs": lambda t: {**t, "averages/../../x": torch.ones(3, dtype=torch.float64)},
    "average from the root": lambda t: {**t, "averages//etc/x": torch.ones(3, dtype=torch.float64)},
    "average of a control character": lambda t: {**t, "averages/a\x1b[2J": torch.ones(3, dtype=torch.float64)},
    "average of a long name": lambda t: {**t, "averages/" + "x" * 1000: torch.ones(3, dtype=torch.float64)},
    "averages without end": lambda t: t | {f"averages/{i}": torch.ones(3, dtype=torch.float64) for i in range(2000)},
}


@both
@pytest.mark.parametrize("kind", NAMED)
def test_tensors_that_this_run_cannot_have(refused, run, only, command, kind):
    put(only, NAMED[kind](tensors(only)))
    metrics = (run / "metrics.jsonl").read_bytes()
    line = refused(command[0], str(run), *command[1:], written=True)
    assert "does not fit the config beside it" in line
    assert len(line) < 700
    assert (run / "metrics.jsonl").read_bytes() == metrics


METAS = {
    "list": [],
    "text": "x",
    "nothing": {},
    "step -1": {"step": -1},
    "step as text": {"step": "3"},
    "step true": {"step": True},
    "step 3.0": {"step": 3.0},
    "another step": {"step": 2},
    "real_batches huge": {"real_batches": 2**60},
    "real_batches negative": {"real_batches": -1},
    "real_batches as text": {"real_batches": "1"},
    "critic_updates null": {"critic_updates": None},
    "n_classes huge": {"n_classes": 2**60},
    "n_classes list": {"n_classes": []},
    "shape huge": {"sample_shape": [3, 10**9, 10**9]},
    "shape of 2**62": {"sample_shape": [2**62]},
    "shape zero": {"sample_shape": [0]},
    "shape negative": {"sample_shape": [-2]},
    "shape of text": {"sample_shape": ["2"]},
    "shape of truth": {"sample_shape": [True]},
    "shape as text": {"sample_shape": "2"},
    "shape as number": {"sample_shape": 2},
    "shape of two": {"sample_shape": [2, 2]},
    "shape nested": {"sample_shape": [[2]]},
    "settings list": {"settings": []},
    "data number": {"data": 3},
    "best list": {"best": [1]},
}


@pytest.mark.parametrize("kind", METAS)
def test_metas_of_wrong_types(refused, run, only, kind):
    given = METAS[kind]
    whole = not isinstance(given, dict) or not given
    forge.put_meta(only, json.dumps(given if whole else {**forge.meta(only), **given}).encode())
    for command in COMMANDS:
        line = refused(command[0], str(run), *command[1:], written=True)
        assert "no checkpoint that verifies" in line


RAW_METAS = {
    "infinite step": b'{"step": 1e400}',
    "NaN": b'{"step": 3, "x": NaN}',
    "long digits": b'{"step": ' + b"3" * 100_000 + b"}",
    "deep": b'{"step": 3, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "step twice": b'{"step": 3, "step": 3}',
    "large": b'{"step": 3, "x": "' + b"x" * 2**21 + b'"}',
    "latin": b'{"step": 3, "x": "\xff"}',
    "nul": b'{"step": 3, "x": "\\u0000"}',
}


@pytest.mark.parametrize("kind", RAW_METAS)
def test_metas_that_are_no_json(refused, run, only, kind):
    forge.put_meta(only, RAW_METAS[kind])
    assert "no checkpoint that verifies" in refused("sample", str(run))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", [[1], [3], [2**20], [1, 8, 8], [3, 9000, 9000], [1, 1, 1]])
def test_samples_of_another_shape(refused, run, only, shape):
    forge.put_meta(only, {**forge.meta(only), "sample_shape": shape})
    refused("sample", str(run))


MANIFESTS = {
    "list": lambda files: [],
    "other file": lambda files: {**files, "extra": files[forge.META]},
    "climbs": lambda files: {forge.STATE: files[forge.STATE], "../../config.yaml": files[forge.META]},
    "from the root": lambda files: {forge.STATE: files[forge.STATE], "/etc/passwd": files[forge.META]},
    "one file": lambda files: {forge.STATE: files[forge.STATE]},
    "entry of text": lambda files: {**files, forge.META: "x"},
    "size of text": lambda files: {**files, forge.META: {**files[forge.META], "bytes": "1"}},
    "size huge": lambda files: {**files, forge.META: {**files[forge.META], "bytes": 10**15}},
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_manifests_of_other_files(refused, run, only, kind):
    files = {name: checkpoint._entry((only / name).read_bytes()) for name in (forge.STATE, forge.META)}
    forge.seal(only, MANIFESTS[kind](files))
    assert "no checkpoint that verifies" in refused("sample", str(run))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("content", [b"[" * 4000, b"{" * 4000, b'{"files": {}}', b"null", b"", b"\xff", b" " * 10**7])
def test_manifests_that_are_none(refused, run, only, content):
    (only / forge.MANIFEST).write_bytes(content)
    assert "no checkpoint that verifies" in refused("sample", str(run))


def test_a_checkpoint_under_another_steps_name(refused, run, only):
    only.rename(only.with_name("step_0000000009"))
    assert "no checkpoint that verifies" in refused("sample", str(run))


def test_two_checkpoints_swapped(refused, run):
    folder = run / "checkpoints"
    newest, older = (folder / f"step_{step:010d}" for step in checkpoint.steps(folder))
    newest.rename(folder / "kept")
    older.rename(newest)
    (folder / "kept").rename(older)
    for command in COMMANDS:
        assert "no checkpoint that verifies" in refused(command[0], str(run), *command[1:], written=True)


@pytest.mark.parametrize("name", ["step_٠٠٠٠٠٠٠٠٠٩", "step_9999999999", "step_0000000009"])
def test_names_of_steps(run, only, name):
    shutil.copytree(only, only.with_name(name))
    perform("sample", str(run), "count=4")  # what is no checkpoint of that step is passed over
    assert list((run / "samples").glob("step_0000000003_*"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [forge.STATE, forge.META, forge.MANIFEST])
@pytest.mark.parametrize("kind", ["directory", "absent"])
def test_what_is_no_file(refused, run, only, name, kind):
    (only / name).unlink()
    if kind == "directory":
        (only / name).mkdir()
    assert "no checkpoint that verifies" in refused("sample", str(run))


def test_a_state_larger_than_the_memory_is_not_read(refused, run, only, monkeypatch):
    monkeypatch.setattr(checkpoint, "memory_bytes", lambda: 1000)
    assert "no checkpoint that verifies" in refused("sample", str(run))


@pytest.mark.parametrize("real_batches", [0, 2**53])
def test_counts_that_are_only_odd_go_on(run, only, real_batches):
    forge.put_meta(only, {**forge.meta(only), "real_batches": real_batches})
    perform("resume", str(run), "train.steps=4")
    assert checkpoint.steps(run / "checkpoints")[0] == 4


@pytest.mark.parametrize("sub", ["critic", "generator"])
def test_nan_slots_end_the_run_by_its_own_rule(run, only, sub):
    from gan_cli.errors import NonFiniteError

    nan = float("nan")
    put(only, {n: v * nan if n.startswith(f"optimizer/{sub}") else v for n, v in tensors(only).items()})
    with pytest.raises(NonFiniteError):
        perform("resume", str(run), "train.steps=6")
