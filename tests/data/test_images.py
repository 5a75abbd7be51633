"""The public sets: where files are found, what is read, how it is split, and each error's line."""

import gzip
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from small_sets import CPU, error_of, idx_bytes, in_order, take, write_idx

from gan_cli.data import images as module
from gan_cli.data import places
from gan_cli.data.celeba import CelebA
from gan_cli.data.collection import resize
from gan_cli.data.idx import read_idx
from gan_cli.data.images import MNIST, FashionMNIST, FashionMNIST10k
from gan_cli.data.lsun import LSUNBedroom
from gan_cli.data.split import split
from gan_cli.data.torchvision_sets import CIFAR10, SVHN
from tests.children import fresh

# ---- the shipped images


def test_shipped_images_are_read_whole():
    data = FashionMNIST10k(image_size=28).open(64, 0, CPU)
    assert data.shape == (1, 28, 28) == FashionMNIST10k(image_size=28).expected_shape()
    assert (data.train.size, data.heldout.size) == (9500, 500)
    assert data.class_names[9] == "Ankle boot"
    collection = FashionMNIST10k(image_size=28).collect()
    assert np.bincount(collection.labels).tolist() == [1000] * 10
    assert collection.labels[:5].tolist() == [9, 2, 1, 1, 6]  # the split's published order: boot, pullover, trousers


def test_damaged_shipped_file_is_refused(monkeypatch):
    monkeypatch.setitem(module._SHIPPED_SHA256, "t10k-labels-idx1-ubyte", "0" * 64)
    text = error_of(lambda: FashionMNIST10k(image_size=32).open(64, 0, CPU))
    assert "t10k-labels-idx1-ubyte.gz is damaged" in text
    assert "0" * 64 in text


def test_shipped_images_do_not_import_torchvision():
    code = (
        "import sys, torch; from gan_cli.data.images import FashionMNIST10k as F;"
        "F(image_size=8, limit=64).open(8, 0, torch.device('cpu'));"
        "from gan_cli.data.synthetic import Ring; Ring().open(8, 0, torch.device('cpu'));"
        "from gan_cli.data import folder, celeba, lsun, torchvision_sets;"
        "sys.exit(any(m in sys.modules for m in ('torchvision', 'sklearn', 'scipy', 'lmdb')))"
    )
    fresh("-c", code)


# ---- idx files


def test_idx_round_trip(tmp_path):
    for packed in (True, False):
        images, labels = write_idx(tmp_path / str(packed), packed=packed)
        ending = ".gz" if packed else ""
        directory = tmp_path / str(packed)
        np.testing.assert_array_equal(read_idx(directory / f"train-images-idx3-ubyte{ending}", 3), images)
        np.testing.assert_array_equal(read_idx(directory / f"train-labels-idx1-ubyte{ending}", 1), labels)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an idx file"),
        (b"hello, world, this is text", "not an idx file"),
        (idx_bytes(np.zeros(4)), "not an idx file"),  # one dimension where three are wanted
        (idx_bytes(np.zeros((2, 3, 3)), kind=0x0D), "not an idx file"),  # floats
        (idx_bytes(np.zeros((2, 3, 3)))[:-1], "truncated"),
        (idx_bytes(np.zeros((2, 3, 3))) + b"x", "truncated"),
        (gzip.compress(idx_bytes(np.zeros((2, 3, 3))), mtime=0)[:-5], "cannot be read"),
        (gzip.compress(b"x" * 999, mtime=0)[:20] + b"\xff" * 20, "cannot be read"),
    ],
)
def test_bad_idx_file_is_named(tmp_path, content, expected):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    text = error_of(lambda: read_idx(path, 3))
    assert str(path) in text
    assert expected in text


def test_images_and_labels_must_match(tmp_path):
    write_idx(tmp_path, n=50)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(np.zeros(49))))
    assert "do not match" in error_of(lambda: MNIST(image_size=28, path=str(tmp_path)).open(8, 0, CPU))


# ---- where files are found


@pytest.mark.parametrize("layout", [".", "MNIST/raw", "raw"])
@pytest.mark.parametrize("packed", [True, False])
def test_path_in_each_layout(tmp_path, layout, packed):
    images, _ = write_idx(tmp_path / layout, packed=packed)
    data = MNIST(image_size=28, path=str(tmp_path), holdout=8).open(8, 0, CPU)
    kept = in_order(data) + in_order(data, "heldout")
    assert sorted(kept) == sorted(image.tobytes() for image in images)


def test_downloaded_set_is_found_again(user_directory, monkeypatch):
    fetched = []

    def download(self, root):
        fetched.append(root)
        write_idx(places.Path(root) / "MNIST" / "raw")

    monkeypatch.setattr(MNIST, "_download", download)
    for _ in range(2):
        assert MNIST(image_size=28).open(8, 0, CPU).train.size == 190
    assert len(fetched) == 1
    assert [p.name for p in (user_directory / "data").iterdir()] == ["mnist"]


