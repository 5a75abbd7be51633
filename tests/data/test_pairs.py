"""Pictures in pairs: which belong together, what is read and what is written, and each mistake's line."""

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import CPU, error_of, take

from gan_cli.data import pairs
from gan_cli.data.loader import to_bytes
from gan_cli.data.pairs import Pairs
from gan_cli.data.unused import summary

SIDE = 16


def picture(seed, size=(SIDE, SIDE), channels=1):
    shape = (size[1], size[0]) if channels == 1 else (size[1], size[0], channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, *pictures):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(pictures, axis=1)).save(path)


def side_by_side(root, n=12, channels=1):
    """Write pictures A | B; A is picture 2 i, B is picture 2 i + 1."""
    for i in range(n):
        save(root / f"{i:02}.png", *(picture(2 * i + half, channels=channels) for half in (0, 1)))
    return {"path": str(root)}


def two_directories(root, n=12, channels=1, folder=""):
    for i in range(n):
        for half, name in enumerate("ab"):
            save(root / name / folder / f"{i:02}.png", picture(2 * i + half, channels=channels))
    return {"path": str(root / "a"), "path_b": str(root / "b")}


def opened(places, batch_size=4, **keys):
    return Pairs(SIDE, **places, **keys).open(batch_size, 0, CPU)


def as_pictures(x):
    """The bytes of each image (N, C, H, W) as a picture has them."""
    return [image.numpy().tobytes() for image in to_bytes(x.permute(0, 2, 3, 1))]


def known(n, half, channels=1):
    return {picture(2 * i + half, channels=channels).tobytes(): i for i in range(n)}


@pytest.mark.parametrize("write", [side_by_side, two_directories])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("direction", ["a_to_b", "b_to_a"])
def test_the_generator_reads_one_of_a_pair_and_writes_the_other(tmp_path, write, channels, direction):
    data = opened(write(tmp_path, channels=channels), direction=direction, holdout=2)
    shape = (channels, SIDE, SIDE)
    assert (data.shape, data.source_shape, data.class_names) == (shape, shape, None)
    assert (data.train.size, data.heldout.size) == (10, 2)
    read, written = (known(12, half, channels) for half in ((0, 1) if direction == "a_to_b" else (1, 0)))
    seen = set()
    for batch in (take(data.train, 0), take(data.train, 1), take(data.heldout, 0), data.fixed(10)):
        sources = [read[image] for image in as_pictures(batch.source)]
        assert sources == [written[image] for image in as_pictures(batch.x)]
        seen |= set(sources)
    assert len(seen) == 12


def test_both_layouts_and_both_ways_of_reading_give_the_same_batches(tmp_path):
    batches = [
        take(opened(places, resident=resident).train, k)
        for places in (side_by_side(tmp_path / "one"), two_directories(tmp_path / "two"))
        for resident in (True, False)
        for k in (0, 3)
    ]
    for again in (2, 4, 6):
        for k in (0, 1):
            assert torch.equal(batches[k].x, batches[again + k].x)
            assert torch.equal(batches[k].source, batches[again + k].source)


def test_the_direction_reads_what_is_prepared(tmp_path, monkeypatch):
    places = side_by_side(tmp_path)
    there = opened(places)
    monkeypatch.setattr(pairs, "read_upright", lambda *_: pytest.fail("decoded again"))
    back = opened(places, direction="b_to_a")
    a, b = take(there.train, 1), take(back.train, 1)
    assert torch.equal(a.x, b.source)
    assert torch.equal(a.source, b.x)


def test_names_match_without_their_endings_and_sub_folders_are_classes(tmp_path):
    places = {}
    for folder in ("cats", "dogs"):
        places = two_directories(tmp_path, n=6, folder=folder)
    for path in (tmp_path / "b").rglob("*.png"):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    data = opened(places)
    assert data.class_names == ("cats", "dogs")
    assert Pairs(SIDE, **places).expected_classes() == 2
    batch = take(data.train, 0)
    assert batch.y.shape == (4,)
    read, written = known(6, 0), known(6, 1)
    assert [read[x] for x in as_pictures(batch.source)] == [written[x] for x in as_pictures(batch.x)]


