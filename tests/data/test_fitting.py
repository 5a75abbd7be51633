"""Images of other shapes than the wanted one: cropped, padded or stretched, and what a run reports of it."""

import numpy as np
import pytest
from PIL import Image
from small_sets import CPU, take

from gan_cli.data.collection import resize
from gan_cli.data.fitting import cropped, note, padded
from gan_cli.data.folder import Folder
from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.pictures import header_of, read_picture
from gan_cli.data.stacked import Stacked

BLACK, GREEN = (0, 0, 0), (0, 200, 0)


@pytest.mark.parametrize("wanted", [(16, 16), (8, 24), (24, 8), (16, 31)])
@pytest.mark.parametrize("size", [(16, 16), (48, 96), (96, 48), (20, 21), (9, 200)])
def test_the_cropped_part_has_the_shape_and_the_padded_whole_lies_within(size, wanted):
    height, width = cropped(size, wanted)
    assert height / width == pytest.approx(wanted[0] / wanted[1])
    assert (height, width) <= size
    assert height == size[0] or width == size[1]
    height, width = padded(size, wanted)
    assert height == wanted[0] or width == wanted[1]
    assert height <= wanted[0]
    assert width <= wanted[1]
    assert abs(height * size[1] - width * size[0]) <= max(size)  # the ratio of the sides, to a pixel


def picture(tmp_path, pixels, shape, fit, background=BLACK, **keys):
    path = tmp_path / "one.png"
    Image.fromarray(pixels).save(path)
    with open(path, "rb") as file:
        return read_picture(file, shape, background, fit=fit, **keys)


