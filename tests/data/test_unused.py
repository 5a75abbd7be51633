"""What looks like a picture and is not used: counted by kind, listed in a file of the run; and who is held out."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from small_sets import CPU, error_of, in_order

from gan_cli.data.folder import Folder
from gan_cli.data.split import split
from gan_cli.data.unused import EMPTY, HIDDEN, NO_FILE, NOWHERE, OTHER_ENDING, UNREADABLE, summary
from gan_cli.session.applying import pictures_at


def write(directory, n=12):
    directory.mkdir(parents=True, exist_ok=True)
    for i, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (n, 16, 16), dtype=np.uint8)):
        Image.fromarray(pixels).save(directory / f"{i:02}.png")
    return directory


def opened(directory, **keys):
    return Folder(image_size=16, path=str(directory), **keys).open(2, 0, CPU)


def kinds(data):
    return {kind: sum(one.kind == kind for one in data.unused) for kind in sorted({one.kind for one in data.unused})}


def spoilt(root):
    """Add one of everything that looks like a picture and is none."""
    (root / "gone.png").symlink_to("/nowhere/1.png")
    (root / "lost").symlink_to("/nowhere")
    (root / ".hidden.png").write_bytes(b"")
    (root / ".thumbs" / "deep").mkdir(parents=True)
    (root / ".thumbs" / "deep" / "a.JPG").write_bytes(b"")
    (root / "photo.HEIC").write_bytes(b"")
    (root / "notes.txt").write_text("no picture")
    os.mkfifo(root / "pipe.png")
    return {HIDDEN: 2, NOWHERE: 2, NO_FILE: 1, OTHER_ENDING: 1}


def test_every_kind_is_counted_in_a_flat_directory_and_in_classes(tmp_path):
    expected = spoilt(write(tmp_path / "flat"))
    data = opened(tmp_path / "flat")
    assert kinds(data) == dict(sorted(expected.items()))
    assert data.train.size + data.heldout.size == 12
    for name in ("a", "b"):
        write(tmp_path / "classes" / name, 4)
    (tmp_path / "classes" / "c").mkdir()
    expected = spoilt(tmp_path / "classes" / "b")
    assert kinds(opened(tmp_path / "classes")) == dict(sorted({EMPTY: 1, **expected}.items()))


def test_an_archive_too(tmp_path):
    write(tmp_path / "p", 4)
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        for path in (tmp_path / "p").iterdir():
            file.write(path, path.name)
        for name in ("__MACOSX/._00.png", ".x.png", "x.avif", "x.txt"):
            file.writestr(name, b"")
    data = opened(tmp_path / "p.zip")
    assert kinds(data) == {OTHER_ENDING: 1, HIDDEN: 2}
    assert data.unused[-1].name == str(tmp_path / "p.zip" / "x.avif")


def test_a_directory_without_pictures_says_what_it_has(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "x.avif").write_bytes(b"")
    assert error_of(lambda: opened(tmp_path / "p")).endswith(f"{OTHER_ENDING}: 1, {tmp_path}/p/x.avif")


def test_the_next_readable_picture_is_held_out(tmp_path):
    root = write(tmp_path / "p", 20)
    (held,) = split(20, None, None, classes=None, holdout="auto", limit=None).heldout
    whole = opened(root)
    (root / f"{held:02}.png").write_bytes(b"nonsense")
    less = opened(root, skip_bad=True)
    assert kinds(less) == {UNREADABLE: 1}
    assert (less.train.size, less.heldout.size) == (18, 1)
    assert set(in_order(less, "heldout")) <= set(in_order(whole))


def test_a_limit_counts_pictures_that_can_be_read(tmp_path):
    root = write(tmp_path / "p", 20)
    parts = split(20, None, None, classes=None, holdout=4, limit=8)
    for at in (*parts.heldout[:2], *parts.train[:3]):
        (root / f"{at:02}.png").write_bytes(b"nonsense")
    data = opened(root, skip_bad=True, holdout=4, limit=8)
    assert (data.train.size, data.heldout.size) == (8, 4)
    assert kinds(data) == {UNREADABLE: 5}


def test_readable_pictures_keep_the_split_that_they_had(tmp_path):
    root = write(tmp_path / "p", 40)
    before = split(40, None, None, classes=None, holdout=4, limit=None)
    whole = opened(root, holdout=4)
    (root / f"{before.train[0]:02}.png").write_bytes(b"nonsense")
    assert in_order(opened(root, holdout=4, skip_bad=True), "heldout") == in_order(whole, "heldout")


TRAIN = ("train", "dataset=folder", "dataset.path=p", "dataset.image_size=16", "model=mlp", "model.width=4")
SMALL = ("runtime=cpu", "runtime.threads=1", "train.batch_size=2", "run_dir=run")


def test_a_run_says_what_is_unused_and_lists_all(gan, tmp_path):
    expected = spoilt(write(tmp_path / "p"))
    ended = gan(*TRAIN, *SMALL, "train.steps=1")
    assert ended.code == 0
    (line,) = [line for line in ended.err.splitlines() if line.startswith("not used: ")]
    for kind, count in expected.items():
        assert f"{kind}: {count}, " in line
    assert line.endswith("(all are listed in run/unused_pictures.txt)")
    rows = [row.split("\t") for row in (tmp_path / "run" / "unused_pictures.txt").read_text().splitlines()]
    assert len(rows) == sum(expected.values())
    assert ["broken link", str(tmp_path / "p" / "gone.png"), "-> /nowhere/1.png"] in [
        [kind, str(tmp_path / name), reason] for kind, name, reason in rows
    ]
    for path in (tmp_path / "p").iterdir():
        if not path.name.endswith(".png") or not path.is_file() or path.name[0] == ".":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    assert gan("resume", "run", "train.steps=2").code == 0
    assert not (tmp_path / "run" / "unused_pictures.txt").exists()


def test_a_run_says_its_classes_and_keeps_them(gan, tmp_path):
    for name, n in (("1", 3), ("10", 5), ("3", 4)):
        write(tmp_path / "p" / name, n)
    ended = gan(*TRAIN, *SMALL, "train.steps=1")
    assert "3 classes and their samples: 1 (3), 3 (4), 10 (5)" in ended.err
    classes = json.loads((tmp_path / "run" / "run.json").read_text())["classes"]
    assert classes == [{"name": "1", "samples": 3}, {"name": "3", "samples": 4}, {"name": "10", "samples": 5}]


@pytest.mark.parametrize("n", [1, 2])
def test_a_summary_names_the_first_of_each_kind(tmp_path, n):
    root = write(tmp_path / "p", 4)
    for i in range(n):
        (root / f"{i}.avif").write_bytes(b"")
    first = "the first " if n > 1 else ""
    assert summary(opened(root).unused) == f"{OTHER_ENDING}: {n}, {first}{root}/0.avif"


def test_pictures_of_any_depth_are_listed_and_the_rest_is_named(tmp_path):
    root = write(tmp_path / "p", 2)
    write(root / "a" / "b", 2)
    expected = spoilt(root)
    found, unused = pictures_at(str(root))
    assert list(found) == ["00.png", "01.png", "a/b/00.png", "a/b/01.png"]
    assert {kind: sum(one.kind == kind for one in unused) for kind in expected} == expected
