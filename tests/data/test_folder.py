"""Directories of pictures: what is listed, what a picture becomes, what is kept, and each error's line."""

import errno
import os
import random
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import CPU, error_of, in_order, take

from gan_cli.data import file_collection, pictures, prepared, prepared_files
from gan_cli.data.folder import Folder
from tests.children import Code, run_code


def noise(n=1, size=(20, 20), channels=3, seed=0):
    shape = (n, size[1], size[0], channels) if channels > 1 else (n, size[1], size[0])
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(directory, n=20, channels=3, ending="png", **keys):
    directory.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(noise(n, channels=channels, **keys)):
        Image.fromarray(pixels).save(directory / f"{i:03d}.{ending}")
    return directory


def opened(directory, batch_size=4, seed=0, image_size=16, **keys):
    return Folder(image_size=image_size, path=str(directory), **keys).open(batch_size, seed, CPU)


def pixels_of(directory, **keys):
    """The pictures in the order of their names."""
    collection = Folder(**({"image_size": 16, "path": str(directory)} | keys)).collect()
    return np.concatenate([c.images for c in collection.chunks(np.arange(len(collection)))])


# ---- listing


def test_flat_directory_has_no_labels(tmp_path):
    data = opened(write(tmp_path / "p"))
    assert (data.shape, data.class_names, take(data.train, 0).y) == ((3, 16, 16), None, None)
    assert (data.train.size, data.heldout.size) == (19, 1)


def test_sub_folders_are_classes_at_any_depth(tmp_path):
    write(tmp_path / "dogs", n=5, seed=1)
    write(tmp_path / "cats" / "indoors", n=6, seed=2)
    write(tmp_path / "cats" / "outdoors", n=7, seed=3)
    (tmp_path / "empty").mkdir()
    collection = Folder(image_size=16, path=str(tmp_path)).collect()
    assert collection.class_names == ("cats", "dogs")
    assert np.bincount(collection.labels).tolist() == [13, 5]
    data = opened(tmp_path, holdout=2)
    by_image = dict(zip((p.tobytes() for p in pixels_of(tmp_path)), collection.labels.tolist(), strict=True))
    batch = take(data.train, 1)
    images = ((batch.x + 1) * 127.5).round().to(torch.uint8).numpy()
    assert batch.y.tolist() == [by_image[image.tobytes()] for image in images]
    assert opened(tmp_path, classes=["dogs"], holdout=1).train.size == 4


def test_single_sub_folder_makes_no_classes(tmp_path):
    write(tmp_path / "only")
    assert opened(tmp_path).class_names is None


def test_other_files_hidden_files_and_link_loops_are_passed_over(tmp_path):
    root = write(tmp_path / "p", n=10)
    (root / "notes.txt").write_text("hello")
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "._000.png").write_bytes(b"resource fork")
    (root / "sub").mkdir()
    (root / "sub" / "loop").symlink_to(root)
    (root / "loop").symlink_to(root)
    (root / "dangling.png").symlink_to(root / "absent.png")
    (root / "directory.png").mkdir()
    assert len(Folder(image_size=16, path=str(root)).collect()) == 10


def test_links_to_pictures_and_directories_are_followed(tmp_path):
    elsewhere = write(tmp_path / "elsewhere", n=6)
    root = tmp_path / "root"
    root.mkdir()
    (root / "a").symlink_to(elsewhere)
    (root / "b").mkdir()
    (root / "b" / "link.png").symlink_to(elsewhere / "000.png")
    collection = Folder(image_size=16, path=str(root)).collect()
    assert (len(collection), collection.class_names) == (7, ("a", "b"))


def test_names_that_are_not_unicode(tmp_path):
    root = write(tmp_path / "p", n=6)
    os.rename(root / "000.png", os.fsencode(root) + b"/\xff\xfe.png")
    assert opened(root).train.size == 5


# ---- wrong directories


def test_wrong_directories_have_one_line_each(tmp_path):
    write(tmp_path / "mixed", n=3)
    write(tmp_path / "mixed" / "sub", n=3)
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    (tmp_path / "file.png").write_bytes(b"")
    cases = {
        None: "dataset=folder needs a directory of pictures",
        "absent": "does not exist",
        "file.png": "is a file",
        "empty": "have no pictures",
        "mixed": "beside sub-folders",
    }
    for name, expected in cases.items():
        dataset = Folder(image_size=16, path=None if name is None else str(tmp_path / name))
        for call in (dataset.expected_shape, lambda d=dataset: d.open(4, 0, CPU)):
            text = error_of(call)
            assert expected in text
            assert "dataset.path=" in text


