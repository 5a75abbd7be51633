"""Interpolation through the space of z."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.explore import clips
from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.clips import Clip
from gan_cli.analysis.explore.paths import Sharpest, path, sharpest
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import as_stored
from gan_cli.config.command_schemas import ClassKey, ExploreConfig


class Walk(Kind):
    """Pictures along a path through points of z (Radford et al. 2016, section 6.1), which should change without jumps.

    A generator that has memorised single images changes suddenly from one to the next. The sharpest transition measures
    this: the largest step between neighbouring frames, over the mean step of its path. Codes keep their values at the
    path's first point.

    Args:
        points: number of points of z on each path.
        frames: number of frames from one point to the next.
        paths: number of paths, each with its own points; in a run with classes each path has the next class.
        between: `slerp` moves on a sphere and so keeps the norm of z under a normal prior (White 2016); `lerp` is
            the straight line, which never leaves a bounded prior; `auto`: slerp for the normal prior, else lerp.
        closed: the path returns to its first point.
        columns: number of evenly spaced frames of each path in the strip.
        animation: file format of the animation.
        fps: its frames per second.
        y: class of every path; None: each class in turn.
    """

    data = "wanted"

    def __init__(
        self,
        points: Annotated[int, Field(ge=2)] = 4,
        frames: PositiveInt = 16,
        paths: PositiveInt = 4,
        between: Literal["auto", "lerp", "slerp"] = "auto",
        closed: bool = False,
        columns: Annotated[int, Field(ge=2)] = 16,
        animation: Literal["gif", "mp4", "none"] = "gif",
        fps: Annotated[float, Field(gt=0, le=50)] = 12.0,
        y: ClassKey | None = None,
    ) -> None:
        self.points, self.frames, self.paths = points, frames, paths
        self.between, self.closed = between, closed
        self.columns, self.animation, self.fps, self.y = columns, animation, fps, y

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return the strip, the animation and the sharpest transition."""
        if self.animation != "none":
            clips.require(self.animation)
        latent, batch_size = look.state.game.latent, config.batch_size
        between = latent.between if self.between == "auto" else self.between
        y = labels(look, self.y, self.paths)
        z = look.z(self.paths * self.points, config.seed).unflatten(0, (self.paths, self.points))
        noise = path(z[..., : latent.size], self.frames, self.closed, between)
        codes = z[:, :1, latent.size :].expand(-1, noise.shape[1], -1)
        way = torch.cat([noise, codes], dim=2)
        y = None if y is None else y.repeat_interleave(way.shape[1], dim=0)
        x = look.draw(way.flatten(0, 1), y, batch_size, "frames")
        spaces = {"pixels": x}
        if look.extractor is not None:
            spaces["features"] = extract(look.extractor, as_stored(x), batch_size).x
        jumps = {space: sharpest(v.unflatten(0, way.shape[:2]), self.closed) for space, v in spaces.items()}
        numbers = {"between": between, "sharpest": {space: self._entry(jump) for space, jump in jumps.items()}}
        lines = [f"{self.paths} paths of {way.shape[1]} frames, {between}"]
        lines += [self._line(space, jump) for space, jump in jumps.items()]
        return Found({"": self._strip(x.unflatten(0, way.shape[:2]))}, numbers, lines, self._moving(x, way.shape[1]))

    def _strip(self, x: Tensor) -> Any:
        """Return one row for each path, of frames that are as evenly spaced as possible."""
        n = min(self.columns, x.shape[1])
        chosen = torch.linspace(0, x.shape[1] - 1, n).round().long()
        return figures.image_grid(x[:, chosen].flatten(0, 1), n)

    def _moving(self, x: Tensor, n_frames: int) -> dict[str, Clip]:
        if self.animation == "none":
            return {}
        frames = torch.stack([torch.from_numpy(figures.image_grid(x[k::n_frames])) for k in range(n_frames)])
        return {"": Clip(frames.numpy(), self.fps, self.animation)}

    def _entry(self, jump: Sharpest) -> dict[str, Any]:
        return jump._asdict() | {"from_point": jump.step / self.frames}

    def _line(self, space: str, jump: Sharpest) -> str:
        if jump.ratio is None:
            return f"sharpest transition in {space}: none, because every frame is the same picture"
        start, within = divmod(jump.step, self.frames)
        where = f"path {jump.path}, frame {jump.step} (from point {start} to {(start + 1) % self.points}, at "
        return f"sharpest transition in {space}: {jump.ratio:.2f} times the mean step, {where}{within}/{self.frames})"
