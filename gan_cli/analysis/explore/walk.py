"""Interpolation through the space of z."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor

from gan_cli.analysis import figures
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.explore import clips
from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.clips import Clip
from gan_cli.analysis.explore.paths import Sharpest, path, sharpest
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import as_stored
from gan_cli.config.schema import ExploreConfig


class Walk(Kind):
    """Pictures along a way through points of z (Radford et al. 2016, section 6.1): a meaningful one has no jumps.

    A generator that has learnt single images by heart changes suddenly from one to the next, which the sharpest
    transition tells: the largest step between neighbouring frames, over the mean step of its path. Codes stay as at a
    path's first point.

    Args:
        points: of z on each path.
        frames: from one point to the next.
        paths: with points of their own; in a run with classes each is of the next class.
        between: `slerp` turns on a sphere and so keeps the norm that a normal prior's z have (White 2016); `lerp` is
            the straight line, which never leaves a bounded prior; `auto`: slerp for the normal prior, else lerp.
        closed: the way returns to its first point.
        columns: frames of each path in the strip, evenly spaced.
        animation: format of the moving picture.
        fps: its frames a second.
        y: class of every path; None: the classes in turn.
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
        y: NonNegativeInt | None = None,
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
        y = None if y is None else y.repeat_interleave(way.shape[1])
        x = look.draw(way.flatten(0, 1), y, batch_size, "frames")
        spaces = {"pixels": x}
        if look.extractor is not None:
            spaces["features"] = extract(look.extractor, as_stored(x), batch_size).x
        jumps = {space: sharpest(v.unflatten(0, way.shape[:2]), self.closed) for space, v in spaces.items()}
        numbers = {"between": between, "sharpest": {space: self._entry(jump) for space, jump in jumps.items()}}
        lines = [f"{self.paths} paths of {way.shape[1]} frames, {between}"]
        lines += [self._told(space, jump) for space, jump in jumps.items()]
        return Found({"": self._strip(x.unflatten(0, way.shape[:2]))}, numbers, lines, self._moving(x, way.shape[1]))

    def _strip(self, x: Tensor) -> Any:
        """Return a row a path, of frames as evenly spaced as may be."""
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

    def _told(self, space: str, jump: Sharpest) -> str:
        if jump.ratio is None:
            return f"sharpest transition in {space}: none, as every frame is the same picture"
        start, within = divmod(jump.step, self.frames)
        where = f"path {jump.path}, frame {jump.step} (from point {start} to {(start + 1) % self.points}, at "
        return f"sharpest transition in {space}: {jump.ratio:.2f} times the mean step, {where}{within}/{self.frames})"
