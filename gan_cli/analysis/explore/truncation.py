"""Quality against diversity for different bounds of z."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.sheets import sheet
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import as_stored, two_sets
from gan_cli.config.command_schemas import ClassKey, ExploreConfig
from gan_cli.core.text import columns
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.latents.base import Latent
from gan_cli.metrics.frechet import frechet_distance
from gan_cli.metrics.manifold import LEAST, manifold
from gan_cli.rng import Draws

FLOOR, PRIOR = "floor", "prior"


class Truncation(Kind):
    """A row of samples for each bound psi, and its effect on quality and diversity (Brock et al. 2019, section 3.1).

    A number of z beyond psi is drawn again, never divided or clamped (computed by the inverse of the distribution
    function, the same distribution), so a column shows one sample under growing bounds. If the run's data are
    available, precision (quality) and recall (diversity) are measured at each psi, for the run's own prior and, as the
    floor, for other real samples in place of the fakes.

    Args:
        psi: the bounds, in units of the prior's standard deviation.
        columns: number of samples in a row.
        count: number of samples in each measured set, fewer if the data do not have twice as many.
        y: class of every picture; None: each class in turn. Measured samples have the classes of the real samples.
    """

    data = "wanted"

    def __init__(
        self,
        psi: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0),
        columns: PositiveInt = 12,
        count: Annotated[int, Field(ge=LEAST)] = 2000,
        y: ClassKey | None = None,
    ) -> None:
        self.psi, self.columns, self.count, self.y = psi, columns, count, y

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return the rows, and the curve if there are data."""
        priors = self._priors(look)
        y = labels(look, self.y, self.columns)
        rows = [look.draw(self._z(prior, self.columns, config, look), y, config.batch_size) for prior in priors]
        pictures = {"": sheet(torch.cat(rows), self.columns, [f"psi {psi:g}" for psi in self.psi])}
        if look.extractor is None:
            return Found(pictures, {}, ["no curve: it needs the run's data and an extractor"])
        reals = two_sets(look.data, "train", "auto")
        n = min(self.count, len(reals.first.x))
        if n < LEAST:
            return Found(pictures, {}, [f"no curve: it needs {2 * LEAST} real samples, {LEAST} of them for the floor"])
        found = self._curve(look, priors, reals.first.head(n), reals.second.x[:n], config)
        from gan_cli.analysis.explore.curves import trade

        pictures["curve"] = trade(found, [f"{psi:g}" for psi in self.psi], look.extractor.name)
        numbers = {"count": n, "real": "train", "floor": reals.second_split, "at": found}
        return Found(pictures, numbers, [f"{n} samples of each kind", *_table(found)])

    def _priors(self, look: Look) -> list[Latent]:
        try:
            return [look.state.game.latent.truncated(psi) for psi in self.psi]
        except ValueError as error:
            raise UserError(f"kind=truncation: {error}; train a run with latent=normal") from error

    def _z(self, prior: Latent, n: int, config: ExploreConfig, look: Look) -> Tensor:
        """Return z (n, size), made of the same draws for every bound."""
        return prior.sample(n, Draws(look.device, config.seed, "sample"))

    def _curve(
        self, look: Look, priors: list[Latent], real: Batch, other: Tensor, config: ExploreConfig
    ) -> dict[str, dict[str, float]]:
        """Return the measures for each psi, for the run's own prior and for other real samples."""
        batch_size, y = config.batch_size, real.y if look.state.game.condition.needs_labels else None

        def features(x: Tensor) -> Tensor:
            return extract(look.extractor, as_stored(x), batch_size).x

        named = {f"{psi:g}": prior for psi, prior in zip(self.psi, priors, strict=True)}
        reference = features(real.x)
        found = {}
        priors_in_turn = (named | {PRIOR: look.state.game.latent}).items()
        for name, prior in tqdm(priors_in_turn, "curve", unit="psi", disable=None, leave=False):
            z = self._z(prior, len(real.x), config, look)
            found[name] = _measures(reference, features(look.draw(z, y, batch_size, f"psi {name}")))
        return found | {FLOOR: _measures(reference, features(other))}


def _measures(real: Tensor, fake: Tensor) -> dict[str, float]:
    return manifold(real, fake)._asdict() | {"frechet_distance": frechet_distance(real, fake)}


def _table(found: dict[str, dict[str, float]]) -> list[str]:
    heads = list(next(iter(found.values())))
    cells = ([name, *(f"{row[head]:.3f}" for head in heads)] for name, row in found.items())
    return columns([["psi", *heads], *cells])
