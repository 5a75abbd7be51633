"""Pictures of 16 bits a pixel: scaled by 257, never cut off at white."""

import io

import numpy as np
import pytest
from PIL import Image
from small_sets import CPU, take

from gan_cli.data.folder import Folder
from gan_cli.data.pictures import header_of, read_picture, read_whole

VALUES = np.linspace(0, 65535, 16 * 24).round().astype(np.uint16).reshape(16, 24)
EXPECTED = (VALUES / 257).round().astype(np.uint8)


def encoded(kind):
    buffer = io.BytesIO()
    if kind == "PGM":
        buffer.write(b"P5 24 16 65535\n" + VALUES.astype(">u2").tobytes())
    elif kind == "big-endian TIFF":
        Image.frombytes("I;16B", (24, 16), VALUES.astype(">u2").tobytes()).save(buffer, "TIFF")
    else:
        Image.fromarray(VALUES).save(buffer, kind)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PGM", "big-endian TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_value_is_scaled(kind, channels):
    found = read_picture(encoded(kind), (channels, 16, 24), (255, 255, 255))
    np.testing.assert_array_equal(found, np.repeat(EXPECTED[None], channels, axis=0))
    whole = read_whole(encoded(kind), channels)
    np.testing.assert_array_equal(whole.pixels, found)
    header = header_of(encoded(kind))
    assert header == ((16, 24), False, True)


def test_resized_before_it_is_rounded():
    """Values that 8 bits cannot tell apart still have their mean."""
    pixels = np.indices((16, 16)).sum(axis=0) % 2 * 257
    buffer = io.BytesIO()
    Image.fromarray((pixels * 100 + 100).astype(np.uint16)).save(buffer, "PNG")
    small = read_picture(buffer, (1, 8, 8), (0, 0, 0))
    assert np.abs(small.astype(int) - 50).max() <= 1


def test_a_folder_of_them_is_grey_and_says_what_becomes_of_the_bits(tmp_path):
    for i in range(10):
        Image.fromarray(np.roll(VALUES, 24 * i)).save(tmp_path / f"{i}.png")
    dataset = Folder((16, 24), str(tmp_path))
    assert dataset.expected_shape() == (1, 16, 24)
    data = dataset.open(4, 0, CPU)
    assert data.notes == (
        "dataset: 16-bit pictures are converted to 8 bits (v / 257, rounded); dataset=array keeps 16 bits",
    )
    x = take(data.train, 0).x
    assert x.min() == -1
    assert x.max() == 1
    assert len(x.unique()) == 256