def test_failed_download_says_what_would_serve_and_leaves_nothing(user_directory, monkeypatch):
    def download(self, root):
        (places.Path(root) / "part").write_text("half")
        raise RuntimeError("Error downloading x:\nTried y, got:\n<urlopen error no route>\n")

    monkeypatch.setattr(MNIST, "_download", download)
    text = error_of(lambda: MNIST(image_size=28).open(8, 0, CPU))
    assert "<urlopen error no route>" in text
    assert "train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz" in text
    assert str(user_directory / "data" / "mnist") in text
    assert "dataset.path=" in text
    assert list((user_directory / "data").iterdir()) == []


def test_download_that_another_process_finished_first_is_used(user_directory, monkeypatch):
    def download(self, root):
        write_idx(places.Path(root) / "MNIST" / "raw")
        write_idx(user_directory / "data" / "mnist")

    monkeypatch.setattr(MNIST, "_download", download)
    assert MNIST(image_size=28).open(8, 0, CPU).train.size == 190
    assert [p.name for p in (user_directory / "data").iterdir()] == ["mnist"]


def test_fashion_mnist_of_the_system_comes_before_a_download(tmp_path, monkeypatch):
    write_idx(tmp_path / "system")
    monkeypatch.setattr(FashionMNIST, "usual_places", (tmp_path / "system",))
    assert FashionMNIST(image_size=28).open(8, 0, CPU).train.size == 190


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (MNIST, "train-images-idx3-ubyte.gz"),
        (FashionMNIST, "train-images-idx3-ubyte.gz"),
        (FashionMNIST10k, "t10k-images-idx3-ubyte.gz"),
        (CIFAR10, "cifar-10-batches-py"),
        (SVHN, "train_32x32.mat"),
        (CelebA, "img_align_celeba"),
        (LSUNBedroom, "bedroom_train_lmdb"),
    ],
)
def test_wrong_path_names_it_and_what_was_expected(tmp_path, monkeypatch, dataset, expected):
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: object())  # extras are not the point here
    for path, what in (
        (tmp_path / "absent", "does not exist"),
        (tmp_path, "does not contain"),
        (tmp_path / "file", "is a file"),
    ):
        (tmp_path / "file").write_text("")
        text = error_of(lambda path=path: dataset(image_size=32, path=str(path)).open(8, 0, CPU))
        assert f"dataset.path={path} {what}" in text
        assert expected in text


@pytest.mark.parametrize(
    ("dataset", "extra", "library"),
    [(CelebA, "celeba", "gdown"), (LSUNBedroom, "lsun", "lmdb")],
)
def test_missing_library_names_the_extra(monkeypatch, dataset, extra, library):
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: None)
    text = error_of(lambda: dataset(image_size=32).open(8, 0, CPU))
    assert library in text
    assert f'pip install "gan_cli[{extra}]"' in text
    assert dataset is not CelebA or "img_align_celeba" in text  # a local copy needs no gdown


def test_lsun_without_a_database_says_where_it_goes(user_directory, monkeypatch):
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: object())
    text = error_of(lambda: LSUNBedroom(image_size=32).open(8, 0, CPU))
    assert str(user_directory / "data" / "lsun_bedroom") in text
    assert "no download" in text


# ---- sets of picture files


