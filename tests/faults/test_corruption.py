"""Files of a checkpoint that were truncated, flipped, swapped, renamed or lost: none is ever taken for what it was."""

from __future__ import annotations

import random
import shutil

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint

FILES = ("state.safetensors", "meta.json", "MANIFEST.json")
EACH = 70


def saved(folder, step):
    generator = torch.Generator().manual_seed(step)
    tensors = {"game/w": torch.randn(5, 7, generator=generator), "n": torch.tensor(step)}
    checkpoint.save(folder, step, tensors, {"step": step, "real_batches": 5 * step}, keep=9)
    return tensors


def flipped(path, rng, other):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def truncated(path, rng, other):
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def lengthened(path, rng, other):
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 50)))


def zeroed(path, rng, other):
    content = bytearray(path.read_bytes())
    start = rng.randrange(len(content))
    block = content[start : start + 64]
    content[start : start + 64] = bytes(len(block)) if any(block) else b"\1" * len(block)
    path.write_bytes(content)


def missing(path, rng, other):
    path.unlink()


def swapped(path, rng, other):
    here = rng.choice([path.with_name(name) for name in FILES if name != path.name])
    contents = path.read_bytes(), here.read_bytes()
    path.write_bytes(contents[1])
    here.write_bytes(contents[0])


def swapped_with_another_checkpoint(path, rng, other):
    path.write_bytes((other / path.name).read_bytes())


def two_of_another_checkpoint(path, rng, other):
    for name in FILES:
        if name != path.name:
            (path.parent / name).write_bytes((other / name).read_bytes())


@pytest.mark.parametrize(
    "corrupt",
    [
        flipped,
        truncated,
        lengthened,
        zeroed,
        missing,
        swapped,
        swapped_with_another_checkpoint,
        two_of_another_checkpoint,
    ],
)
def test_every_corruption_is_found_and_the_older_one_serves(tmp_path, tally, corrupt):
    rng = random.Random(corrupt.__name__)
    pristine = tmp_path / "pristine"
    older = saved(pristine, 1)
    saved(pristine, 2)
    for trial in range(EACH):
        with tally("corrupt checkpoint: flipped, cut, longer, zeroed, missing, swapped"):
            folder = tmp_path / f"trial_{trial}"
            shutil.copytree(pristine, folder)
            newest = folder / "step_0000000002"
            corrupt(newest / rng.choice(FILES), rng, folder / "step_0000000001")
            warnings = []
            found = checkpoint.load(folder, warnings.append)
            assert found.meta["step"] == 1, warnings
            assert {name: t.tolist() for name, t in found.tensors.items()} == {n: t.tolist() for n, t in older.items()}
            assert len(warnings) == 1
            assert str(newest) in warnings[0]
            with pytest.raises(UserError, match="is damaged"):
                checkpoint.load(folder, warnings.append, 2)


@pytest.mark.parametrize("to", [0, 2, 7, 9_999_999_999])
def test_a_checkpoint_under_another_steps_name_is_found(tmp_path, tally, to):
    with tally("corrupt checkpoint: renamed to another step"):
        saved(tmp_path, 1)
        saved(tmp_path, 5)
        (tmp_path / "step_0000000005").rename(tmp_path / f"step_{to:010d}")
        warnings = []
        assert checkpoint.load(tmp_path, warnings.append).meta["step"] == 1
        assert len(warnings) == (to > 1)
        with pytest.raises(UserError, match="is damaged"):
            checkpoint.load(tmp_path, warnings.append, to)


def test_two_checkpoints_under_each_others_names(tmp_path, tally):
    with tally("corrupt checkpoint: renamed to another step"):
        for step in (1, 4, 5):
            saved(tmp_path, step)
        four, five, aside = (tmp_path / name for name in ("step_0000000004", "step_0000000005", "aside"))
        four.rename(aside)
        five.rename(four)
        aside.rename(five)
        warnings = []
        assert checkpoint.load(tmp_path, warnings.append).meta["step"] == 1
        assert len(warnings) == 2