def test_too_few_pictures(tmp_path):
    text = error_of(lambda: opened(write(tmp_path / "one", n=1)))
    assert "0 image(s) to train on" in text
    assert "at least two" in text
    text = error_of(lambda: opened(write(tmp_path / "few", n=10), batch_size=64))
    assert "9 image(s) to train on (1 more held out) are fewer than train.batch_size=64" in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_directory_that_may_not_be_read(tmp_path):
    root = write(tmp_path / "p")
    root.chmod(0)
    assert "cannot be read" in error_of(lambda: opened(root))


def test_unknown_background(tmp_path):
    dataset = Folder(image_size=16, path=str(write(tmp_path / "p")), background="whitish")
    assert "dataset.background=whitish" in error_of(dataset.expected_shape)


# ---- what a picture becomes


def one(tmp_path, image, **keys):
    path = tmp_path / "one.png"
    image.save(path)
    with open(path, "rb") as file:
        return pictures.read_picture(file, **({"shape": (3, 16, 16), "background": (255, 255, 255)} | keys))


def test_same_size_is_kept_exactly(tmp_path):
    pixels = noise(size=(16, 16))[0]
    np.testing.assert_array_equal(one(tmp_path, Image.fromarray(pixels)), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(48, 16), (16, 48), (17, 16)])
def test_centre_is_cropped(tmp_path, size):
    """A picture that is 0 in its central square and 255 beside it becomes 0, but for the filter's blur at the edge."""
    pixels = np.full((size[1], size[0], 3), 255, dtype=np.uint8)
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    pixels[top : top + side, left : left + side] = 0
    assert one(tmp_path, Image.fromarray(pixels), shape=(3, 8, 8))[:, 1:-1, 1:-1].max() == 0


def test_aspect_is_kept(tmp_path):
    """A disc stays a disc: as many of its pixels in the middle row as in the middle column."""
    y, x = np.mgrid[:60, :100]
    disc = ((x - 49.5) ** 2 + (y - 29.5) ** 2 < 20**2).astype(np.uint8) * 255
    out = one(tmp_path, Image.fromarray(disc), shape=(1, 30, 30))[0] > 127
    assert abs(int(out[15].sum()) - 20) <= 1
    assert abs(int(out[:, 15].sum()) - 20) <= 1


def test_shrinking_is_antialiased(tmp_path):
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(one(tmp_path, Image.fromarray(board), shape=(1, 8, 8)).astype(int) - 127).max() <= 2


@pytest.mark.parametrize("image_size", [8, 31, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_channels(tmp_path, image_size, channels):
    root = write(tmp_path / "p", n=6, channels=channels)
    dataset = Folder(image_size=image_size, path=str(root))
    data = dataset.open(4, 0, CPU)
    assert data.shape == dataset.expected_shape() == (channels, image_size, image_size)
    assert take(data.train, 0).x.shape == (4, channels, image_size, image_size)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "tRNS"])
def test_transparency_lies_on_the_background(tmp_path, mode):
    if mode == "LA":
        image = Image.new("LA", (16, 16), (40, 0))
    elif mode == "RGBA":
        image = Image.new("RGBA", (16, 16), (40, 50, 60, 0))
    else:
        image = Image.new("P" if mode == "P" else "RGB", (16, 16))
        image.info["transparency"] = 0 if mode == "P" else (0, 0, 0)
    out = one(tmp_path, image, background=pictures.colour_of("#ff8000"))
    assert [set(c.flatten().tolist()) for c in out] == [{255}, {128}, {0}]


def test_half_transparency_is_mixed(tmp_path):
    out = one(tmp_path, Image.new("RGBA", (16, 16), (0, 0, 0, 51)), background=(255, 255, 255))
    assert set(out.flatten().tolist()) == {204}


def test_turned_as_exif_says(tmp_path):
    pixels = noise(size=(16, 16), channels=1)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    path = tmp_path / "one.png"
    Image.fromarray(pixels).save(path, exif=exif)
    with open(path, "rb") as file:
        out = pictures.read_picture(file, (1, 16, 16), (0, 0, 0))
    np.testing.assert_array_equal(out[0], np.rot90(pixels, -1))


