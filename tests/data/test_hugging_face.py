"""Tables of pictures: the same images as in a directory, from every kind of table, and each error's line."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from small_sets import CPU, error_of, take

from gan_cli.data import places
from gan_cli.data.folder import Folder
from gan_cli.data.hugging_face import HuggingFace

datasets = pytest.importorskip("datasets", reason='pip install "gan_cli[huggingface]"')
pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
NAMES = ["cats", "dogs"]
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 16, 24, 3), dtype=np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hub"))


def table(pictures=PIXELS, **features):
    kinds = {"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)} | features
    columns = {"image": [{"bytes": png(p), "path": None} for p in pictures], "label": [i % 2 for i in range(20)]}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


def opened(path, **keys):
    return HuggingFace(**{"image_size": (16, 24), "path": str(path), "holdout": 3, **keys}).open(4, 0, CPU)


def parquet(path):
    table().to_parquet(path / "one.parquet")
    return path / "one.parquet"


def directory(path):
    (path / "several" / "data").mkdir(parents=True)
    table().select(range(12)).to_parquet(path / "several" / "data" / "train-00000-of-00002.parquet")
    table().select(range(12, 20)).to_parquet(path / "several" / "data" / "train-00001-of-00002.parquet")
    return path / "several"


def saved(path):
    table().save_to_disk(path / "saved")
    return path / "saved"


def saved_splits(path):
    datasets.DatasetDict({"train": table(), "test": table().select(range(9))}).save_to_disk(path / "splits")
    return path / "splits"


@pytest.mark.parametrize("write", [parquet, directory, saved, saved_splits])
def test_the_images_of_every_kind_of_table(tmp_path, write):
    data = opened(write(tmp_path))
    assert (data.shape, data.class_names) == ((3, 16, 24), ("cats", "dogs"))
    both = torch.cat([source.at(torch.arange(source.size)).x for source in (data.train, data.heldout)])
    found = ((both + 1) * 127.5).round().byte().flatten(1).tolist()
    assert sorted(found) == sorted(PIXELS.transpose(0, 3, 1, 2).reshape(20, -1).tolist())
    batch = take(data.train, 0)
    for image, label in zip(((batch.x + 1) * 127.5).round().byte().numpy(), batch.y.tolist(), strict=True):
        (at,) = np.flatnonzero((PIXELS.transpose(0, 3, 1, 2) == image).reshape(20, -1).all(axis=1))
        assert label == at % 2


def test_another_split(tmp_path):
    path = saved_splits(tmp_path)
    assert opened(path, split="test").train.size == 6
    assert "(split valid) cannot be read: " in error_of(lambda: opened(path, split="valid"))
    assert "(split valid) cannot be read: " in error_of(lambda: opened(parquet(tmp_path), split="valid"))


def test_the_same_as_a_directory_of_the_same_pictures(tmp_path):
    (tmp_path / "p").mkdir()
    for i, pixels in enumerate(PIXELS):
        (tmp_path / "p" / f"{i:02d}.png").write_bytes(png(pixels))
    there = Folder((8, 8), str(tmp_path / "p"), holdout=3).open(4, 0, CPU)
    here = opened(parquet(tmp_path), image_size=(8, 8), labels=None)
    assert here.fingerprint == there.fingerprint
    assert here.notes == there.notes != ()


def test_plain_bytes_and_numbers_as_labels(tmp_path):
    columns = {"jpg": [png(p) for p in PIXELS], "y": [i % 3 for i in range(20)], "text": ["a"] * 20}
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "x.parquet")
    data = opened(tmp_path / "x.parquet")
    assert data.class_names == ("0", "1", "2")
    assert opened(tmp_path / "x.parquet", labels=None).class_names is None
    assert opened(tmp_path / "x.parquet", column="jpg").fingerprint == data.fingerprint
    for key in ("column", "labels"):
        text = error_of(lambda key=key: opened(tmp_path / "x.parquet", **{key: "absent"}))
        assert text.startswith(f"dataset.{key}=absent: the table has")
    columns["y"][7] = -1
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "x.parquet")
    assert "some rows have no class (-1)" in error_of(lambda: opened(tmp_path / "x.parquet"))


def test_which_column(tmp_path):
    columns = {"a": [png(p) for p in PIXELS], "b": [png(p) for p in PIXELS]}
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "two.parquet")
    text = error_of(lambda: opened(tmp_path / "two.parquet"))
    assert text.endswith("has several columns of pictures: dataset.column=NAME, one of a, b")
    datasets.Dataset.from_dict({"text": ["a"] * 9}).to_parquet(tmp_path / "none.parquet")
    assert "has no column of pictures" in error_of(lambda: opened(tmp_path / "none.parquet"))


def test_bad_pictures_are_named_or_skipped(tmp_path):
    columns = {"image": [png(p) for p in PIXELS]}
    columns["image"][5] = b"nonsense"
    datasets.Dataset.from_dict(columns).to_parquet(tmp_path / "x.parquet")
    text = error_of(lambda: opened(tmp_path / "x.parquet"))
    assert "x.parquet/train/image/5: corrupt" in text
    assert "dataset.skip_bad=true" in text
    data = opened(tmp_path / "x.parquet", skip_bad=True)
    assert data.train.size + data.heldout.size == 19
    assert [unused.kind for unused in data.unused] == ["unreadable"]


def test_a_table_that_names_files_reads_none(tmp_path):
    (tmp_path / "secret.png").write_bytes(png(PIXELS[0]))
    rows = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 9
    kinds = datasets.Features({"image": datasets.Image()})
    whole = datasets.Dataset.from_dict({"image": rows}, features=kinds)
    pyarrow_parquet.write_table(whole.data.table, tmp_path / "x.parquet")
    assert "the table does not hold its bytes" in error_of(lambda: opened(tmp_path / "x.parquet"))


def test_mistakes(tmp_path, monkeypatch):
    for keys in ({"path": None}, {"hub": "a/b"}):
        dataset = HuggingFace(**{"image_size": 16, "path": str(tmp_path), **keys})
        assert "needs one of dataset.path=FILE.parquet (or a directory)" in error_of(dataset.expected_shape)
    (tmp_path / "x.parquet").write_text("hello")
    assert "x.parquet (split train) cannot be read: " in error_of(lambda: opened(tmp_path / "x.parquet"))
    assert "no such file or directory" in error_of(lambda: opened(tmp_path / "absent"))
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: None)
    assert error_of(lambda: opened(tmp_path)) == (
        'dataset=huggingface: datasets reads its table and is not installed: pip install "gan_cli[huggingface]"'
    )


def test_the_hub_is_asked_by_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append((a, k)) or table())
    data = HuggingFace(16, hub="ylecun/mnist", subset="a", holdout=3).open(4, 0, CPU)
    assert data.class_names == ("cats", "dogs")
    assert asked == [(("ylecun/mnist", "a"), {"split": "train"})]

    def unreachable(*words, **keys):
        raise ConnectionError("Couldn't reach\nthe Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    assert error_of(HuggingFace(16, hub="ylecun/mnist").expected_shape) == (
        "dataset.hub=ylecun/mnist (split train) cannot be read: Couldn't reach the Hub; dataset.path=FILE.parquet "
        "needs no network"
    )
