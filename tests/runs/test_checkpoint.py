import json
import os
import random

import pytest
import torch
from torch.testing import assert_close

from gan_cli.core.files import Tally
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, checkpoint_files

TENSORS = {"game/w": torch.randn(3, 4), "n": torch.tensor(7), "h": torch.randn(2, 5).bfloat16()}


def save(folder, step, keep=2, tensors=TENSORS):
    return checkpoint.save(folder, step, tensors, {"step": step}, keep)


def load(folder, step=None):
    warnings = []
    return checkpoint.load(folder, warnings.append, step), warnings


def test_round_trip_bit_for_bit(tmp_path):
    save(tmp_path, 5)
    found, warnings = load(tmp_path)
    assert found.meta == {"step": 5}
    assert_close(found.tensors, TENSORS, rtol=0, atol=0)
    assert warnings == []


def test_a_channels_last_tensor_keeps_its_values(tmp_path):
    weight = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    save(tmp_path, 1, tensors={"w": weight})
    assert_close(load(tmp_path)[0].tensors["w"], weight.contiguous(), rtol=0, atol=0)


def test_the_newest_are_kept(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, step, keep=2)
    assert checkpoint.steps(tmp_path) == [3, 2]
    assert load(tmp_path, 2)[0].meta == {"step": 2}
    with pytest.raises(UserError, match="no checkpoint of step 1; it has 3, 2"):
        load(tmp_path, 1)


def test_any_corruption_is_found_and_the_older_checkpoint_serves(tmp_path):
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    files = {path: path.read_bytes() for path in newest.iterdir()}
    rng = random.Random(0)
    for trial in range(420):
        path, content = rng.choice(sorted(files.items()))
        kind = trial % 4
        if kind == 0:  # a flipped bit
            place = rng.randrange(len(content))
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :])
        elif kind == 1:
            path.write_bytes(content[: rng.randrange(len(content))])
        elif kind == 2:
            path.unlink()
        else:
            other = rng.choice([p for p in files if p != path])
            path.write_bytes(files[other])
        found, warnings = load(tmp_path)
        assert found.meta == {"step": 1}, (trial, path.name)
        assert len(warnings) == 1
        assert str(newest) in warnings[0]
        path.write_bytes(content)
    assert load(tmp_path)[0].meta == {"step": 2}


def test_nothing_that_verifies_is_refused(tmp_path):
    with pytest.raises(UserError, match="no checkpoint yet"):
        load(tmp_path)
    (save(tmp_path, 1) / "state.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="no intact checkpoint"):
        load(tmp_path)


def test_a_failed_write_leaves_the_older_ones(tmp_path, monkeypatch):
    save(tmp_path, 1)

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            save(tmp_path, 2)
    assert checkpoint.steps(tmp_path) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["step_0000000001"]


def test_a_pickle_under_the_states_name_is_not_run(tmp_path):
    canary = tmp_path / "canary"
    path = save(tmp_path / "checkpoints", 1)

    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(canary),))

    torch.save(Attack(), path / "state.safetensors")
    content = (path / "state.safetensors").read_bytes()
    manifest = json.loads((path / "MANIFEST.json").read_text())
    manifest["files"]["state.safetensors"] = Tally([content]).content
    (path / "MANIFEST.json").write_bytes(checkpoint_files.manifest(manifest["files"]))
    with pytest.raises(UserError, match="no intact checkpoint"):
        load(tmp_path / "checkpoints")
    assert not canary.exists()
