"""Arrays in files: which axis has the channels, what is black and white, labels, and what is never in memory."""

import numpy as np
import pytest
import torch
from small_sets import CPU, error_of, take

from gan_cli.data import places
from gan_cli.data.array_file import HDF5, ArrayFile
from gan_cli.data.loader import Mapped, Resident
from gan_cli.data.rows import Rows, chunks

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 3, 8, 12), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (40, 1, 8, 12), dtype=np.uint16)
FLOATS = (RNG.random((40, 2, 8, 12)) * 2 - 1).astype(np.float32)
Y = np.arange(40) % 4


def npy(path, x, labels=None):
    np.save(path.with_suffix(".npy"), x)
    return ArrayFile, path.with_suffix(".npy")


def npz(path, x, labels=None):
    np.savez_compressed(path.with_suffix(".npz"), images=x, **({} if labels is None else {"labels": labels}))
    return ArrayFile, path.with_suffix(".npz")


def hdf5(path, x, labels=None):
    h5py = pytest.importorskip("h5py", reason='pip install "gan_cli[hdf5]"')
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("train/images", data=x, chunks=(7, *x.shape[1:]), compression="gzip")
        if labels is not None:
            file["labels"] = labels
    return HDF5, path.with_suffix(".h5")


FILES = pytest.mark.parametrize("write", [npy, npz, hdf5])


def opened(written, seed=0, batch_size=4, **keys):
    kind, path = written
    return kind(path=str(path), **keys).open(batch_size, seed, CPU)


def all_of(data, split="train"):
    """Every sample of a split once, in its order in the file."""
    source = getattr(data, split)
    return source.at(torch.arange(source.size)).x


@FILES
@pytest.mark.parametrize("resident", [True, False])
def test_bytes_and_16_bits_are_read_exactly(tmp_path, write, resident):
    for i, (x, most) in enumerate(((BYTES, 255), (DEEP, 65535), (DEEP.astype(">u2"), 65535))):
        written = write(tmp_path / str(i), x)
        data = opened(written, holdout=4, resident=resident)
        assert data.shape == x.shape[1:]
        assert isinstance(data.train, Resident if resident else Mapped)
        both = torch.cat([all_of(data), all_of(data, "heldout")])
        back = ((both.double() + 1) * most / 2).round().long().flatten(1)
        assert sorted(back.tolist()) == sorted(x.reshape(40, -1).astype(int).tolist())
        for k in (0, 3, 11):
            batch = take(data.train, k).x
            assert batch.dtype == torch.float32
            assert batch.shape == (4, *x.shape[1:])


@FILES
def test_in_memory_and_from_the_disk_the_batches_are_the_same(tmp_path, write):
    written = write(tmp_path / "x", FLOATS)
    there, here = (opened(written, resident=resident) for resident in (True, False))
    assert there.fingerprint == here.fingerprint
    for k in range(12):
        assert torch.equal(take(there.train, k).x, take(here.train, k).x)


@FILES
def test_both_layouts_are_the_same_images(tmp_path, write):
    usual = opened(write(tmp_path / "a", BYTES))
    last = opened(write(tmp_path / "b", BYTES.transpose(0, 2, 3, 1)))
    assert (usual.fingerprint, usual.shape) == (last.fingerprint, last.shape)
    assert opened(write(tmp_path / "c", BYTES[:, 0])).shape == (1, 8, 12)


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((9, 3, 4, 5), "auto", (9, 3, 4, 5)),
        ((9, 4, 5, 3), "auto", (9, 3, 4, 5)),
        ((9, 1, 8, 3), "auto", (9, 1, 8, 3)),
        ((9, 16, 64, 48), "auto", (9, 16, 64, 48)),
        ((9, 64, 48, 16), "auto", (9, 16, 64, 48)),
        ((9, 5, 8, 5), "auto", (9, 5, 8, 5)),
        ((9, 8, 8, 12), "nhwc", (9, 12, 8, 8)),
        ((9, 3, 8, 12), "nhwc", (9, 12, 3, 8)),
        ((9, 12, 8, 3), "nchw", (9, 12, 8, 3)),
        ((9, 8, 12), "auto", (9, 1, 8, 12)),
        ((9, 8), "auto", (9, 8)),
    ],
)
def test_which_axis_has_the_channels(shape, layout, expected):
    x = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    rows = Rows(x.shape, x.dtype, x.__getitem__, "x", layout)
    assert rows.shape == expected
    assert rows[np.array([2, 0])].shape == (2, *expected[1:])