def test_grey_from_colour_is_luma(tmp_path):
    out = one(tmp_path, Image.new("RGB", (16, 16), (200, 100, 50)), shape=(1, 16, 16))
    assert set(out.flatten().tolist()) == {round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)}


@pytest.mark.parametrize(("mode", "value"), [("1", 1), ("L", 255), ("P", 255)])
def test_grey_becomes_three_equal_channels(tmp_path, mode, value):
    image = Image.new("L", (16, 16), 255).convert(mode)
    assert (one(tmp_path, image) == 255).all()
    assert value


# ---- greyscale or colour


def test_channels_are_detected(tmp_path):
    grey, colour = write(tmp_path / "grey", channels=1), write(tmp_path / "colour")
    assert Folder(image_size=16, path=str(grey)).expected_shape() == (1, 16, 16)
    assert Folder(image_size=16, path=str(colour)).expected_shape() == (3, 16, 16)
    assert Folder(image_size=16, path=str(grey), channels=3).expected_shape() == (3, 16, 16)
    assert Folder(image_size=16, path=str(colour), channels=1).expected_shape() == (1, 16, 16)
    Image.fromarray(noise()[0]).save(grey / "007.png")  # one picture in colour among few
    assert Folder(image_size=16, path=str(grey)).expected_shape() == (3, 16, 16)


@pytest.mark.parametrize(("colours", "channels"), [(False, 1), (True, 3)])
def test_palettes_are_looked_into(tmp_path, colours, channels):
    for i in range(4):
        image = Image.fromarray(noise(channels=1, seed=i)[0]).convert("P")
        if colours:
            image.putpalette([c for j in range(256) for c in (j, 0, 0)])
        image.save(tmp_path / f"{i}.png")
    assert Folder(image_size=16, path=str(tmp_path)).expected_shape() == (channels, 16, 16)


def test_colour_that_was_not_looked_at_is_an_error_not_a_loss(tmp_path):
    root = write(tmp_path / "p", n=100, channels=1)
    Image.fromarray(np.repeat(noise(channels=1)[0][..., None], 3, axis=2)).save(root / "001.png")  # RGB, but grey
    assert opened(root).shape == (1, 16, 16)
    Image.fromarray(noise()[0]).save(root / "002.png")
    text = error_of(lambda: opened(root, skip_bad=True))
    assert "002.png" in text
    assert "dataset.channels=3" in text
    assert opened(root, channels=3).shape == (3, 16, 16)


# ---- bad pictures


def png(colour_type, bits, size=(4, 4), data=None):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    row = b"\0" + bytes(size[0] * samples * bits // 8)
    header = struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0)
    content = zlib.compress(row * size[1] if data is None else data)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def deep_with_transparent_value():
    whole = png(0, 16)
    at = whole.index(b"IDAT") - 4
    content = b"tRNS" + struct.pack(">H", 7)
    return whole[:at] + struct.pack(">I", 2) + content + struct.pack(">I", zlib.crc32(content)) + whole[at:]


def saved(tmp_path, ending, image, **keys):
    path = tmp_path / f"saved.{ending}"
    image.save(path, **keys)
    return path.read_bytes()


