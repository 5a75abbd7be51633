"""Decoding of one image file, with the reason if it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageColor

from gan_cli.core.shapes import Sides
from gan_cli.data.fitting import Fit, cropped, padded
from gan_cli.data.png_texts import without_large_texts
from gan_cli.errors import UserError

MAX_PIXELS = 89_478_485  # a quarter of a GiB of RGB: more is taken for a decompression bomb, as Pillow warns of it

_GREY = ("1", "L", "LA", "La")
_COLOUR = ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA")
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_DEEP_FORMATS = ("PNG", "TIFF", "PPM", "SGI", "JPEG2000")  # Pillow halves their 16-bit colours without a word
_TO_8_BITS = 257  # 65535 / 255
_ORIENTATION = 0x0112  # a tag of EXIF; 5 and more: turned by a quarter
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    file: BinaryIO,
    shape: Sequence[int],
    background: tuple[int, int, int],
    only_grey: bool = False,
    fit: Fit = "crop",
) -> np.ndarray:
    """Return a picture as (C, H, W) uint8.

    It is turned by its EXIF orientation, put on the background if it is transparent, and resized with Pillow's
    antialiased bicubic filter; of an animation the first frame is used. Grey from colour is the luma of ITU-R 601. Of
    16 bits a pixel of a grey picture, v / 257 is rounded, so that 65535 is 255.

    Args:
        file: open for reading in binary, seekable.
        shape: (C, H, W), C is 1 or 3.
        background: RGB.
        only_grey: refuse a picture with colours.
        fit: `crop`: the largest central part of the shape H x W; `pad`: the whole picture, on the background; or
            `stretch`: the whole picture, its sides by themselves.

    Raises:
        BadPicture: corrupt, truncated, colours of more than 8 bits a channel, CMYK or another colour space, or too many
            pixels.
        UserError: `only_grey` is set and there are colours.
    """
    return fitted(read_upright(file, background), shape, only_grey, fit, background)


def read_upright(file: BinaryIO, background: tuple[int, int, int]) -> Image.Image:
    """Return a whole picture, turned by its EXIF orientation and put on the background.

    Its mode is L or RGB; of 16-bit grey F, in [0, 255].

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
        image = _to_bytes(_opaque(image, (255, 255, 255)))
        pixels = np.atleast_3d(np.asarray(image.convert("L" if channels == 1 else "RGB"))).transpose(2, 0, 1)
        own = image.mode == "RGB" and bool((np.asarray(image) != np.asarray(image)[:, :, :1]).any())
        return Whole(pixels, (alpha == 255)[None], own if channels == 1 else image.mode == "L")