def test_a_range_says_what_is_black_and_what_is_white(tmp_path):
    twelve_bits = (DEEP // 16).astype(np.uint16)
    data = opened(npy(tmp_path / "x", twelve_bits), holdout=4, range=(0, 4095))
    expected = opened(npy(tmp_path / "y", (twelve_bits / 2047.5 - 1).astype(np.float32)), holdout=4)
    torch.testing.assert_close(all_of(data), all_of(expected), rtol=0, atol=1e-6)
    unit = opened(npy(tmp_path / "z", (twelve_bits / 4095).astype(np.float64)), holdout=4, range=(0, 1))
    torch.testing.assert_close(all_of(unit), all_of(data), rtol=0, atol=1e-6)
    whole = opened(npy(tmp_path / "i", twelve_bits.astype(np.int64)), holdout=4, range=(0, 4095))
    assert torch.equal(all_of(whole), all_of(data))


@FILES
def test_labels_belong_to_their_samples(tmp_path, write):
    if write is npy:
        pytest.skip("one array has no labels")
    written = write(tmp_path / "x", BYTES, Y.astype(np.uint8))
    data = opened(written, classes=[2, 0], holdout=3)
    assert data.class_names == ("2", "0")
    batch = take(data.train, 1)
    for image, label in zip(((batch.x + 1) * 127.5).round().to(torch.uint8).numpy(), batch.y.tolist(), strict=True):
        (at,) = np.flatnonzero((image == BYTES).reshape(40, -1).all(axis=1))
        assert (2, 0)[label] == Y[at]
    kind, path = written
    assert kind(path=str(path)).expected_classes() == 4
    assert opened(written, labels=None).class_names is None
    assert "dataset.labels=tags: " in error_of(lambda: opened(written, labels="tags"))


def test_the_key_names_one_of_several_arrays(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, a=BYTES, b=FLOATS)
    text = error_of(lambda: ArrayFile(str(path)).expected_shape())
    assert text == f"dataset.path={path} has the arrays a, b: name the samples with dataset.key=NAME"
    assert ArrayFile(str(path), key="b").expected_shape() == (2, 8, 12)
    assert "dataset.key=c: " in error_of(lambda: ArrayFile(str(path), key="c").expected_shape())
    np.savez(path, x=BYTES, samples=FLOATS)
    assert ArrayFile(str(path)).expected_shape() == (2, 8, 12)  # as `gan sample` writes them


def test_points(tmp_path):
    points = RNG.normal(size=(40, 5)) * 1e3
    data = opened(npy(tmp_path / "x", points), holdout=4)
    assert data.shape == (5,)
    both = torch.cat([all_of(data), all_of(data, "heldout")])
    assert sorted(both.tolist()) == sorted(points.astype(np.float32).tolist())
    assert opened(npy(tmp_path / "i", np.arange(80).reshape(40, 2))).shape == (2,)
    assert "dataset.flip=true" in error_of(lambda: opened(npy(tmp_path / "x", points), flip=True))
    assert "dataset.range is for images" in error_of(lambda: opened(npy(tmp_path / "x", points), range=(0, 1)))


def test_a_npy_file_stays_on_the_disk(tmp_path):
    written = npy(tmp_path / "x", BYTES.transpose(0, 2, 3, 1))
    dataset = ArrayFile(str(written[1]), resident=False)
    data = dataset.open(4, 0, CPU)
    x = dataset.arrays().x._take.__closure__[0].cell_contents
    assert isinstance(x, np.memmap)
    assert take(data.train, 0).x.shape == (4, 3, 8, 12)


def bad_npy(tmp_path, content):
    (tmp_path / "bad.npy").write_bytes(content)
    return tmp_path / "bad.npy"


WRONG = {
    "no path": (lambda t: None, {}, "dataset=array needs a file; use dataset.path=FILE.npy (or .npz)"),
    "absent": (lambda t: t / "absent.npy", {}, "does not exist: it must be FILE.npy (or .npz)"),
    "directory": (lambda t: t, {}, "is a directory"),
    "other ending": (lambda t: (t / "x.txt").write_text("") or t / "x.txt", {}, "it must be FILE.npy (or .npz)"),
    "empty": (lambda t: bad_npy(t, b""), {}, "cannot be read"),
    "text": (lambda t: bad_npy(t, b"hello, this is no array at all"), {}, "cannot be read"),
    "cut": (lambda t: bad_npy(t, npy(t / "x", BYTES)[1].read_bytes()[:-9]), {}, "cannot be read"),
    "no archive": (lambda t: (t / "x.npz").write_text("PK") and t / "x.npz", {}, "cannot be read"),
    "objects": (lambda t: npy(t / "x", np.array([{}], dtype=object))[1], {}, "cannot be read"),
    "text items": (lambda t: npy(t / "x", np.array([["a"], ["b"]]))[1], {}, "they must be numbers"),
    "channels": (lambda t: npy(t / "x", np.zeros((9, 17, 18, 18), np.uint8))[1], {}, "with 1 to 16 channels"),
    "dimensions": (lambda t: npy(t / "x", np.zeros(9))[1], {}, "they must be images (N, C, H, W)"),
    "none": (lambda t: npy(t / "x", np.zeros((0, 1, 8, 8), np.uint8))[1], {}, "they must be images (N, C, H, W)"),
    "integers": (lambda t: npy(t / "x", BYTES.astype(int))[1], {}, "floating-point in [-1, 1]; or 'dataset.range="),
    "unit": (lambda t: npy(t / "x", np.abs(FLOATS))[1], {}, "must be in [-1, 1]: give 'dataset.range=[0,1]'"),
    "of bytes": (lambda t: npy(t / "x", BYTES / 1.0)[1], {}, "must be in [-1, 1]: give 'dataset.range=[0,255]'"),
    "nan": (lambda t: npy(t / "x", np.where(FLOATS > 0.99, np.nan, FLOATS))[1], {}, "are not finite"),
    "outside": (lambda t: npy(t / "x", BYTES)[1], {"range": (5, 100)}, "does not hold them: 'dataset.range=[0,255]'"),
    "labels": (lambda t: npz(t / "x", BYTES, Y[:-1])[1], {}, "one for each of the 40 samples"),
    "float labels": (lambda t: npz(t / "x", BYTES, Y / 1)[1], {}, "they must be whole numbers from 0"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_refused(tmp_path, kind):
    make, keys, message = WRONG[kind]
    path = make(tmp_path)
    text = error_of(lambda: ArrayFile(path=None if path is None else str(path), **keys).open(4, 0, CPU))
    assert message in text


def test_a_range_without_extent():
    with pytest.raises(ValueError, match=r"must be \[LOW,HIGH\], black and white, with LOW below HIGH"):
        ArrayFile(range=(1, 1))


def test_a_file_that_is_no_hdf5_and_a_missing_library(tmp_path, monkeypatch):
    pytest.importorskip("h5py", reason='pip install "gan_cli[hdf5]"')
    (tmp_path / "x.h5").write_text("hello")
    assert "cannot be read" in error_of(lambda: HDF5(str(tmp_path / "x.h5")).expected_shape())
    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: None)
    assert error_of(lambda: HDF5(str(tmp_path / "x.h5")).expected_shape()) == (
        'dataset=hdf5: h5py reads its file and is not installed: pip install "gan_cli[hdf5]"'
    )


def test_few_large_samples_are_handled_at_a_time():
    large = np.broadcast_to(np.uint8(0), (5, 3, 4000, 4000))
    assert list(chunks(large)) == [slice(i, i + 1) for i in range(5)]
    assert list(chunks(BYTES.astype(np.float32))) == [slice(0, 40)]
    assert list(chunks(BYTES, 7)) == [slice(0, 7)]
