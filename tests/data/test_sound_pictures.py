"""Pictures that are sound, and were taken for something else: large texts, transparency on a colour, sub-folders."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin
from small_sets import CPU, error_of

from gan_cli.data.folder import Folder
from gan_cli.data.pairs import Pairs
from gan_cli.data.pictures import read_picture
from gan_cli.data.png_texts import MAX_TEXT, without_large_texts

RED = (255, 0, 0)


def noise(channels=3, seed=0):
    shape = (20, 20) if channels == 1 else (20, 20, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(image, texts=None, **keys):
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=texts, **keys)
    return file


def texts_of(*each):
    found = PngImagePlugin.PngInfo()
    for add, text, *packed in each:
        getattr(found, add)("Comment", text, *packed)
    return found


LARGE = "x" * (2 * MAX_TEXT)
LARGE_TEXTS = {
    "compressed text": {"texts": texts_of(("add_text", LARGE, True))},
    "compressed unicode": {"texts": texts_of(("add_itxt", LARGE, "", "", True))},
    "many": {"texts": texts_of(*[("add_text", "x" * 1_000_000, True)] * 70)},
    "colour profile": {"icc_profile": b"x" * (2 * MAX_TEXT)},
}


@pytest.mark.parametrize("keys", LARGE_TEXTS.values(), ids=LARGE_TEXTS)
def test_a_picture_with_large_texts_is_read(keys):
    image = Image.fromarray(noise())
    file = saved(image, **keys)
    with pytest.raises(ValueError, match="MAX_TEXT"), Image.open(file) as refused:
        refused.load()
    file.seek(0)
    assert (read_picture(file, (3, 20, 20), RED).transpose(1, 2, 0) == noise()).all()


def test_an_orientation_beside_a_large_text_is_kept():
    image, exif = Image.fromarray(noise()), Image.Exif()
    exif[0x0112] = 6
    pixels = read_picture(saved(image, texts_of(("add_text", LARGE, True)), exif=exif), (3, 20, 20), RED)
    assert (pixels.transpose(1, 2, 0) == np.rot90(noise(), -1)).all()


def test_damaged_exif_is_left_out_of_account():
    for exif in (b"Exif\0\0" + b"x" * 50, b"Exif\0\0MM\0*\0\0\0\x08\0\x63", b"x"):
        assert (
            read_picture(saved(Image.fromarray(noise()), exif=exif), (3, 20, 20), RED).transpose(1, 2, 0) == noise()
        ).all()


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_turned_as_pillow_does(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(noise()), exif=exif)
    with Image.open(file) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    file.seek(0)
    assert (read_picture(file, (3, 20, 20), RED).transpose(1, 2, 0) == expected).all()


def test_small_texts_and_damage_are_left_as_they_are():
    file = saved(Image.fromarray(noise()), texts_of(("add_text", "short", True), ("add_itxt", "plain")))
    assert without_large_texts(file).read() == file.getvalue()
    for cut in (4, 20, 60, 100):
        assert without_large_texts(io.BytesIO(file.getvalue()[:cut])).read() == file.getvalue()[:cut]
    broken = file.getvalue().replace(zlib.compress(b"short"), bytes(len(zlib.compress(b"short"))))
    assert without_large_texts(io.BytesIO(broken)).read() == broken


def folder(directory, images):
    directory.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        image.save(directory / f"{i}.png")
    return directory


def transparent(alpha, n=6):
    return [Image.merge("LA", [Image.fromarray(noise(1, i)), Image.new("L", (20, 20), alpha)]) for i in range(n)]


@pytest.mark.parametrize(
    ("alpha", "background", "channels"), [(100, "red", 3), (100, "gray", 1), (255, "red", 1), (100, "white", 1)]
)
def test_transparent_grey_on_a_coloured_background_has_colours(tmp_path, alpha, background, channels):
    directory = folder(tmp_path / "p", transparent(alpha))
    for found in (
        Folder(16, str(directory), background=background),
        Pairs(16, str(directory), str(directory), background=background),
    ):
        assert found.expected_shape() == (channels, 16, 16)
        found.open(2, 0, CPU)


def test_transparency_that_was_not_looked_at_is_named(tmp_path):
    images = [Image.fromarray(noise(1, i)) for i in range(80)]
    images[79] = transparent(100, 1)[0]  # the first and the last name are looked at: 9.png is the last
    images[1] = transparent(100, 1)[0]
    looked_at = Folder(16, str(folder(tmp_path / "p", images)), background="red")
    assert looked_at.expected_shape()[0] == 1
    line = error_of(lambda: looked_at.open(4, 0, CPU))
    assert line.endswith(
        "has colours on its background, but the first pictures have none: use dataset.channels=3 (or 1)"
    )


def split(root, *names):
    for name in names:
        folder(root / name, [Image.fromarray(noise(seed=i)) for i in range(6)])
    return root


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (("train/cat", "train/dog"), "its only sub-folder train is not a class, so there are no labels; "),
        (("train/cat", "train/dog", "val/cat", "val/dog"), "its sub-folders train, val are taken for classes, and"),
        (("Train", "TEST"), "its sub-folders TEST, Train are taken for classes, and"),
        (("train", "cat"), None),
        (("train/a/b", "train/a/c"), None),
        (("only",), None),
    ],
)
def test_sub_folders_that_hardly_are_classes_are_named(tmp_path, names, note):
    root = split(tmp_path / "data", *names)
    found = Folder(16, str(root)).open(2, 0, CPU)
    if note is None:
        assert not [text for text in found.notes if "sub-folder" in text]
        return
    (text,) = found.notes
    assert text.startswith(f"dataset.path={root}: {note}")
    named = text.rpartition("dataset.path=")[2].split(" ")[0]
    there = Folder(16, named).open(2, 0, CPU)
    assert there.notes == ()
    assert there.class_names == (("cat", "dog") if "cat" in names[0] else None)


def test_a_condition_on_unlabelled_data_points_to_the_labels(tmp_path, refused, gan):
    root = split(tmp_path / "data", "train/cat", "train/dog")
    words = ("dataset=folder", f"dataset.path={root}", "dataset.image_size=16")
    fix = f"dataset.path={root}/train has the classes cat, dog"
    assert refused("train", *words, "condition=concat").endswith(fix)
    assert gan("classifier", *words, "batch_size=4").err.strip().endswith(fix)


def test_classes_that_are_chosen_by_name_are_meant(tmp_path):
    root = split(tmp_path / "data", "train", "val")
    assert Folder(16, str(root), classes=["val", "train"]).open(2, 0, CPU).notes == ()