@contextmanager
def _decoded(file: BinaryIO) -> Iterator[Image.Image]:
    """Yield a picture, turned by its EXIF orientation; whatever a damaged one leads to is a BadPicture."""
    try:
        with _opened(file, load=True) as image:
            yield _upright(image)
    except (BadPicture, UserError):
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(f"a decompression bomb: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise BadPicture("corrupt, or not a picture that Pillow can read") from error
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        truncated = "truncated" in str(error).casefold()
        raise BadPicture("truncated" if truncated else f"corrupt ({error or type(error).__name__})") from error


def _opened(file: BinaryIO, load: bool = False) -> Image.Image:
    """Open a picture, and where asked read its pixels; the texts beside them may be of any size."""
    try:
        image = Image.open(file)
        if load:
            _check(image)
            image.load()
    except ValueError as error:  # Pillow refuses a whole picture for its texts
        if "MAX_TEXT" not in str(error):
            raise
        return _opened(without_large_texts(file), load)
    return image


class Header(NamedTuple):
    """What the first bytes of a picture say.

    Attributes:
        sides: height and width, turned by its EXIF orientation.
        has_colour: it has colours.
        is_deep: it is grey, of 16 bits a pixel.
    """

    sides: Sides
    has_colour: bool
    is_deep: bool


def header_of(file: BinaryIO) -> Header | None:
    """Return what a picture's header says; None if it cannot be read."""
    try:
        with _opened(file) as image:
            deep = _is_deep_grey(image)
            sides = image.size if _orientation(image) >= 5 else image.size[::-1]
            return Header(sides, not deep and _has_colour(image), deep)
    except Exception:  # the error that names the file comes when it is read in full
        return None


def shows_background(file: BinaryIO) -> bool:
    """Return whether a picture is transparent somewhere; False if it cannot be read."""
    try:
        with _opened(file) as image:
            return _is_transparent(image) and image.convert("RGBA").getextrema()[3][0] < 255
    except Exception:  # as in `header_of`
        return False


def _orientation(image: Image.Image) -> int:
    """Return the orientation that EXIF says, 1 where it says none."""
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF, which does not keep the picture from being read
        return 1
    return found if found in _TURNS else 1


def _upright(image: Image.Image) -> Image.Image:
    """Return a picture turned by its orientation; ImageOps.exif_transpose fails where other EXIF is damaged."""
    orientation = _orientation(image)
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _has_colour(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in _GREY and image.mode[0] not in "IF"


def _check(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadPicture(f"a decompression bomb: {width} x {height} pixels, more than {MAX_PIXELS:,}")
    if _is_deep_grey(image):
        if "transparency" in image.info:
            raise BadPicture("16-bit grey with a transparent value; convert it to 8 bits")
        return
    if image.mode[0] in "IF" or _is_deep(image):
        raise BadPicture("more than 8 bits a channel (16-bit), and not 16-bit grey; convert it to 8 bits")
    if image.mode not in (*_GREY, *_COLOUR):
        raise BadPicture(f"{image.mode} colours; convert it to RGB or greyscale")


def _is_deep_grey(image: Image.Image) -> bool:
    """Return whether a picture is grey of 16 bits; Pillow's mode I of these formats has no more."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


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
    if image.mode[0] == "I":
        return Image.fromarray(np.asarray(image).astype(np.float32) / _TO_8_BITS)
    if _is_transparent(image):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image).convert("RGB")
    return image if image.mode == "L" else image.convert("L" if image.mode == "1" else "RGB")


def _to_bytes(image: Image.Image) -> Image.Image:
    """Return a picture of mode F as L; others as they are."""
    return Image.fromarray(np.asarray(image).round().clip(0, 255).astype(np.uint8)) if image.mode == "F" else image


def fitted(
    image: Image.Image, shape: Sequence[int], only_grey: bool, fit: Fit, background: tuple[int, int, int]
) -> np.ndarray:
    """Return what `read_upright` returned as (C, H, W) uint8; arguments as for `read_picture`.

    Raises:
        UserError: `only_grey` is set and there are colours.
    """
    channels, *wanted = shape
    if only_grey and image.mode == "RGB":
        pixels = np.asarray(image)
        if (pixels != pixels[:, :, :1]).any():
            whose = " on its background" * (len(set(background)) > 1)
            raise UserError(f"has colours{whose}, but the first pictures have none: use dataset.channels=3 (or 1)")
    if image.mode != "F":
        image = image.convert("L" if channels == 1 else "RGB")
    image = _to_bytes(_resized(image, (wanted[0], wanted[1]), fit, background))
    pixels = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
    return np.repeat(pixels, channels, axis=0) if len(pixels) < channels else pixels


def _resized(image: Image.Image, wanted: Sides, fit: Fit, background: tuple[int, int, int]) -> Image.Image:
    size, bicubic = image.size[::-1], Image.Resampling.BICUBIC
    if fit == "stretch":
        return image.resize(wanted[::-1], bicubic)
    if fit == "crop":
        height, width = cropped(size, wanted)
        left, top = (size[1] - width) / 2, (size[0] - height) / 2
        return image.resize(wanted[::-1], bicubic, box=(left, top, left + width, top + height))
    height, width = padded(size, wanted)
    canvas = Image.new("RGB", wanted[::-1], background).convert("L" if image.mode == "F" else image.mode)
    canvas = canvas.convert(image.mode)
    canvas.paste(image.resize((width, height), bicubic), ((wanted[1] - width) // 2, (wanted[0] - height) // 2))
    return canvas
