"""Samples along each latent code."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.shares import share_of
from gan_cli.analysis.explore.sheets import sheet
from gan_cli.analysis.look import Look
from gan_cli.config.command_schemas import ClassKey, ExploreConfig
from gan_cli.errors import UserError
from gan_cli.latents.base import Latent, Place
from gan_cli.training.probes import buffers_kept


class Codes(Kind):
    """One code varied along a row, the rest of z fixed (Chen et al. 2016, figure 2); one picture for each code.

    A categorical code takes each of its values, a continuous one goes from -span to span: -2 to 2 in the paper, beyond
    the [-1, 1) of its training. A code's share is the variance of the pictures along the rows over that of all
    pictures. If the critic has heads that read codes, it is also measured how well Q predicts the value: for a
    categorical code the share of right predictions, for a continuous one the correlation of its mean with the value.

    Args:
        rows: number of rows, each with another z.
        columns: number of values of a continuous code.
        span: the largest of these values.
        code: number of the code, from 0, the categorical codes first; None: each code.
        y: class of every picture; None: another class in each row.
    """

    def __init__(
        self,
        rows: PositiveInt = 5,
        columns: Annotated[int, Field(ge=2)] = 10,
        span: PositiveFloat = 2.0,
        code: NonNegativeInt | None = None,
        y: ClassKey | None = None,
    ) -> None:
        self.rows, self.columns, self.span, self.code, self.y = rows, columns, span, code, y

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return a picture for each code, its share, and how well Q predicts it."""
        latent = look.state.game.latent
        places = latent.places()
        if not places:
            raise UserError("kind=codes: this run's z has no codes; train a run with loss=infogan")
        if self.code is not None and self.code >= len(places):
            raise UserError(f"kind.code={self.code}: the run's codes are 0 to {len(places) - 1}")
        z, y = look.z(self.rows, config.seed), labels(look, self.y, self.rows)
        pictures, numbers, lines = {}, {}, []
        for i, place in enumerate(places):
            if self.code not in (None, i):
                continue
            values = self._values(place)
            at = torch.stack([_with(latent, z, i, value) for value in values], dim=1)  # (rows, values, size)
            labelled = None if y is None else y.repeat_interleave(len(values), dim=0)
            x = look.draw(at.flatten(0, 1), labelled, config.batch_size, f"code {i}")
            tops = [f"{value:.1f}" if place.kind == "uniform" else str(int(value)) for value in values]
            pictures[f"code_{i}"] = sheet(x, len(values), (), tops)
            read = _read(look, x, at.flatten(0, 1), labelled, i, values)
            share = share_of(x.unflatten(0, (self.rows, len(values))))
            numbers[f"code_{i}"] = {"kind": place.kind, "values": values, "share_of_variance": share, "read_back": read}
            lines.append(_line(i, place, share, read))
        return Found(pictures, {"codes": numbers}, lines)

    def _values(self, place: Place) -> list[float]:
        if place.kind == "categorical":
            return [float(value) for value in range(place.size)]
        return torch.linspace(-self.span, self.span, self.columns).tolist()


def _with(latent: Latent, z: Tensor, code: int, value: float) -> Tensor:
    return latent.with_codes(z, [None] * code + [value])


@torch.no_grad()
def _read(look: Look, x: Tensor, z: Tensor, y: Tensor | None, code: int, values: list[float]) -> float | None:
    """Return how well the critic's head predicts a code, None if it has no such head."""
    game = look.state.game
    places = game.latent.places()
    place = places[code]
    with buffers_kept(game):
        heads = game.ask(x, y, game.latent.codes_of(z)).heads
    head = heads.get(f"code{place.code}_{place.kind}")
    if head is None:
        return None
    asked = torch.tensor(values, device=x.device).repeat(len(x) // len(values))
    if place.kind == "categorical":
        return float((head.argmax(dim=1) == asked).float().mean())
    first = next(other.start for other in places if other.code == place.code)
    mean = head[:, place.start - first].double()
    return float(torch.corrcoef(torch.stack([mean, asked.double()]))[0, 1].nan_to_num())


def _line(code: int, place: Place, share: float | None, read: float | None) -> str:
    line = f"code {code} ({'continuous' if place.kind == 'uniform' else f'{place.size} values'}): "
    line += "all pictures are the same" if share is None else f"explains {share:.0%} of the variance"
    if read is None:
        return line
    return line + (
        f"; Q predicts it in {read:.0%}" if place.kind == "categorical" else f"; correlation with Q's mean: {read:.2f}"
    )
