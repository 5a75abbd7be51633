"""Samples that Python gives: what they may be, and the same batches as from a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import Dataset, TensorDataset

from gan_cli.data.array_set import as_arrays
from gan_cli.data.in_memory import InMemory
from gan_cli.data.loader import to_float
from gan_cli.errors import UserError

CPU = torch.device("cpu")
BYTES = torch.arange(40 * 3 * 4 * 4).remainder(251).to(torch.uint8).view(40, 3, 4, 4)
FLOATS = to_float(BYTES)
Y = torch.arange(40) % 4


def opened(data, batch_size=8, seed=0, **keys):
    found = InMemory(**keys)
    found.given = as_arrays(data)
    return found.open(batch_size, seed, CPU)


class Items(Dataset):
    classes = ("a", "b", "c", "d")

    def __len__(self):
        return 40

    def __getitem__(self, i):
        return FLOATS[i], int(Y[i])


@pytest.mark.parametrize("resident", [True, False])
def test_floats_train_on_the_batches_of_the_same_bytes(resident):
    bytes_, floats = (opened(x, resident=resident) for x in (BYTES, FLOATS))
    for k in (0, 3, 7):
        batch = floats.train.batch(*floats.train.draw(k))
        assert batch.y is None
        assert_close(batch.x, bytes_.train.batch(*bytes_.train.draw(k)).x, rtol=0, atol=0)
    assert floats.shape == (3, 4, 4)
    assert (floats.train.size, floats.heldout.size) == (38, 2)


def test_every_way_to_give_the_same_images():
    usual = as_arrays(FLOATS).x
    pairs = [(FLOATS.numpy(), None), (FLOATS.numpy().transpose(0, 2, 3, 1), None), (FLOATS.double(), None)]
    pairs += [((FLOATS, Y), Y), (TensorDataset(FLOATS, Y), Y), (Items(), Y), (TensorDataset(FLOATS), None)]
    for given, labels in pairs:
        found = as_arrays(given)
        np.testing.assert_array_equal(found.x, usual)
        assert found.x.dtype == np.float32
        assert (found.labels is None) == (labels is None)
    assert as_arrays(BYTES).x.dtype == np.uint8
    assert as_arrays(BYTES[:, 0]).x.shape == (40, 1, 4, 4)
    assert as_arrays((FLOATS, Y)).class_names == ("0", "1", "2", "3")
    assert as_arrays(Items()).class_names == ("a", "b", "c", "d")
    assert as_arrays(torch.arange(10).view(5, 2)).x.dtype == np.float32


@pytest.mark.parametrize("resident", [True, False])
def test_16_bits_and_other_channels(resident):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 5, 8, 12)).astype(np.uint16)
    for given in (deep, deep.transpose(0, 2, 3, 1), torch.from_numpy(deep)):
        found = as_arrays(given).x
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, deep)
    data = opened(deep, resident=resident)
    assert data.shape == (5, 8, 12)
    batch = data.train.batch(*data.train.draw(2)).x
    stored = ((batch.double() + 1) * 32767.5).round().flatten(1).tolist()
    assert all(image in deep.reshape(40, -1).astype(float).tolist() for image in stored)


def test_labels_follow_their_samples():
    data = opened((FLOATS, Y), classes=[2, 0])
    batch = data.train.batch(*data.train.draw(0))
    assert data.class_names == ("2", "0")
    where = [(x == FLOATS).flatten(1).all(dim=1).nonzero().item() for x in batch.x]
    assert [(2, 0)[label] for label in batch.y] == Y[where].tolist()


def test_the_fingerprint_is_that_of_the_content():
    usual = opened((FLOATS, Y)).fingerprint
    assert usual == opened((FLOATS.clone(), Y), seed=3, batch_size=2).fingerprint
    assert usual == opened(TensorDataset(FLOATS, Y)).fingerprint
    changed = FLOATS.clone()
    changed[17, 1, 2, 3] += 1e-6
    others = [opened(data).fingerprint for data in ((changed, Y), (FLOATS, Y.flip(0)), FLOATS, BYTES)]
    assert len({usual, *others}) == 5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (FLOATS / 2 + 0.5, "floating-point images must be in [-1, 1]: give 2 * x - 1"),
        (BYTES.float(), "floating-point images must be in [-1, 1]: give uint8, or x / 127.5 - 1"),
        (BYTES.long(), "they must be uint8, uint16, or floating-point in [-1, 1]"),
        (torch.full((9, 2), float("nan")), "some of their values are not finite"),
        (torch.zeros(5, 17, 18, 18), "images (N, C, H, W) or (N, H, W, C) with 1 to 16 channels, or points (N, D)"),
        (torch.zeros(5), "images (N, C, H, W) or (N, H, W, C) with 1 to 16 channels, or points (N, D)"),
        (np.array([["a"]]), "they must be numbers"),
        ((FLOATS, Y[:-1]), "the labels are int64 (39,); they must be whole numbers from 0, one for each of the 40"),
        ((FLOATS, Y - 1), "they must be whole numbers from 0"),
        ((FLOATS, Y.float()), "they must be whole numbers from 0"),
        ([], "dataset=list: it is empty"),
        ([torch.zeros(1, 4, 4), torch.zeros(1, 4, 5)], "item 0 has the shape (1, 4, 4) and item 1 (1, 4, 5)"),
        (7, "dataset=int: must be a tensor or an array of samples"),
    ],
)
def test_what_is_refused(data, message):
    with pytest.raises(UserError) as caught:
        as_arrays(data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_few_and_none():
    with pytest.raises(UserError, match=r"fewer than train\.batch_size=64"):
        opened(FLOATS, 64)
    with pytest.raises(UserError, match="give them again"):
        InMemory().expected_shape()
