"""A checkpoint from a stranger, every hash of it right."""

from __future__ import annotations

import os
import pickle
import shutil
import struct

import pytest
import safetensors.torch
import torch

from gan_cli.cli import main
from gan_cli.errors import NonFiniteError
from gan_cli.runs import checkpoint
from tests.hostile import forge
from tests.hostile.conftest import TRAIN, perform

COMMANDS = [("sample",), ("resume", "train.steps=4")]
NONE = "no checkpoint that verifies"
NAN = float("nan")
both = pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])


@pytest.fixture
def only(run):
    """The run's one checkpoint: what is refused cannot be passed over."""
    return forge.alone(run)


def tensors(path):
    return safetensors.torch.load((path / forge.STATE).read_bytes())


def put(path, changed):
    forge.put(path, forge.STATE, safetensors.torch.save(changed))


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.unlink, (str(self.path),))


@both
@pytest.mark.parametrize("kind", ["pickle", "torch", "old torch"])
def test_pickles_are_not_run(refused, run, only, canary, command, kind):
    state = only / forge.STATE
    if kind == "pickle":
        state.write_bytes(pickle.dumps(Canary(canary)))
    else:
        torch.save(Canary(canary), state, _use_new_zipfile_serialization=kind == "torch")
    forge.seal(only)
    assert NONE in refused(command[0], str(run), *command[1:], written=True)
    assert canary.read_text() == "alive"


def edited(edit):
    """A state whose header was edited as JSON."""

    def make(state):
        head, data = forge.header(state)
        edit(head[min(head)], head, len(data))
        return forge.state_of(head, data)

    return make


STATES = {
    "truncated": lambda s: s[:-1],
    "header of 2**63 bytes": lambda s: struct.pack("<Q", 2**63) + s[8:],
    "deep header": lambda s: forge.state_of(b'{"a":' * 100_000),
    "no tensors": lambda s: forge.state_of({}),
    "offset beyond the end": edited(lambda t, h, n: t.update(data_offsets=[0, n * 2])),
    "huge shape": edited(lambda t, h, n: t.update(shape=[2**31, 2**31, 2**31])),
    "huge shape of nothing": edited(lambda t, h, n: t.update(shape=[0, 2**62, 2**62], data_offsets=[0, 0])),
}


@pytest.mark.parametrize("kind", STATES)
def test_states_that_are_none(refused, run, only, kind):
    forge.put(only, forge.STATE, STATES[kind]((only / forge.STATE).read_bytes()))
    refused("sample", str(run))


def test_one_that_is_refused_is_passed_over_by_name(run, capsys):
    forge.put(run / "checkpoints" / "step_0000000003", forge.STATE, b"")
    perform("sample", str(run), "count=4")
    told = capsys.readouterr()
    assert "step_0000000003 is passed over: not a checkpoint" in told.err
    assert "step_0000000002_seed" in told.out


def each(part, change):
    """Change the tensors in whose names a part stands; None: leave them out."""
    changed = lambda found: ((n, change(v) if part in n else v) for n, v in found.items())  # noqa: E731
    return lambda found: {name: tensor for name, tensor in changed(found) if tensor is not None}


def more(name, *values, dtype=torch.float64):
    return lambda found: {**found, name: torch.tensor(values, dtype=dtype).squeeze()}


