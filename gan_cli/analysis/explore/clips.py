"""Animations as files: GIF by Pillow, MP4 by PyAV if it is installed."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from gan_cli.core.extras import pip_install
from gan_cli.errors import UserError

Format = Literal["gif", "mp4"]
_HUNDREDTHS = 100  # of a second: what a GIF's frames last in


class Clip(NamedTuple):
    """An animation.

    Attributes:
        frames: (T, height, width, 3) uint8.
        fps: frames per second.
        format: format of its file.
    """

    frames: np.ndarray
    fps: float
    format: Format


def require(format: Format) -> None:
    """Check that this format can be written on this machine.

    Raises:
        UserError: the library that it needs is not installed.
    """
    if format == "mp4" and find_spec("av") is None:
        raise UserError(f"kind.animation=mp4: PyAV is not installed; {pip_install('video')}, or use kind.animation=gif")


def encoded(clip: Clip) -> bytes:
    """Return the content of the file.

    Raises:
        UserError: the library that it needs is not installed.
    """
    require(clip.format)
    return _gif(clip) if clip.format == "gif" else _mp4(clip)


def _gif(clip: Clip) -> bytes:
    """Encode an endless GIF; each frame lasts a whole number of hundredths of a second."""
    frames = [Image.fromarray(frame) for frame in clip.frames]
    duration = 1000 // _HUNDREDTHS * max(2, round(_HUNDREDTHS / clip.fps))  # viewers slow down what lasts one
    content = io.BytesIO()
    frames[0].save(content, format="GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0)
    return content.getvalue()


def _mp4(clip: Clip) -> bytes:
    """Encode as H.264, which needs even sides: an odd side gets a white line."""
    from fractions import Fraction

    import av

    frames = np.pad(
        clip.frames,
        [(0, 0), *((0, side % 2) for side in clip.frames.shape[1:3]), (0, 0)],
        constant_values=255,
    )
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(clip.fps).limit_denominator(1000))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return content.getvalue()