def test_colours_in_one_directory_make_both_of_three_channels(tmp_path):
    places = two_directories(tmp_path)
    for i in range(12):
        save(tmp_path / "b" / f"{i:02}.png", picture(i, channels=3))
    dataset = Pairs(SIDE, **places)
    assert dataset.expected_shape() == dataset.expected_source_shape() == (3, SIDE, SIDE)
    source = take(dataset.open(4, 0, CPU).train, 0).source
    assert torch.equal(source[:, 0], source[:, 2])


def test_both_of_a_pair_are_cropped_alike(tmp_path):
    """The wide pictures show their column in every pixel; the central square has columns 4 to 11."""
    columns = np.repeat(np.arange(16, dtype=np.uint8)[None], 8, axis=0)
    for i in range(4):
        save(tmp_path / f"{i}.png", columns, columns + 100)
    batch = take(Pairs(8, str(tmp_path)).open(2, 0, CPU).train, 0)
    expected = torch.arange(4, 12, dtype=torch.uint8).expand(2, 1, 8, 8)
    assert torch.equal(to_bytes(batch.source), expected)
    assert torch.equal(to_bytes(batch.x), expected + 100)


# ---- mistakes


def test_no_pairs(tmp_path):
    assert "dataset=pairs needs a directory of pictures of two halves" in error_of(Pairs(SIDE).expected_shape)
    assert "does not exist" in error_of(Pairs(SIDE, str(tmp_path / "absent")).expected_shape)
    (tmp_path / "empty").mkdir()
    assert "have no pictures" in error_of(Pairs(SIDE, str(tmp_path / "empty")).expected_shape)
    side_by_side(tmp_path / "a")
    for name, expected in (("absent", "does not exist"), ("empty", "have no pictures")):
        text = error_of(Pairs(SIDE, str(tmp_path / "a"), str(tmp_path / name)).expected_shape)
        assert text.startswith(f"dataset.path_b={tmp_path / name}")
        assert expected in text


def test_names_that_do_not_match(tmp_path):
    places = two_directories(tmp_path)
    (tmp_path / "a" / "03.png").unlink()
    (tmp_path / "b" / "05.png").rename(tmp_path / "b" / "5.png")
    text = error_of(Pairs(SIDE, **places).expected_shape)
    assert text.startswith(f"dataset.path={tmp_path / 'a'} and dataset.path_b={tmp_path / 'b'}: 3 of 23 pictures have ")
    assert text.endswith(f"the first is {tmp_path / 'a' / '05.png'}")


def test_two_pictures_of_one_name(tmp_path):
    places = two_directories(tmp_path)
    save(tmp_path / "b" / "07.bmp", picture(0))
    text = error_of(Pairs(SIDE, **places).expected_shape)
    assert text == f"{tmp_path / 'b'}: 07.bmp and 07.png have the same name, so their partner is unclear"


def test_what_is_wrong_with_a_pair_names_it_or_is_skipped(tmp_path):
    two = two_directories(tmp_path / "two")
    one = side_by_side(tmp_path / "one")
    first, partner = tmp_path / "two" / "a" / "04.png", tmp_path / "two" / "b" / "04.png"
    wide = tmp_path / "one" / "04.png"

    def check(places, path, expected):
        text = error_of(lambda: opened(places))
        assert text.startswith(f"{path}: {expected}")
        assert text.endswith("repair or remove it, or skip such pairs with dataset.skip_bad=true")
        data = opened(places, skip_bad=True)
        assert data.train.size + data.heldout.size == 11
        assert summary(data.unused).startswith(f"unreadable: 1, {path}: {expected}")

    save(wide, picture(0, (33, 16)))
    check(one, wide, "33 x 16 pixels: two pictures of equal width side by side need an even width")
    save(partner, picture(0, (20, 16)))
    check(two, first, f"16 x 16 pixels, and its partner {partner} has 20 x 16 pixels")
    partner.write_bytes(first.read_bytes()[:200])
    check(two, first, f"its partner {partner}: truncated")


def test_colours_that_come_late_are_refused(tmp_path):
    places = side_by_side(tmp_path, n=100)
    save(tmp_path / "01.png", picture(0, channels=3), picture(1, channels=3))
    assert "has colours, but the first pictures have none" in error_of(lambda: opened(places))
    assert opened(places, channels=1).shape == (1, SIDE, SIDE)
