"""A .zip file of pictures is the directory that it would be unpacked into; nothing of it is written anywhere."""

import os
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image
from small_sets import CPU, error_of, in_order, take

from gan_cli.data import archive
from gan_cli.data.folder import Folder
from gan_cli.data.pairs import Pairs


def write(directory, n=12, seed=0, size=(20, 20)):
    directory.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(np.random.default_rng(seed).integers(0, 256, (n, *size, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(directory / f"{i:03d}.png")
    return directory


def zipped(path, root, below="", method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for picture in sorted(root.rglob("*")):
            file.write(picture, below + str(picture.relative_to(root)))
    return path


def opened(path, **keys):
    return Folder(**{"image_size": 16, "path": str(path), "holdout": 3, **keys}).open(4, 0, CPU)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("below", ["", "pictures/", "a/b/"])
def test_the_same_images_and_classes_as_in_the_directory(tmp_path, below, method):
    write(tmp_path / "p" / "cats", seed=1)
    write(tmp_path / "p" / "dogs" / "outdoors", seed=2)
    (tmp_path / "p" / "notes.txt").write_text("hello")
    (tmp_path / "p" / "._000.png").write_bytes(b"resource fork")
    (tmp_path / "p" / "__MACOSX").mkdir()
    (tmp_path / "p" / "__MACOSX" / "000.png").write_bytes(b"resource fork")
    path = zipped(tmp_path / "p.zip", tmp_path / "p", below, method)
    there, here = opened(tmp_path / "p"), opened(path)
    assert here.class_names == ("cats", "dogs")
    assert here.fingerprint == there.fingerprint
    for split in ("train", "heldout"):
        assert in_order(here, split) == in_order(there, split)
    assert (take(here.train, 1).y == take(there.train, 1).y).all()
    assert Folder(16, str(path)).expected_classes() == 2


def test_a_flat_one_has_no_classes(tmp_path):
    path = zipped(tmp_path / "p.ZIP", write(tmp_path / "p"), "pictures/")
    data = opened(path)
    assert (data.class_names, data.train.size, data.heldout.size) == (None, 9, 3)


def test_pictures_in_other_bytes_are_other_pictures(tmp_path):
    first = opened(zipped(tmp_path / "a.zip", write(tmp_path / "a"))).fingerprint
    (tmp_path / "a.zip").unlink()
    second = opened(zipped(tmp_path / "a.zip", write(tmp_path / "b", seed=1))).fingerprint
    assert first != second


def test_pairs_in_archives(tmp_path):
    write(tmp_path / "a", seed=1)
    write(tmp_path / "b", seed=2)
    a, b = (zipped(tmp_path / f"{name}.zip", tmp_path / name) for name in "ab")
    there, here = (
        Pairs(16, str(x), str(y), holdout=2).open(4, 0, CPU) for x, y in ((tmp_path / "a", tmp_path / "b"), (a, b))
    )
    assert here.fingerprint == there.fingerprint
    assert (take(here.train, 0).source == take(there.train, 0).source).all()


def test_names_that_point_elsewhere_write_nothing(tmp_path):
    root = write(tmp_path / "p")
    path = zipped(tmp_path / "p.zip", root)
    picture = (root / "000.png").read_bytes()
    with zipfile.ZipFile(path, "a") as file:
        for name in ("../../outside.png", "/absolute.png", "./here.png", "back\\slash.png", "\x1b[31mred\n.png"):
            file.writestr(name, picture)
    assert opened(path).train.size == 12 + 5 - 3
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("\x1b[31msub\n/inner.png", picture)
    text = error_of(lambda: opened(path))
    assert "beside sub-folders" in text
    assert "\x1b" not in text
    with zipfile.ZipFile(tmp_path / "q.zip", "w") as file:
        for i in range(12):
            file.writestr(f"../../up/{i}.png", (root / f"{i:03d}.png").read_bytes())
    before = {*tmp_path.rglob("*"), *tmp_path.parent.iterdir(), *tmp_path.parent.parent.iterdir()}
    assert opened(tmp_path / "q.zip").train.size == 9
    after = {*tmp_path.rglob("*"), *tmp_path.parent.iterdir(), *tmp_path.parent.parent.iterdir()}
    assert all("cache" in path.parts for path in after - before)  # of prepared images


def with_member(tmp_path, name, change):
    """An archive whose entry of a picture has other bytes in the list of contents."""
    path = zipped(tmp_path / "p.zip", write(tmp_path / "p"))
    content = bytearray(path.read_bytes())
    at = content.rindex(name.encode()) - 46  # a central header
    assert content[at : at + 4] == b"PK\x01\x02"
    change(content, at)
    path.write_bytes(content)
    return path


def claims_a_gigabyte(content, at):
    content[at + 24 : at + 28] = struct.pack("<I", 2**30)


def is_encrypted(content, at):
    content[at + 8] |= 1


def has_an_unknown_method(content, at):
    content[at + 10 : at + 12] = struct.pack("<H", 77)


def has_another_checksum(content, at):
    content[at + 16 : at + 20] = b"\0\0\0\0"


def lies_elsewhere(content, at):
    content[at + 42 : at + 46] = struct.pack("<I", 5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (claims_a_gigabyte, "a decompression bomb: 1,073,741,824 bytes"),
        (is_encrypted, "cannot be read from the archive"),
        (has_an_unknown_method, "cannot be read from the archive"),
        (has_another_checksum, "Bad CRC-32"),
        (lies_elsewhere, "cannot be read from the archive"),
    ],
)
def test_a_bad_member_is_named_or_skipped(tmp_path, change, reason):
    path = with_member(tmp_path, "005.png", change)
    text = error_of(lambda: opened(path))
    assert f"{path}/005.png: " in text
    assert reason in text
    assert "dataset.skip_bad=true" in text
    data = opened(path, skip_bad=True)
    assert data.train.size + data.heldout.size == 11
    assert [unused.name for unused in data.unused] == [f"{path}/005.png"]


def test_what_inflates_a_thousandfold_is_not_read(tmp_path, monkeypatch):
    path = zipped(tmp_path / "p.zip", write(tmp_path / "p"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.png", bytes(2**24))
    assert os.path.getsize(path) < 2**16
    monkeypatch.setattr(archive, "MAX_BYTES", 2**20)
    assert f"{path}/bomb.png: a decompression bomb: 16,777,216 bytes" in error_of(lambda: opened(path))


def test_what_is_no_archive_and_what_has_no_pictures(tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    assert "text.zip is a file: it must be a directory with pictures" in error_of(lambda: opened(tmp_path / "text.zip"))
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as file:
        file.writestr("notes.txt", "hello")
    assert "have no pictures" in error_of(lambda: opened(tmp_path / "empty.zip"))
    whole = zipped(tmp_path / "p.zip", write(tmp_path / "p")).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:1000] + whole[-60:])
    assert "cannot be read as a .zip file" in error_of(lambda: opened(tmp_path / "cut.zip"))