def photographs(directory, n=30, names="{:06d}.jpg"):
    directory.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(0, 256, (22, 18, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(directory / names.format(i + 1), quality=95)


@pytest.mark.parametrize("layout", ["celeba/img_align_celeba", "img_align_celeba", "faces"])
def test_celeba_reads_local_faces(tmp_path, layout):
    photographs(tmp_path / layout)
    root = tmp_path / "faces" if layout == "faces" else tmp_path
    dataset = CelebA(image_size=16, path=str(root), holdout=6)
    data = dataset.open(8, 0, CPU)
    assert data.shape == (3, 16, 16) == dataset.expected_shape()
    assert (data.train.size, data.heldout.size, data.class_names) == (24, 6, None)
    assert take(data.train, 0).y is None
    text = error_of(lambda: CelebA(image_size=16, path=str(root), classes=[1]).open(8, 0, CPU))
    assert "no class labels" in text


def test_lsun_reads_its_database(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    photographs(tmp_path / "pictures")
    with lmdb.open(str(tmp_path / "bedroom_train_lmdb"), map_size=2**24) as database, database.begin(write=True) as put:
        for path in (tmp_path / "pictures").iterdir():
            put.put(path.stem.rjust(40, "0").encode(), path.read_bytes())
    for root in (tmp_path, tmp_path / "bedroom_train_lmdb"):
        data = LSUNBedroom(image_size=16, path=str(root), holdout=6).open(8, 0, CPU)
        assert (data.shape, data.train.size) == ((3, 16, 16), 24)
    from gan_cli.data.folder import Folder

    same = Folder(image_size=16, path=str(tmp_path / "pictures"), holdout=6).open(8, 0, CPU)
    torch.testing.assert_close(take(data.train, 3).x, take(same.train, 3).x, rtol=0, atol=0)


def test_svhn_reads_its_file(tmp_path, monkeypatch):
    """The file's digit 0 has the label 10; torchvision checks its MD5, so a small one is let through here."""
    from torchvision.datasets import SVHN as Known

    monkeypatch.setattr(Known, "_check_integrity", lambda self: True)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 40), dtype=np.uint8)
    labels = np.tile(np.arange(1, 11), 4)[:, None]
    savemat(tmp_path / "train_32x32.mat", {"X": pixels, "y": labels})
    collection = SVHN(image_size=32, path=str(tmp_path)).collect()
    np.testing.assert_array_equal(collection.images[7], pixels[:, :, :, 7].transpose(2, 0, 1))
    assert collection.labels[8:11].tolist() == [9, 0, 1]
    assert SVHN(image_size=32, path=str(tmp_path), holdout=8).open(8, 0, CPU).shape == (3, 32, 32)


def test_cifar10_reads_its_files(tmp_path, monkeypatch):
    """Rows of 3,072 bytes: red, green, blue planes; torchvision checks MD5s, so small files are let through here."""
    cifar = pytest.importorskip("torchvision.datasets.cifar")
    monkeypatch.setattr(cifar, "check_integrity", lambda path, md5: True)
    directory = tmp_path / "cifar-10-batches-py"
    directory.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 3072), dtype=np.uint8)
    for i in range(5):
        (directory / f"data_batch_{i + 1}").write_bytes(pickle.dumps({"data": pixels[i], "labels": [i] * 8}))
    (directory / "batches.meta").write_bytes(pickle.dumps({"label_names": ["plane", "car", "bird", "cat", "deer"]}))
    collection = CIFAR10(image_size=32, path=str(directory)).collect()
    np.testing.assert_array_equal(collection.images[13], pixels[1, 5].reshape(3, 32, 32))
    assert (collection.labels[13], collection.class_names[3]) == (1, "cat")
    data = CIFAR10(image_size=32, path=str(tmp_path), classes=["cat", "car"], holdout=4).open(4, 0, CPU)
    assert (data.shape, data.train.size, data.class_names) == ((3, 32, 32), 12, ("cat", "car"))


def test_cifar10_that_is_not_the_published_one_is_refused(tmp_path):
    """CIFAR-10's files are pickles: torchvision reads none whose MD5 is not the published one."""
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")
    for path in (tmp_path, tmp_path / "cifar-10-batches-py"):
        text = error_of(lambda path=path: CIFAR10(image_size=32, path=str(path)).open(8, 0, CPU))
        assert "cifar-10-batches-py is damaged or incomplete" in text


# ---- resizing