def thirds(height, width, channels):
    """Three stripes from left to right: 60, 120, 180."""
    stripes = np.repeat(np.array([60, 120, 180], np.uint8), width // 3)
    pixels = np.broadcast_to(stripes, (height, width))
    return np.repeat(pixels[..., None], 3, axis=2) if channels == 3 else np.ascontiguousarray(pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_each_fit_makes_of_a_wide_picture(tmp_path, channels):
    pixels = thirds(32, 96, channels)

    def files(fit):
        return picture(tmp_path, pixels, (channels, 32, 32), fit)

    def arrays(fit):
        return resize(np.atleast_3d(pixels).transpose(2, 0, 1)[None].copy(), (32, 32), fit)[0]

    for made in (files, arrays):
        assert set(made("crop").flatten().tolist()) == {120}
        stretched = made("stretch")[0, 16]
        assert stretched[[4, 16, 28]].tolist() == [60, 120, 180]
        whole = made("pad")
        assert (whole[:, :10] == 0).all()
        assert (whole[:, 22:] == 0).all()
        assert (whole[:, 10, [4, 16, 28]] == [60, 120, 180]).all()


def test_padding_has_the_colour_of_the_background(tmp_path):
    grey, colour = thirds(8, 24, 1), thirds(8, 24, 3)
    assert picture(tmp_path, colour, (3, 24, 24), "pad", GREEN)[:, 0, 0].tolist() == [0, 200, 0]
    assert picture(tmp_path, grey, (3, 24, 24), "pad", GREEN)[:, 0, 0].tolist() == [0, 200, 0]
    assert picture(tmp_path, grey, (1, 24, 24), "pad", GREEN)[0, 0, 0] == round(0.587 * 200)
    deep = thirds(8, 24, 1).astype(np.uint16) * 257
    assert picture(tmp_path, deep, (1, 24, 24), "pad", GREEN)[0, 0, 0] == round(0.587 * 200)
    assert (picture(tmp_path, deep, (1, 24, 24), "pad")[0, 8:16] == grey).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_of_the_wanted_size_is_kept_byte_for_byte(tmp_path, fit):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    expected = pixels.transpose(2, 0, 1)
    np.testing.assert_array_equal(picture(tmp_path, pixels, (3, 24, 40), fit), expected)
    np.testing.assert_array_equal(resize(expected[None], (24, 40), fit)[0], expected)


def test_rectangles_of_every_kind_of_set(tmp_path):
    for i in range(8):
        Image.fromarray(thirds(30, 60, 3)).save(tmp_path / f"{i}.png")
    sets = {
        (3, 24, 40): Folder([24, 40], str(tmp_path), holdout=2),
        (1, 32, 48): FashionMNIST10k((32, 48), limit=20, fit="pad"),
        (3, 16, 8): Stacked("fashion_mnist_10k", (16, 8), limit=20),
    }
    for shape, dataset in sets.items():
        assert dataset.expected_shape() == shape
        data = dataset.open(4, 0, CPU)
        assert data.shape == shape
        assert take(data.train, 0).x.shape == (4, *shape)


def test_each_fit_is_prepared_and_known_by_itself(tmp_path):
    for i in range(8):
        Image.fromarray(thirds(16, 48, 3)).save(tmp_path / f"{i}.png")
    found = {fit: Folder(16, str(tmp_path), fit=fit).open(4, 0, CPU).fingerprint for fit in ("crop", "pad", "stretch")}
    assert len(set(found.values())) == 3
    for fit, fingerprint in found.items():
        assert Folder(16, str(tmp_path), fit=fit).open(4, 0, CPU).fingerprint == fingerprint


# ---- what is reported


def test_what_is_lost_is_told_and_nothing_else(tmp_path):
    def message(**keys):
        return Folder(**{"image_size": 16, "path": str(tmp_path), **keys}).open(4, 0, CPU).notes

    for i in range(8):
        Image.fromarray(thirds(16, 48, 3)).save(tmp_path / f"{i}.png")
    assert message(image_size=(16, 48)) == message(image_size=(8, 24)) == ()
    for _ in range(2):  # prepared, then found
        assert message() == (
            "dataset.fit=crop: pictures of 16 x 48 are cut to their centre: 67% of their area is lost; dataset.fit=pad "
            "or stretch keeps it",
        )
    assert message(fit="pad") == (
        "dataset.fit=pad: pictures of 16 x 48 do not fill the image: 67% of the image is background",
    )
    assert message(fit="stretch") == (
        "dataset.fit=stretch: pictures of 16 x 48 are stretched: the ratio of their sides changes 3.00 times",
    )
    Image.fromarray(thirds(16, 15, 3)[:15]).save(tmp_path / "square.png")
    Image.fromarray(thirds(48, 24, 3)).save(tmp_path / "tall.png")
    assert message() == (
        "dataset.fit=crop: 9 of 10 pictures looked at are cut to their centre: 65% of their area on average, 67% at "
        "most, is lost; dataset.fit=pad or stretch keeps it",
    )


def test_a_picture_that_exif_turns_is_told_as_it_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(4):
        Image.fromarray(thirds(16, 48, 3)).save(tmp_path / f"{i}.png", exif=exif)
    (text,) = Folder(16, str(tmp_path)).open(2, 0, CPU).notes
    assert "pictures of 48 x 16" in text
    assert Folder((48, 16), str(tmp_path)).open(2, 0, CPU).notes == ()


def test_damaged_exif_hides_nothing_else(tmp_path, monkeypatch):
    Image.fromarray(thirds(16, 48, 3)).save(tmp_path / "one.png")

    def damaged(image):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", damaged)
    with open(tmp_path / "one.png", "rb") as file:
        assert header_of(file) == ((16, 48), True, False)


def test_arrays_are_told_too_and_a_row_of_pixels_is_not():
    assert FashionMNIST10k(32, limit=20).open(4, 0, CPU).notes == ()
    (text,) = FashionMNIST10k((16, 32), limit=20).open(4, 0, CPU).notes
    assert text.startswith("dataset.fit=crop: pictures of 28 x 28 are cut to their centre: 50% of their area is lost")
    assert note([(500, 501)], (64, 64), "crop") is None
    assert note([(500, 510)], (64, 64), "crop") is not None


def test_a_run_tells_it_in_its_log_and_on_the_screen(gan, tmp_path):
    for i in range(12):
        Image.fromarray(thirds(16, 48, 3)).save(tmp_path / f"{i}.png")
    words = (f"dataset.path={tmp_path}", "dataset=folder", "dataset.image_size=16", "model.width=2", "latent.size=3")
    ended = gan("train", *words, "train.steps=1", "train.batch_size=4", "runtime=cpu", "run_dir=run")
    assert ended.code == 0, ended.err
    expected = "dataset.fit=crop: pictures of 16 x 48 are cut to their centre: 67% of their area is lost"
    assert expected in (tmp_path / "run" / "train.log").read_text()
    assert expected in ended.err + ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.image_size=[16]"], "dataset.image_size"),
        (["dataset.image_size=[4,16]"], "dataset.image_size"),
        (["dataset.image_size=[16,32,3]"], "dataset.image_size"),
        (["dataset.image_size=7"], "dataset.image_size"),
        (["dataset.fit=squeeze"], "dataset.fit=squeeze"),
    ],
)
def test_wrong_sizes_are_refused(refused, words, message):
    assert refused("train", *words).startswith(message)
