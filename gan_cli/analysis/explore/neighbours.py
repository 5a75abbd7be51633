"""The memorisation test: the training images nearest to samples."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from gan_cli.analysis import neighbour_plots
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.explore.base import Found, Kind
from gan_cli.analysis.explore.judging import training_parts
from gan_cli.analysis.explore.panels import panels
from gan_cli.analysis.look import Look
from gan_cli.analysis.neighbours import CELLS, Nearest, Space, cells, compare, copies, nearest, verdict
from gan_cli.analysis.reals import as_stored, available, in_turn, take
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.errors import UserError
from gan_cli.rng import generator

HELDOUT = 1_000  # held-out images at most
FOR_CELLS = 5_000  # training images that the cells are made of, at most
LEAST = 20  # held-out images


class _Found(NamedTuple):
    """Nearest training images of samples and of held-out reals, in one space."""

    fake: Nearest
    heldout: Nearest


class Neighbours(Kind):
    """Samples beside their nearest training images, in pixels and in features, and a test whether they are copies.

    Samples of a good generator are as near to training images as other real images are. A copy is a sample nearer, in
    pixels and in features, than one held-out real in a hundred. More than 5 % copies means memorisation; so does C_T
    (Meehan et al. 2020) far below 0 in both spaces: samples are nearer than held-out reals within each region of the
    data.

    Args:
        count: number of samples.
        k: number of nearest training images that are shown.
        rows: number of samples that are shown: half with the nearest neighbours, half in the order in which they are
            drawn.
    """

    data = "needed"

    def __init__(
        self, count: Annotated[int, Field(ge=50)] = 1_000, k: PositiveInt = 4, rows: Annotated[int, Field(ge=2)] = 8
    ) -> None:
        self.count, self.k, self.rows = count, k, rows

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return the picture of the neighbours, the figure of the distances, and a verdict."""
        data, size = look.data, config.batch_size
        n_train, n_heldout = available(data.train), min(HELDOUT, available(data.heldout) or HELDOUT)
        if n_train is None:
            raise UserError("kind=neighbours: these training data are endless, so a generator cannot memorise them")
        if n_heldout < LEAST:
            raise UserError(
                f"kind=neighbours: {n_heldout} held-out images are too few to compare with; at least {LEAST} are needed"
            )
        real, labels, *_ = take(data.heldout, 0, n_heldout)
        y = in_turn(labels, self.count) if look.state.game.condition.needs_labels else None
        fake = as_stored(look.draw(look.z(self.count, config.seed), y, size))
        k = min(self.k, n_train)
        found, where = self._nearest(look, fake, real, k, size)
        spaces = {name: compare(f.fake.distances[:, 0], f.heldout.distances[:, 0], *where) for name, f in found.items()}
        line = verdict(spaces)
        numbers = {
            "verdict": line,
            "samples": self.count,
            "training_images": n_train,
            "heldout_images": n_heldout,
            "share_of_copies": float(copies(spaces).double().mean()),
            "spaces": {name: _entry(space) for name, space in spaces.items()},
        }
        lines = [
            f"{self.count:,} samples and {n_heldout:,} held-out images, compared with {n_train:,} training images",
            *(_line(name, space) for name, space in spaces.items()),
            line,
        ]
        pictures = {
            "": self._picture(look, fake, found, spaces),
            "distances": neighbour_plots.distances(
                {name: (s.fake.cpu().numpy(), s.heldout.cpu().numpy(), s.threshold) for name, s in spaces.items()}
            ),
        }
        return Found(pictures, numbers, lines)

    def _nearest(
        self, look: Look, fake: Tensor, real: Tensor, k: int, batch_size: int
    ) -> tuple[dict[str, _Found], tuple[Tensor, Tensor]]:
        """Return the nearest images in each space, and the cell of each fake and of each held-out image."""
        spaces = {"pixels": lambda x: x.flatten(1)}
        if look.extractor is not None and look.extractor.name != "pixels":
            spaces["features"] = lambda x: extract(look.extractor, x, batch_size).x
        found, both = {}, torch.cat([fake, real])
        for name, space in spaces.items():
            at = space(both)
            near = nearest(at, (space(batch.x) for batch in training_parts(look.data, f"nearest in {name}")), k)
            pairs = zip(*(t.split([len(fake), len(real)]) for t in near), strict=True)
            found[name] = _Found(*(Nearest(*pair) for pair in pairs))
        # In random order, because the training images may be sorted by class.
        chosen = torch.randperm(available(look.data.train), generator=generator("cpu", 0, "cells"))[:FOR_CELLS]
        some = (space(look.data.train.at(part).x) for part in chosen.sort().values.split(batch_size))
        centres = cells(torch.cat(list(some)), CELLS)
        own = nearest(at, [centres]).positions[:, 0]
        return found, (own[: len(fake)], own[len(fake) :])

    def _picture(self, look: Look, fake: Tensor, found: dict[str, _Found], spaces: dict[str, Space]) -> Any:
        """Return one row for each sample: the sample, and its nearest training images in each space."""
        last = list(spaces.values())[-1].fake
        near = last.argsort()[: self.rows // 2]
        first = torch.arange(self.rows, device=near.device)
        chosen = torch.cat([near, first[~torch.isin(first, near)]])[: min(self.rows, len(fake))]
        grids = [("samples", fake[chosen][:, None])]
        for name, (of_fake, _) in found.items():
            positions = of_fake.positions[chosen].cpu()
            x = look.data.train.at(positions.flatten()).x.unflatten(0, positions.shape)
            grids.append((f"nearest in {name}", x))
        return panels(grids)


def _entry(space: Space) -> dict[str, Any]:
    """Return a space's numbers as values for JSON."""
    return {
        "median_of_samples": float(space.fake.median()),
        "median_of_heldout": float(space.heldout.median()),
        "quantile_1_percent_of_heldout": space.threshold,
        "share_of_samples_nearer": float(space.nearer.double().mean()),
        "mann_whitney_z": space.z,
        "mann_whitney_p": space.p,
        "c_t": None if math.isnan(space.c_t) else space.c_t,
        "c_t_deviation": None if math.isnan(space.c_t) else space.deviation,
    }


def _line(name: str, space: Space) -> str:
    c_t = "none" if math.isnan(space.c_t) else f"{space.c_t:.1f} (standard deviation by chance {space.deviation:.1f})"
    share = 100 * float(space.nearer.double().mean())
    return (
        f"{name}: median distance {float(space.fake.median()):.3g} of samples, {float(space.heldout.median()):.3g} of "
        f"held-out; {share:.1f} % of samples are within {space.threshold:.3g}, and 1 % of held-out; "
        f"Mann-Whitney z {space.z:.1f} (p {space.p:.2g}), C_T {c_t}"
    )