@pytest.mark.parametrize("size", [8, 16, 32, 33, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_keeps_constants_and_ramps(size, channels):
    constant = np.full((2, channels, 28, 28), 77, dtype=np.uint8)
    assert (resize(constant, (size, size)) == 77).all()
    ramp = np.broadcast_to(np.arange(0, 224, 8, dtype=np.uint8), (1, channels, 28, 28))
    out = resize(np.ascontiguousarray(ramp), (size, size)).astype(float)
    # Linear interpolation keeps a linear ramp: pixel j's centre is at (j + 1/2) 28/size - 1/2 of the old pixels.
    expected = 8 * ((np.arange(size) + 0.5) * 28 / size - 0.5)
    inner = slice(size // 8, -size // 8)  # the border has no neighbours to interpolate with
    np.testing.assert_allclose(out[0, 0, size // 2, inner], expected[inner], atol=0.51)


def test_resize_to_the_same_size_is_the_identity_and_crops_the_centre():
    x = np.random.default_rng(0).integers(0, 256, (3, 1, 28, 28), dtype=np.uint8)
    np.testing.assert_array_equal(resize(x, (28, 28)), x)
    wide = np.zeros((1, 1, 8, 12), dtype=np.uint8)
    wide[..., 2:10] = 9
    assert (resize(wide, (8, 8)) == 9).all()


@pytest.mark.parametrize("size", [8, 28, 32, 48, 65])
def test_any_size_opens(tmp_path, size):
    write_idx(tmp_path, n=40)
    data = MNIST(image_size=size, path=str(tmp_path)).open(8, 0, CPU)
    x = take(data.train, 0).x
    assert x.shape == (8, 1, size, size)
    assert x.dtype == torch.float32
    assert -1 <= float(x.min()) < float(x.max()) <= 1


# ---- splits, limits, classes


def test_split_does_not_depend_on_seed_or_limit_and_does_not_overlap(tmp_path):
    write_idx(tmp_path)

    def opened(seed=0, **keys):
        return MNIST(image_size=28, path=str(tmp_path), holdout=40, **keys).open(8, seed, CPU)

    first, other = opened(), opened(seed=1)
    train, heldout = set(in_order(first)), set(in_order(first, "heldout"))
    assert (len(train), len(heldout)) == (160, 40)
    assert not train & heldout
    assert set(in_order(other)) == train
    assert set(in_order(other, "heldout")) == heldout
    assert in_order(other) != in_order(first)
    assert first.fingerprint == other.fingerprint
    small, smaller = opened(limit=80), opened(limit=16)
    assert set(in_order(small, "heldout")) == heldout
    assert set(in_order(smaller)) < set(in_order(small)) < train
    assert small.train.size == 80
    assert small.fingerprint != first.fingerprint


@pytest.mark.parametrize(
    ("n", "holdout", "held"),
    [(10_000, "auto", 500), (200_000, "auto", 5000), (5, "auto", 1), (100, 0.25, 25), (100, 7, 7), (10, 0.01, 1)],
)
def test_holdout_sizes(n, holdout, held):
    found = split(n, None, None, classes=None, holdout=holdout, limit=None)
    assert (len(found.heldout), len(found.train)) == (held, n - held)
    assert np.union1d(found.train, found.heldout).tolist() == list(range(n))


def test_holdout_of_everything_is_refused():
    text = error_of(lambda: split(100, None, None, classes=None, holdout=100, limit=None))
    assert "dataset.holdout=100" in text


def test_classes_are_kept_and_numbered_anew():
    dataset = FashionMNIST10k(image_size=28, classes=["ankle boot", 0])
    data = dataset.open(64, 0, CPU)
    assert data.class_names == ("Ankle boot", "T-shirt/top")
    assert data.train.size + data.heldout.size == 2000
    raw = FashionMNIST10k(image_size=28).collect()
    by_image = {image.tobytes(): int(y) for image, y in zip(raw.images, raw.labels, strict=True)}
    batch = take(data.train, 3)
    pixels = ((batch.x + 1) * 127.5).round().to(torch.uint8).numpy()
    assert [{0: 9, 1: 0}[int(y)] for y in batch.y] == [by_image[p.tobytes()] for p in pixels]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["boots"], "there is no class boots"),
        ([10], "there is no class 10"),
        ([-1], "no class -1"),
        ([1, "Trouser"], "once"),
        ([], "at least one"),
    ],
)
def test_wrong_classes(classes, expected):
    text = error_of(lambda: FashionMNIST10k(image_size=28, classes=classes).open(64, 0, CPU))
    assert expected in text
    assert "dataset.classes=[" in text
    if "no class" in expected:
        assert "9 Ankle boot" in text


def test_batch_larger_than_the_data_names_both(tmp_path):
    write_idx(tmp_path, n=50)
    text = error_of(lambda: MNIST(image_size=28, path=str(tmp_path)).open(64, 0, CPU))
    assert "48 image(s) to train on" in text
    assert "train.batch_size=64" in text
    text = error_of(lambda: MNIST(image_size=28, path=str(tmp_path), limit=10).open(16, 0, CPU))
    assert "10 image(s)" in text


def test_fixed_images_are_the_same_for_every_seed(tmp_path):
    write_idx(tmp_path)
    dataset = MNIST(image_size=28, path=str(tmp_path))
    one, two = dataset.open(8, 0, CPU), dataset.open(16, 5, CPU)
    torch.testing.assert_close(one.fixed(30).x, two.fixed(30).x, rtol=0, atol=0)
    assert one.fixed(30).y.tolist() == two.fixed(30).y.tolist()
    assert one.fixed(400).x.shape[0] == 400  # more than there are: from the start again
    assert set(one.fixed(190).y.tolist()) == set(range(10))


def test_fingerprint_follows_content_and_preparation(tmp_path):
    prints = set()
    for seed in (0, 1):
        write_idx(tmp_path / str(seed), seed=seed)
        for keys in ({}, {"image_size": 16}, {"holdout": 50}, {"classes": [1, 2]}, {"classes": [2, 1]}):
            keys = {"image_size": 28} | keys
            prints.add(MNIST(path=str(tmp_path / str(seed)), **keys).open(8, 0, CPU).fingerprint)
    assert len(prints) == 10