NAMED = {
    "a name that climbs": more("../../../outside/canary", 0, 0),
    "another shape": each("game/", lambda t: t[None]),
    "another type": each("game/", lambda t: t.double() if t.is_floating_point() else t),
    "NaN": each("game/", lambda t: t * NAN),
    "slot of another shape": each("/square_avg", lambda t: t[..., None]),
    "slot of another type": each("/square_avg", lambda t: t.half()),
    "slot missing": each("/square_avg", lambda t: None),
    "slot of another optimizer": lambda found: {n.replace("square_avg", "exp_avg"): t for n, t in found.items()},
    "slot of a parameter that is not there": more("optimizer/critic/99/step", 1),
    "slot of another digit": more("optimizer/critic/\u0663/step", 1),
    "slot of another player": more("optimizer/referee/0/step", 1),
    "average of another shape": more("averages/critic/loss", 0, 0, 0, 0),
    "average of NaN counts": more("averages/x", NAN, NAN, NAN),
    "average that climbs": more("averages/../../x", 1, 1, 1),
    "average of a control character": more("averages/a\x1b[2J", 1, 1, 1),
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


@pytest.fixture(scope="module")
def adafactor(tmp_path_factory):
    """A run whose optimizers' slots are in no table, and differ from parameter to parameter."""
    place = tmp_path_factory.mktemp("adafactor")
    (place / "optimizer").mkdir()
    block = "{_target_: torch.optim.Adafactor, lr: 1e-3}"
    (place / "optimizer" / "adafactor.yaml").write_text(f"lr: 1e-3\ncritic: {block}\ngenerator: {block}\n")
    assert main([*TRAIN, "--config-dir", str(place), "optimizer=adafactor", f"run_dir={place / 'run'}"]) == 0
    return place / "run"


@pytest.mark.parametrize(
    ("part", "change"),
    [("/row_var", lambda t: None), ("/step", lambda t: None), ("/variance", lambda t: t[..., None, None])],
)
def test_slots_that_the_first_step_cannot_take(refused, here, adafactor, part, change):
    run = shutil.copytree(adafactor, here / "run")
    only = forge.alone(run)
    saved = tensors(only)
    put(only, each(part, change)(saved))
    line = refused("resume", str(run), "train.steps=4", written=True)
    assert "does not fit the config beside it" in line
    assert ("the optimizer's first step from there failed" in line) == (part != "/step")
    put(only, saved)
    perform("resume", str(run), "train.steps=4")


METAS = [
    *([], {}, {"step": "3"}, {"step": True}, {"step": 2}, {"real_batches": 2**60}, {"real_batches": -1}),
    *({"critic_updates": None}, {"n_classes": 2**60}, {"sample_shape": [3, 10**9, 10**9]}, {"sample_shape": [0]}),
    *({"sample_shape": [True]}, {"sample_shape": "2"}, {"settings": []}, {"best": [1]}, b'{"step": 3, "x": NaN}'),
    *(b'{"step": ' + b"3" * 100_000 + b"}", b'{"step": 3, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    *(b'{"step": 3, "x": "' + b"x" * 2**21 + b'"}', b'{"step": 3, "x": "\\u0000"}'),
]


@pytest.mark.parametrize("given", METAS, ids=lambda given: repr(given)[:40])
def test_metas_of_wrong_types(refused, run, only, given):
    forge.put(only, forge.META, {**forge.meta(only), **given} if isinstance(given, dict) and given else given)
    for command in COMMANDS:
        assert NONE in refused(command[0], str(run), *command[1:], written=True)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shape", [[1], [3], [2**20], [3, 9000, 9000]])
def test_samples_of_another_shape(refused, run, only, shape):
    forge.put(only, forge.META, {**forge.meta(only), "sample_shape": shape})
    refused("sample", str(run))


MANIFESTS = {
    "list": lambda files: [],
    "climbs": lambda files: {forge.STATE: files[forge.STATE], "../../config.yaml": files[forge.META]},
    "size huge": lambda files: {**files, forge.META: {**files[forge.META], "bytes": 10**15}},
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_manifests_of_other_files(refused, run, only, kind):
    forge.seal(only, MANIFESTS[kind](forge.entries(only)))
    assert NONE in refused("sample", str(run))


@pytest.mark.parametrize("name", ["step_٠٠٠٠٠٠٠٠٠٩", "step_9999999999"])
def test_names_of_steps(run, only, name):
    shutil.copytree(only, only.with_name(name))
    perform("sample", str(run), "count=4")  # what is no checkpoint of that step is passed over
    assert list((run / "samples").glob("step_0000000003_*"))


def test_a_state_larger_than_the_memory_is_not_read(refused, run, only, monkeypatch):
    monkeypatch.setattr(checkpoint, "memory_bytes", lambda: 1000)
    assert NONE in refused("sample", str(run))


def test_counts_that_are_only_odd_go_on(run, only):
    forge.put(only, forge.META, {**forge.meta(only), "real_batches": 2**53})
    perform("resume", str(run), "train.steps=4")
    assert checkpoint.steps(run / "checkpoints")[0] == 4


def test_nan_slots_end_the_run_by_its_own_rule(run, only):
    put(only, each("optimizer/critic", lambda t: t * NAN)(tensors(only)))
    with pytest.raises(NonFiniteError):
        perform("resume", str(run), "train.steps=6")
