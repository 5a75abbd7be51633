"""Small sets of images, written by the tests themselves."""

import gzip
import json
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.errors import UserError

CPU = torch.device("cpu")


def idx_bytes(array, kind=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx(directory, n=200, side=28, prefix="train", packed=True, seed=0):
    """Write an MNIST-like pair of files; image i holds i in its first pixel, label i is i mod 10."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
    images[:, 0, 0] = np.arange(n) % 256
    labels = np.arange(n, dtype=np.uint8) % 10
    directory.mkdir(parents=True, exist_ok=True)
    pack, ending = (gzip.compress, ".gz") if packed else (bytes, "")
    (directory / f"{prefix}-images-idx3-ubyte{ending}").write_bytes(pack(idx_bytes(images)))
    (directory / f"{prefix}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(labels)))
    return images, labels


def take(source, k):
    return source.batch(*source.draw(k))


def in_order(data, which="train"):
    """Every image of a part of the data, as bytes."""
    source = getattr(data, which)
    size = source._order.batch_size
    batches = [take(source, k).x for k in range(source.size // size)]
    return [((x + 1) * 127.5).round().to(torch.uint8).numpy().tobytes() for batch in batches for x in batch]


def error_of(call):
    """Return the one line that reports a mistake."""
    with pytest.raises(UserError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


COLOURS, SHADES = ("red", "green", "blue"), ("dark", "light")


def write_tagged(directory, n=36):
    """Pictures of one colour in one shade, and a JSON file that says both; every third has a tag of its own too."""
    (directory / "pictures").mkdir(parents=True)
    tags, rng = {}, np.random.default_rng(0)
    for i in range(n):
        colour, shade = i % 3, i // 3 % 2
        pixels = rng.integers(0, 40, (16, 16, 3), dtype=np.uint8)
        pixels[..., colour] += np.uint8(80 + 100 * shade)
        Image.fromarray(pixels).save(directory / "pictures" / f"{i:02d}.png")
        tags[f"{i:02d}.png"] = [COLOURS[colour], SHADES[shade], *([f"own {i}"] if i % 3 == 0 else [])]
    (directory / "tags.json").write_text(json.dumps(tags))
    return f"dataset.path={directory / 'pictures'}", f"dataset.tags={directory / 'tags.json'}"


def write_table(directory, option):
    """A file of ten small images, as an option of the group `dataset` reads it."""
    images = np.random.default_rng(0).integers(0, 256, (10, 16, 16, 3), dtype=np.uint8)
    if option == "array":
        np.save(directory / "x.npy", images)
        return directory / "x.npy"
    if option == "hdf5":
        import h5py

        with h5py.File(directory / "x.h5", "w") as file:
            file["x"] = images
        return directory / "x.h5"
    import datasets

    pictures = {"image": [Image.fromarray(pixels) for pixels in images]}
    kinds = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict(pictures, features=kinds).to_parquet(directory / "x.parquet")
    return directory / "x.parquet"
