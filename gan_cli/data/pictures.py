"""Decoding of one image file, with the reason if it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageOps

from gan_cli.errors import UserError

MAX_PIXELS = 89_478_485  # a quarter of a GiB of RGB: more is taken for a decompression bomb, as Pillow warns of it

_GREY = ("1", "L", "LA", "La")
_COLOUR = ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA")
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_DEEP_FORMATS = ("PNG", "TIFF", "PPM", "SGI", "JPEG2000")  # Pillow halves their 16-bit colours without a word


class BadPicture(Exception):
    """A picture that cannot be used; the text is the reason."""


def colour_of(background: str) -> tuple[int, int, int]:
    """Return the RGB in [0, 255] of a colour given by name or as #rrggbb.

    Raises:
        UserError: there is no such colour.
    """
    try:
        return ImageColor.getrgb(background)[:3]
    except ValueError:
        raise UserError(
            f"dataset.background={background} is not a colour; use a name (white, black, gray) or '#rrggbb'"
        ) from None


def read_picture(
    file: BinaryIO, shape: Sequence[int], background: tuple[int, int, int], only_grey: bool = False
) -> np.ndarray:
    """Return the central square of a picture, (C, S, S) uint8.

    It is turned by its EXIF orientation, put on the background if it is transparent, and resized with Pillow's
    antialiased bicubic filter; of an animation the first frame is used. Grey from colour is the luma of ITU-R 601.

    Args:
        file: open for reading in binary, seekable.
        shape: (C, S, S), C is 1 or 3.
        background: RGB.
        only_grey: refuse a picture with colours.

    Raises:
        BadPicture: corrupt, truncated, more than 8 bits a channel, CMYK or another colour space, or too many pixels.
        UserError: `only_grey` is set and there are colours.
    """
    return squared(read_upright(file, background), shape, only_grey)


def read_upright(file: BinaryIO, background: tuple[int, int, int]) -> Image.Image:
    """Return a whole picture of mode L or RGB, turned by its EXIF orientation and put on the background.

    Raises:
        BadPicture: as `read_picture`.
    """
    with _decoded(file) as image:
        return _opaque(image, background)


class Whole(NamedTuple):
    """A picture of any size.

    Attributes:
        pixels: (C, H, W) uint8; what is transparent is on white.
        opaque: (1, H, W) bool.
        other_colours: its own colours are not those of C channels: they are lost, or three equal channels take the
            place of grey.
    """

    pixels: np.ndarray
    opaque: np.ndarray
    other_colours: bool


def read_whole(file: BinaryIO, channels: int) -> Whole:
    """Return a picture in its own size, turned by its EXIF orientation.

    Args:
        file: open for reading in binary, seekable.
        channels: C, 1 or 3.

    Raises:
        BadPicture: as `read_picture`.
    """
    with _decoded(file) as image:
        transparent = _is_transparent(image)
        alpha = np.asarray(image.convert("RGBA").getchannel("A")) if transparent else np.full(image.size[::-1], 255)
        image = _opaque(image, (255, 255, 255))
        pixels = np.atleast_3d(np.asarray(image.convert("L" if channels == 1 else "RGB"))).transpose(2, 0, 1)
        own = image.mode == "RGB" and bool((np.asarray(image) != np.asarray(image)[:, :, :1]).any())
        return Whole(pixels, (alpha == 255)[None], own if channels == 1 else image.mode == "L")


@contextmanager
def _decoded(file: BinaryIO) -> Iterator[Image.Image]:
    """Yield a picture, turned by its EXIF orientation; whatever a damaged one leads to is a BadPicture."""
    try:
        with Image.open(file) as image:
            _check(image)
            yield ImageOps.exif_transpose(image)
    except (BadPicture, UserError):
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(f"a decompression bomb: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise BadPicture("corrupt, or not a picture that Pillow can read") from error
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        truncated = "truncated" in str(error).casefold()
        raise BadPicture("truncated" if truncated else f"corrupt ({error or type(error).__name__})") from error


def has_colour(file: BinaryIO) -> bool:
    """Return whether a picture has colours by its header; False if it cannot be read."""
    try:
        with Image.open(file) as image:
            if image.mode == "P":
                palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
                return bool((palette != palette[:, :1]).any())
            return image.mode not in _GREY and image.mode[0] not in "IF"
    except Exception:  # the error that names the file comes when it is read in full
        return False


def _check(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadPicture(f"a decompression bomb: {width} x {height} pixels, more than {MAX_PIXELS:,}")
    if image.mode[0] in "IF" or _is_deep(image):
        raise BadPicture("more than 8 bits a channel (16-bit); convert it to 8 bits")
    if image.mode not in (*_GREY, *_COLOUR):
        raise BadPicture(f"{image.mode} colours; convert it to RGB or greyscale")


def _is_deep(image: Image.Image) -> bool:
    if image.format not in _DEEP_FORMATS:
        return False
    if image.format == "TIFF":
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, 8)
        return max(bits if isinstance(bits, tuple) else (bits,)) > 8
    decoders = [tile[3] for tile in image.tile]
    if image.format == "PPM":
        return any(isinstance(d, tuple) and isinstance(d[1], int) and d[1] > 255 for d in decoders)
    return any(";16" in str(d) for d in decoders)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info


def _opaque(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if _is_transparent(image):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image).convert("RGB")
    return image if image.mode == "L" else image.convert("L" if image.mode == "1" else "RGB")


def squared(image: Image.Image, shape: Sequence[int], only_grey: bool) -> np.ndarray:
    """Return the central square of a picture of mode L or RGB, (C, S, S) uint8.

    Raises:
        UserError: `only_grey` is set and there are colours.
    """
    channels, size, _ = shape
    if only_grey and image.mode == "RGB":
        pixels = np.asarray(image)
        if (pixels != pixels[:, :, :1]).any():
            raise UserError("has colours, but the first pictures have none: use dataset.channels=3 (or 1)")
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    image = image.convert("L" if channels == 1 else "RGB")
    image = image.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
