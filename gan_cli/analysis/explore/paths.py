"""Paths in the space of z, and how evenly samples change along them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Between = Literal["lerp", "slerp"]
_STRAIGHT = 1e-4  # sine of the angle below which directions are taken as one


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return (1 - t) a + t b."""
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the point between a and b on a circle around 0 (Shoemake 1985; White 2016, section 2.1).

    The direction turns evenly and the norm goes evenly from |a| to |b|, so it is constant if they are equal. White
    weights a and b themselves, which is the same if the norms are equal. If a and b are on one line through 0 there is
    no single circle, and the path between them is straight.

    Args:
        a: (..., D), nowhere 0.
        b: (..., D), nowhere 0.
        t: in [0, 1], such that it broadcasts with (..., 1).
    """
    norm_a, norm_b = (x.norm(dim=-1, keepdim=True) for x in (a, b))
    cosine = ((a / norm_a) * (b / norm_b)).sum(dim=-1, keepdim=True).clamp(-1, 1)
    angle = cosine.acos()
    sine = angle.sin()
    direction = (((1 - t) * angle).sin() * (a / norm_a) + (t * angle).sin() * (b / norm_b)) / sine
    return torch.where(sine < _STRAIGHT, lerp(a, b, t), direction * lerp(norm_a, norm_b, t))


def path(points: Tensor, frames: int, closed: bool, between: Between) -> Tensor:
    """Return the path through points.

    Args:
        points: (paths, P, D).
        frames: number of steps from one point to the next.
        closed: the path returns from the last point to the first, which is not repeated.
        between: how two points are interpolated.

    Returns:
        (paths, T, D), T = frames P if closed, else frames (P - 1) + 1.
    """
    join = slerp if between == "slerp" else lerp
    ends = points.roll(-1, dims=1) if closed else points[:, 1:]
    starts = points if closed else points[:, :-1]
    t = torch.arange(frames, device=points.device)[:, None] / frames
    way = join(starts[:, :, None], ends[:, :, None], t).flatten(1, 2)
    return way if closed else torch.cat([way, points[:, -1:]], dim=1)


class Sharpest(NamedTuple):
    """The largest step of all paths, relative to its path.

    Attributes:
        ratio: its length over the mean length of its path's steps; 1 if all are equal. None: nothing changes on any
            path.
        path: number of the path.
        step: the step from frame `step` to the next.
    """

    ratio: float | None
    path: int
    step: int


def sharpest(x: Tensor, closed: bool) -> Sharpest:
    """Return the largest step between neighbouring frames, relative to the mean step of its path.

    Args:
        x: (paths, T, ...) what the generator makes along the paths, as values or features; T at least 2.
        closed: the last frame is followed by the first.
    """
    x = x.flatten(2).double()
    steps = ((x.roll(-1, dims=1) if closed else x[:, 1:]) - (x if closed else x[:, :-1])).norm(dim=2)
    mean = steps.mean(dim=1, keepdim=True)
    if not mean.any():
        return Sharpest(None, 0, 0)
    ratios = torch.where(mean > 0, steps / mean, 0.0)
    at = int(ratios.argmax())
    return Sharpest(float(ratios.flatten()[at]), at // steps.shape[1], at % steps.shape[1])