BAD = {
    "corrupt": (lambda t: png(2, 8, data=b"")[:-30] + bytes(30), "corrupt"),
    "header alone": (lambda t: b"\x89PNG\r\n\x1a\nnonsense", "truncated"),
    "empty": (lambda t: b"", "corrupt"),
    "text": (lambda t: b"<html>404</html>", "corrupt"),
    "wrong checksum": (lambda t: png(2, 8).replace(b"IHDR\0\0\0\4", b"IHDR\0\0\0\5"), "corrupt"),
    "truncated": (lambda t: saved(t, "png", Image.fromarray(noise(size=(90, 90))[0]))[:-9000], "truncated"),
    "truncated jpeg": (lambda t: saved(t, "jpg", Image.fromarray(noise(size=(90, 90))[0]))[:-2000], "truncated"),
    "colour 16": (lambda t: png(2, 16), "16-bit"),
    "alpha 16": (lambda t: png(6, 16), "16-bit"),
    "tiff 32": (lambda t: saved(t, "tiff", Image.fromarray(np.zeros((4, 4), dtype=np.int32))), "16-bit"),
    "tiff float": (lambda t: saved(t, "tiff", Image.fromarray(np.zeros((4, 4), dtype=np.float32))), "16-bit"),
    "ppm 16": (lambda t: b"P6 4 4 65535\n" + bytes(4 * 4 * 6), "16-bit"),
    "transparent 16": (lambda t: deep_with_transparent_value(), "16-bit grey with a transparent value"),
    "cmyk": (lambda t: saved(t, "jpg", Image.new("CMYK", (4, 4))), "CMYK"),
    "cmyk tiff": (lambda t: saved(t, "tiff", Image.new("CMYK", (4, 4))), "CMYK"),
    "bomb": (lambda t: png(2, 8, size=(60000, 60000), data=b"\0"), "decompression bomb"),
    "small bomb": (lambda t: png(2, 8, size=(10000, 10000), data=b"\0"), "decompression bomb"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", BAD)
def test_bad_picture_is_named_or_skipped(tmp_path, kind):
    make, reason = BAD[kind]
    root = write(tmp_path / "p", n=12)
    bad = root / "005.png"
    bad.write_bytes(make(tmp_path))
    text = error_of(lambda: opened(root))
    assert str(bad) in text
    assert reason in text
    assert "dataset.skip_bad=true" in text
    assert list((tmp_path / "cache").rglob("*.uint8")) == []
    for _ in range(2):  # prepared, then found
        data = opened(root, skip_bad=True)
        assert data.train.size + data.heldout.size == 11
        (unused,) = data.unused
        assert (unused.kind, unused.name) == ("unreadable", str(bad))
        assert reason in unused.reason
    assert str(bad) in error_of(lambda: opened(root))  # what was skipped once is not forgotten


def test_skipped_pictures_leave_the_others_and_their_labels_in_place(tmp_path):
    write(tmp_path / "p" / "a", n=10, seed=1)
    write(tmp_path / "p" / "b", n=10, seed=2)
    whole = opened(tmp_path / "p", holdout=4)
    before = {name: set(in_order(whole, name)) for name in ("train", "heldout")}
    labels = dict(zip(in_order(whole), _labels(whole), strict=True))
    gone = pixels_of(tmp_path / "p")[3].tobytes()
    (tmp_path / "p" / "a" / "003.png").write_bytes(b"")
    less = opened(tmp_path / "p", holdout=4, skip_bad=True)
    assert less.train.size + less.heldout.size == 19
    for name in ("train", "heldout"):
        assert set(in_order(less, name)) <= before[name] - {gone}
    for image, label in zip(in_order(less), _labels(less), strict=True):
        assert labels.get(image, label) == label


def _labels(data):
    return [int(y) for k in range(data.train.size // 4) for y in take(data.train, k).y]


def test_all_pictures_bad(tmp_path):
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(b"")
    text = error_of(lambda: opened(tmp_path, skip_bad=True))
    assert "none of 9 picture(s) can be read" in text


def test_picture_that_vanishes_is_named(tmp_path):
    root = write(tmp_path / "p")
    dataset = Folder(image_size=16, path=str(root))
    dataset.expected_shape()
    (root / "004.png").unlink()
    assert "004.png: cannot be read" in error_of(lambda: dataset.open(4, 0, CPU))


# ---- what is kept


def counted(monkeypatch):
    calls = []
    read = file_collection.read_picture
    monkeypatch.setattr(file_collection, "read_picture", lambda *a: calls.append(1) or read(*a))
    return calls


def test_prepared_once_and_again_when_content_or_settings_change(tmp_path, monkeypatch):
    root = write(tmp_path / "p")
    calls = counted(monkeypatch)

    def prepared_by(**keys):
        before = len(calls)
        fingerprint = opened(root, **keys).fingerprint
        return len(calls) - before, fingerprint

    count, first = prepared_by()
    assert count == 20
    assert prepared_by() == (0, first)
    assert prepared_by(seed=3, batch_size=8, resident=False) == (0, first)
    for keys in ({"image_size": 24}, {"channels": 1}, {"background": "black"}):
        assert prepared_by(**keys)[0] == 20
        assert prepared_by(**keys)[0] == 0
    assert prepared_by(image_size=48, limit=5)[0] == 6  # with the one held out; no more are decoded than are used
    assert prepared_by(image_size=48)[0] == 14
    os.utime(root / "000.png", (time.time() + 5, time.time() + 5))
    assert prepared_by() == (1, first)  # the same pixels
    Image.fromarray(noise(seed=9)[0]).save(root / "000.png")
    count, second = prepared_by()
    assert (count, second != first) == (1, True)
    os.rename(root / "001.png", root / "xyz.png")
    assert prepared_by()[0] == 1


@pytest.mark.parametrize("per_chunk", [1, 3, 7, 100])
@pytest.mark.parametrize("damaged", [False, True])
def test_what_has_not_changed_is_copied_from_the_earlier_file(
    tmp_path, user_directory, monkeypatch, per_chunk, damaged
):
    """Pictures are added at both ends and between, changed and removed; a damaged earlier file is not used."""
    root = write(tmp_path / "p")
    opened(root)
    (before,) = cached(user_directory)
    if damaged:
        with open(before / "images.uint8", "r+b") as file:
            file.write(bytes(3000))
    for name, seed in (("!", 1), ("004b", 2), ("004c", 3), ("010", 4), ("zzz", 5), ("zzzz", 6)):
        Image.fromarray(noise(seed=seed)[0]).save(root / f"{name}.png")
    for name in ("002", "003", "019"):
        (root / f"{name}.png").unlink()
    for module in (prepared_files, file_collection):
        monkeypatch.setattr(module, "images_a_chunk", lambda shape: per_chunk)
    calls = counted(monkeypatch)
    changed = opened(root)
    assert len(calls) == (22 if damaged else 6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    anew = opened(root)
    assert (changed.fingerprint, in_order(changed)) == (anew.fingerprint, in_order(anew))


def test_bad_pictures_are_read_again(tmp_path, monkeypatch):
    root = write(tmp_path / "p")
    for name in ("000", "007", "019"):
        (root / f"{name}.png").write_bytes(b"no picture")
    first = opened(root, skip_bad=True)
    os.utime(root / "003.png")
    calls = counted(monkeypatch)
    assert opened(root, skip_bad=True).fingerprint == first.fingerprint
    assert len(calls) == 4


def cached(user_directory):
    return [p for p in (user_directory / "prepared").iterdir() if not p.name.startswith(".")]


@pytest.mark.parametrize("damage", ["short", "about", "positions", "absent"])
def test_damaged_file_is_prepared_again(tmp_path, user_directory, monkeypatch, damage):
    root = write(tmp_path / "p")
    first = opened(root).fingerprint
    (directory,) = cached(user_directory)
    if damage == "short":
        os.truncate(directory / "images.uint8", 100)
    elif damage == "absent":
        (directory / "images.uint8").unlink()
    else:
        path = next(directory.glob(f"{damage}*"))
        path.write_bytes(path.read_bytes()[:-20])
    calls = counted(monkeypatch)
    assert opened(root).fingerprint == first
    assert len(calls) == 20


def test_other_pixels_under_the_same_name_are_seen(tmp_path, user_directory, monkeypatch, capsys):
    root = write(tmp_path / "p")
    first = opened(root)
    expected, (directory,) = in_order(first), cached(user_directory)
    with open(directory / "images.uint8", "r+b") as file:
        file.write(bytes(3000))
    calls = counted(monkeypatch)
    again = opened(root)
    assert (again.fingerprint, in_order(again), len(calls)) == (first.fingerprint, expected, 20)
    assert f"{directory} is damaged, or of an earlier version" in capsys.readouterr().err


def test_pixels_are_compared_with_their_hash_once_for_each_state_of_the_file(tmp_path, user_directory, monkeypatch):
    root, compared = write(tmp_path / "p"), []
    digest_of = prepared_files._digest_of
    monkeypatch.setattr(prepared_files, "_digest_of", lambda images: compared.append(1) or digest_of(images))
    opened(root)
    opened(root)
    assert compared == []  # hashed as they were written
    (directory,) = cached(user_directory)
    os.utime(directory / "images.uint8", ns=(0, 0))
    opened(root)
    opened(root)
    assert compared == [1]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_cache_holds_the_same_pixels_are_trained_on(tmp_path, user_directory, seed):
    root = write(tmp_path / "p")
    first = opened(root)
    expected, (directory,) = in_order(first), cached(user_directory)
    rng = random.Random(seed)
    path = rng.choice(sorted(directory.iterdir()))
    content = bytearray(path.read_bytes())
    if seed % 4 == 0:
        content = b"[" * 100_000 if path.suffix == ".json" else rng.randbytes(len(content))
    else:
        at = rng.randrange(len(content))
        content[at : at + seed] = rng.randbytes(seed - seed % 3)
    path.write_bytes(content)
    again = opened(root)
    assert (again.fingerprint, in_order(again)) == (first.fingerprint, expected)


def test_a_cache_that_others_can_write_is_named(tmp_path, user_directory, capsys):
    root = write(tmp_path / "p")
    opened(root)
    assert "others can write" not in capsys.readouterr().err
    (user_directory / "prepared").chmod(0o777)
    opened(root)
    assert f"others can write {user_directory / 'prepared'}" in capsys.readouterr().err


_KILLED = """
import sys, torch
from gan_cli.data.folder import Folder
events = int(sys.argv[2])
def hook(event, arguments):
    global events
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "shutil.rmtree") and "prepared" in str(arguments):
        events -= 1
        if events == 0:
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
print(Folder(image_size=16, path=sys.argv[1]).open(4, 0, torch.device("cpu")).fingerprint)
"""


@pytest.mark.slow
def test_killed_at_any_event_of_the_write(tmp_path, user_directory):
    root = write(tmp_path / "p")
    expected = opened(root, resident=False).fingerprint
    (directory,) = cached(user_directory)
    kills = 0
    for event in range(1, 60):
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
        done = subprocess.run([sys.executable, "-c", _KILLED, str(root), str(event)], capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        kills += 1
        found = prepared_files.load(directory, (3, 16, 16), np.arange(20))
        assert found is None or found.images.shape == (20, 3, 16, 16)
        assert opened(root).fingerprint == expected
        assert [p.name for p in (user_directory / "prepared").glob("*.tmp")] == []
    assert done.stdout.strip() == expected
    assert kills > 8


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path, user_directory, monkeypatch):
    root = write(tmp_path / "p")

    def full(file, images):
        file.write(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prepared, "_write_all", full)
    text = error_of(lambda: opened(root))
    assert "No space left on device" in text
    assert str(user_directory / "prepared") in text
    assert "XDG_CACHE_HOME=" in text
    assert [p for p in (user_directory / "prepared").iterdir() if p.is_dir()] == []
    monkeypatch.undo()


def test_too_small_disk_is_seen_before_the_work(tmp_path, monkeypatch):
    root = write(tmp_path / "p")
    calls = counted(monkeypatch)
    monkeypatch.setattr(prepared.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})())
    assert "No space left on device" in error_of(lambda: opened(root))
    assert calls == []


def test_file_size_limit_while_writing(tmp_path):
    """RLIMIT_FSIZE fails a real write half-way, in a process of its own."""
    root = write(tmp_path / "p")
    code = (
        "import resource, sys, torch; from gan_cli.data.folder import Folder; from gan_cli.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: Folder(image_size=16, path=sys.argv[1]).open(4, 0, torch.device('cpu'))\n"
        "except UserError as error: print(error); sys.exit(2)"
    )
    done = run_code(code, root)
    assert (done.returncode, done.stderr) == (2, "")
    assert "File too large" in done.stdout
    assert list((tmp_path / "cache").rglob("*.uint8")) == []


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    root = write(tmp_path / "p")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Not a directory" in error_of(lambda: opened(root))


def test_two_processes_prepare_once(tmp_path, user_directory):
    root = write(tmp_path / "p", n=200)
    code = (
        "import sys, torch; from gan_cli.data import file_collection as f; from gan_cli.data.folder import Folder\n"
        "read, calls = f.read_picture, []\n"
        "f.read_picture = lambda *a: calls.append(1) or read(*a)\n"
        "print(Folder(image_size=64, path=sys.argv[1]).open(4, 0, torch.device('cpu')).fingerprint, len(calls))"
    )
    processes = [Code(code, root) for _ in range(2)]
    printed = [process.ended().stdout.split() for process in processes]
    assert printed[0][0] == printed[1][0]
    assert sorted(int(count) for _, count in printed) == [0, 200]
    assert len(cached(user_directory)) == 1


def test_progress_is_a_plain_line_without_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(file_collection, "_REPORT_SECONDS", -1.0)
    opened(write(tmp_path / "p"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "preparing: 20 of 20 pictures" in printed.err
    assert "\r" not in printed.err


def test_pictures_of_the_same_names_sizes_and_dates_are_not_taken_for_each_other(tmp_path, user_directory):
    fingerprints = set()
    for seed in (1, 2):
        directory = write(tmp_path / str(seed), ending="bmp", seed=seed)
        for picture in directory.iterdir():
            os.utime(picture, (315_532_800,) * 2)
        fingerprints.add(opened(directory, resident=False).fingerprint)
    assert len(fingerprints) == 2
