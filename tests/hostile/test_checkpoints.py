"""A checkpoint from a stranger, every hash of it right."""

from __future__ import annotations

import shutil

import pytest
import safetensors.torch
import torch

from gan_cli.cli import main
from gan_cli.errors import NonFiniteError
from gan_cli.runs import checkpoint_files
from tests.hostile import forge
from tests.hostile.conftest import RESUME, TRAIN, perform

NONE, UNFIT = "no intact checkpoint", "does not fit the config beside it"
NAN = float("nan")


@pytest.fixture
def only(run):
    """The run's one checkpoint: what is refused cannot be skipped."""
    return forge.alone(run)


def edited(**changes):
    """A state whose first tensor is described otherwise."""

    def make(state):
        head, data = forge.header(state)
        head[min(head)].update(changes)
        return forge.state_of(head, data)

    return make


FORGED = [  # the state, or the meta
    (forge.STATE, lambda state: (2**63).to_bytes(8, "little") + state[8:]),
    (forge.STATE, lambda state: forge.state_of(b'{"a":' * 100_000)),
    (forge.STATE, edited(data_offsets=[0, 10**9])),
    (forge.STATE, edited(shape=[0, 2**62, 2**62], data_offsets=[0, 0])),
    (forge.META, lambda meta: b"[]"),
    (forge.META, lambda meta: meta.replace(b'"step": 3', b'"step": 2')),
    (forge.META, lambda meta: meta.replace(b'"real_batches": ', b'"real_batches": -')),
    (forge.META, lambda meta: meta.replace(b'"sample_shape": [', b'"sample_shape": [1000000000, 1000000000,')),
    (forge.META, lambda meta: b'{"settings": [], ' + meta.replace(b'"settings"', b'"x"')[1:]),
    (forge.META, lambda meta: b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b", " + meta[1:]),
    (forge.META, lambda meta: b'{"x": "' + b"x" * 2**24 + b'", ' + meta[1:]),
]


@pytest.mark.parametrize(("name", "change"), FORGED)
def test_what_is_no_state_or_meta(both, only, name, change):
    content = (only / name).read_bytes()
    assert change(content) != content
    forge.put(only, name, change(content))
    assert all(NONE in line for line in both(written=True))


def test_manifests_of_other_files_and_a_state_larger_than_the_memory(refused, run, only, monkeypatch):
    for wrong in (lambda files: [], lambda files: {forge.STATE: files[forge.STATE], "../../x": files[forge.META]}):
        forge.seal(only, wrong)
        assert NONE in refused("sample", run)
    forge.seal(only)
    monkeypatch.setattr(checkpoint_files, "memory_bytes", lambda: 1000)
    assert NONE in refused("sample", run)


def test_what_is_no_checkpoint_of_the_step_in_its_name_is_passed_over_by_name(run, capsys):
    newest = run / "checkpoints" / "step_0000000003"
    for name in ("step_٠٠٠٠٠٠٠٠٠٩", "step_9999999999"):
        shutil.copytree(newest, newest.with_name(name))
    forge.put(newest, forge.STATE, b"")
    perform("sample", run, "count=4")
    printed = capsys.readouterr()
    assert "step_9999999999 is skipped" in printed.err
    assert "step_0000000003 is skipped: not a checkpoint" in printed.err
    assert "step_0000000002_seed" in printed.out


def rewritten(path, change):
    """Change the tensors of a checkpoint; returns those that it had."""
    found = safetensors.torch.load((path / forge.STATE).read_bytes())
    forge.put(path, forge.STATE, safetensors.torch.save(change(found)))
    return found


def each(part, change):
    """Change the tensors in whose names a part stands; None: leave them out."""
    return lambda found: {n: new for n, t in found.items() if (new := change(t) if part in n else t) is not None}


def more(name, *values):
    return lambda found: {**found, name: torch.tensor(values, dtype=torch.float64).squeeze()}


UNFITTING = {
    "a name that climbs": more("../../../outside/canary", 0, 0),
    "another shape": each("game/", lambda t: t[None]),
    "another type": each("game/", lambda t: t.double() if t.is_floating_point() else t),
    "NaN": each("game/", lambda t: t * NAN),
    "slot missing": each("/square_avg", lambda t: None),
    "slot of a parameter that is not there": more("optimizer/critic/99/step", 1),
    "average of another shape": more("averages/critic/loss", 0, 0, 0, 0),
    "average of a control character": more("averages/a\x1b[2J", 1, 1, 1),
    "averages without end": lambda t: t | {f"averages/{i}": torch.ones(3, dtype=torch.float64) for i in range(2000)},
}


@pytest.mark.parametrize("kind", UNFITTING)
def test_tensors_that_this_run_cannot_have(both, run, only, kind):
    rewritten(only, UNFITTING[kind])
    metrics = (run / "metrics.jsonl").read_bytes()
    assert all(UNFIT in line and len(line) < 700 for line in both(written=True))
    assert (run / "metrics.jsonl").read_bytes() == metrics


def test_slots_that_the_first_step_cannot_take(refused, here):
    """Adafactor's are in no table, and differ from parameter to parameter."""
    (here / "optimizer").mkdir()
    block = "{_target_: torch.optim.Adafactor, lr: 1e-3}"
    (here / "optimizer" / "adafactor.yaml").write_text(f"lr: 1e-3\ncritic: {block}\ngenerator: {block}\n")
    assert main([*TRAIN, "--config-dir", ".", "optimizer=adafactor", "run_dir=run"]) == 0
    only = forge.alone(here / "run")
    for part, change in (("/row_var", lambda t: None), ("/variance", lambda t: t[..., None, None])):
        saved = rewritten(only, each(part, change))
        line = refused(RESUME[0], "run", RESUME[1], written=True)
        assert f"{UNFIT}: the optimizer's first step from there failed" in line
        rewritten(only, lambda changed, saved=saved: saved)
    perform(RESUME[0], "run", RESUME[1])


def test_nan_slots_end_the_run_by_its_own_rule(run, only):
    rewritten(only, each("optimizer/critic", lambda t: t * NAN))
    with pytest.raises(NonFiniteError):
        perform("resume", run, "train.steps=6")
