"""How an image of any size becomes one of the wanted size, and what that loses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gan_cli.core.shapes import Sides

Fit = Literal["crop", "pad", "stretch"]

_SLIGHT = 0.005  # of an area: not worth a message


def cropped(size: Sides, wanted: Sides) -> tuple[float, float]:
    """Return height and width of the largest part of an image that has the wanted shape."""
    (height, width), (h, w) = size, wanted
    return min(height, width * h / w), min(width, height * w / h)


def padded(size: Sides, wanted: Sides) -> Sides:
    """Return the largest height and width of a whole image within the wanted ones, in whole pixels."""
    (height, width), (h, w) = size, wanted
    return max(1, min(h, round(height * w / width))), max(1, min(w, round(width * h / height)))


def note(sizes: Sequence[Sides], wanted: Sides, fit: Fit) -> str | None:
    """Return what the fit changes of images, in a line; None: less than half a percent.

    Args:
        sizes: of some of the images.
        wanted: of all.
        fit: crop, pad or stretch.
    """
    shares = [share for size in sizes if (share := _unlike(size, wanted)) > _SLIGHT]
    if not shares:
        return None
    mean, most = sum(shares) / len(shares), max(shares)
    one = len(set(sizes)) == 1
    which = f"pictures of {sizes[0][0]} x {sizes[0][1]}" if one else f"{len(shares)} of {len(sizes)} pictures looked at"
    much = f"{mean:.0%} of their area" + ("" if one else f" on average, {most:.0%} at most,")
    if fit == "crop":
        return f"dataset.fit=crop: {which} are cut to their centre: {much} is lost; dataset.fit=pad or stretch keeps it"
    if fit == "pad":
        much = much.replace("their area", "the image")
        return f"dataset.fit=pad: {which} do not fill the image: {much} is background"
    return (
        f"dataset.fit=stretch: {which} are stretched: the ratio of their sides changes {1 / (1 - most):.2f} times"
        + ("" if one else " at most")
    )


def _unlike(size: Sides, wanted: Sides) -> float:
    """Return the share of an image's area that the largest part of the wanted shape leaves out."""
    height, width = cropped(size, wanted)
    return 1 - height * width / (size[0] * size[1])
