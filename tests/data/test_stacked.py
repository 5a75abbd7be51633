"""Three greyscale images in the channels of one, and limits a class."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import CPU, error_of, take, write_idx
from torch.testing import assert_close

from gan_cli.data.images import MNIST
from gan_cli.data.loader import Mapped
from gan_cli.data.stacked import Stacked


@pytest.fixture
def files(tmp_path):
    images, _ = write_idx(tmp_path / "mnist")
    return tmp_path / "mnist", images


def opened(files, seed=0, batch_size=16, **keys):
    return Stacked("mnist", 28, str(files[0]), **keys).open(batch_size, seed, CPU)


def test_each_channel_is_an_image_of_the_set_and_the_class_counts_in_tens(files):
    data = opened(files, holdout=20)
    labels = {image.tobytes(): i % 10 for i, image in enumerate(files[1])}
    assert data.shape == (3, 28, 28) == Stacked("mnist", 28).expected_shape()
    assert len(data.class_names) == 1000 == Stacked("mnist", 28).expected_classes()
    assert data.class_names[357] == "3 5 7"
    batch = take(data.train, 3)
    assert batch.x.shape == (16, 3, 28, 28)
    for x, y in zip(((batch.x + 1) * 127.5).round().byte().numpy(), batch.y.tolist(), strict=True):
        a, b, c = (labels[channel.tobytes()] for channel in x)
        assert y == 100 * a + 10 * b + c


def test_pictures_of_few_images_are_of_different_ones(files):
    batch = opened(files, limit=16, holdout=20).fixed(16)
    alike = (batch.x[:, 0] == batch.x[:, 1]).flatten(1).all(1) & (batch.x[:, 0] == batch.x[:, 2]).flatten(1).all(1)
    assert alike.sum() < 4
    a, b, c = batch.y // 100, batch.y // 10 % 10, batch.y % 10
    assert ((a != b) | (b != c)).sum() > 8


def test_held_out_triples_are_of_held_out_images(files):
    data = opened(files, holdout=20)
    seen = {}
    for part in ("train", "heldout"):
        batches = [take(getattr(data, part), k).x for k in range(40)]
        seen[part] = {channel.numpy().tobytes() for batch in batches for x in batch for channel in x}
    assert len(seen["heldout"]) == 20
    assert len(seen["train"]) > 170
    assert not seen["train"] & seen["heldout"]


def test_a_batch_depends_on_seed_and_index_alone(files):
    first = take(opened(files).train, 7)
    other = opened(files)
    for k in (0, 3, 7):
        again = take(other.train, k)
    assert_close(again, first, rtol=0, atol=0)
    assert not torch.equal(take(opened(files, seed=1).train, 7).x, first.x)
    assert not torch.equal(take(other.train, 8).x, first.x)
    assert not torch.equal(again.x[:, 0], again.x[:, 1])  # the channels are drawn independently


def test_mapped_batches_are_the_resident_ones(files, user_directory):
    resident, mapped = opened(files), opened(files, resident=False)
    assert isinstance(mapped.train._grey, Mapped)
    for k in (0, 1, 5):
        assert_close(take(mapped.train, k), take(resident.train, k), rtol=0, atol=0)
        assert_close(take(mapped.heldout, k), take(resident.heldout, k), rtol=0, atol=0)
    assert_close(mapped.fixed(5), resident.fixed(5), rtol=0, atol=0)
    assert mapped.fingerprint == resident.fingerprint
    assert resident.fingerprint != MNIST(28, str(files[0])).open(16, 0, CPU).fingerprint


def test_classes_are_those_of_the_greyscale_images(files):
    data = opened(files, classes=[3, 7])
    assert data.class_names == ("3 3 3", "3 3 7", "3 7 3", "3 7 7", "7 3 3", "7 3 7", "7 7 3", "7 7 7")
    assert Stacked("mnist", 28, classes=[3, 7]).expected_classes() == 8
    assert set(torch.cat([take(data.train, k).y for k in range(9)]).tolist()) == set(range(8))


def test_modes_are_about_equally_likely():
    data = Stacked("fashion_mnist_10k", 8, classes=[0, 1], limit=400).open(256, 0, CPU)
    counts = torch.cat([take(data.train, k).y for k in range(16)]).bincount(minlength=8)
    assert counts.sum() == 4096
    assert counts.min() > 400


@pytest.mark.parametrize("flat", [True, False])
def test_a_folder_may_be_stacked(tmp_path, flat):
    for i in range(12):
        path = tmp_path / "p" / ("" if flat else "ab"[i % 2]) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * i, dtype=np.uint8)).save(path)
    dataset = Stacked("folder", 8, str(tmp_path / "p"))
    data = dataset.open(4, 0, CPU)
    assert dataset.expected_classes() == (0 if flat else 8) == len(data.class_names or ())
    batch = take(data.train, 0)
    assert batch.x.shape == (4, 3, 8, 8)
    assert (batch.y is None) == flat


def test_a_folder_that_is_not_there():
    assert "dataset.path=DIRECTORY" in error_of(lambda: Stacked("folder", 8).expected_shape())


# ---- limits a class


def test_limits_make_classes_rare(files):
    whole = MNIST(28, str(files[0]), holdout=20).open(8, 0, CPU)
    data = MNIST(28, str(files[0]), holdout=20, limit={"3": 5, "7": 1}).open(8, 0, CPU)
    counts = data.train._labels.bincount(minlength=10)
    expected = whole.train._labels.bincount(minlength=10)
    expected[3], expected[7] = 5, 1
    assert counts.tolist() == expected.tolist()
    assert_close(data.heldout._images, whole.heldout._images, rtol=0, atol=0)  # no limit moves the held-out part


def test_a_smaller_limit_is_a_subset_of_a_larger_one(files):
    def kept(n):
        data = MNIST(28, str(files[0]), limit={"3": n}).open(8, 0, CPU)
        return {x.numpy().tobytes() for x in data.train._images[data.train._labels == 3]}

    assert kept(2) < kept(6)


def test_limits_beside_classes_count_in_the_sets_own_numbers(files):
    data = MNIST(28, str(files[0]), classes=["7", "3"], limit={"3": 4}).open(8, 0, CPU)
    assert data.train._labels.bincount().tolist()[1] == 4
    assert data.train._labels.bincount().tolist()[0] > 4


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"limit": {"eleven": 3}}, "dataset.limit={eleven:3}: there is no class eleven; classes: 0, 1, 2"),
        ({"limit": {"12": 3}}, "there is no class 12"),
        ({"limit": {"4": 3}, "classes": [1, 2]}, "dataset.limit={4:3}: 4 is not in dataset.classes"),
    ],
)
def test_a_limit_on_what_is_not_there(files, keys, expected):
    assert expected in error_of(lambda: MNIST(28, str(files[0]), **keys).open(8, 0, CPU))


def test_a_limit_a_class_needs_labels(tmp_path):
    for i in range(12):
        Image.fromarray(np.full((8, 8), 20 * i, dtype=np.uint8)).save(tmp_path / f"{i}.png")
    text = error_of(lambda: Stacked("folder", 8, str(tmp_path), limit={"a": 1}).open(2, 0, CPU))
    assert "these images have no class labels; use dataset.limit=NUMBER, or null" in text


def test_limits_on_the_command_line(config_of):
    config = config_of("dataset.limit={Dress:100,4:10}")
    assert config.dataset.arguments["limit"] == {"Dress": 100, "4": 10}
    for wrong in ("dataset.limit={Dress:0}", "dataset.limit=few", "dataset.limit=0"):
        text = error_of(lambda wrong=wrong: config_of(wrong))
        assert text.startswith("dataset.limit=")
