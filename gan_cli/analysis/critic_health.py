"""Properties of a trained critic: its weights, its gradient norms, and whether it is optimal for these fakes.

Nothing here writes into a run. `further_updates` changes the state that it is given, so give it a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.core.curves import FALLBACK
from gan_cli.data.source import Batch, Source
from gan_cli.rng import Draws
from gan_cli.training.game import Game
from gan_cli.training.phases import microbatches, update
from gan_cli.training.probes import buffers_kept
from gan_cli.training.state import TrainState
from gan_cli.updates.base import Phase

BATCHES = 8  # that the norms and the estimate are measured on
MEASURED = 10  # times along the further updates


class GradientNorms(NamedTuple):
    """Norms of the critic's gradient, (N,) each, at real samples, at fakes, and at random points between the two."""

    real: np.ndarray
    fake: np.ndarray
    between: np.ndarray


class Further(NamedTuple):
    """The estimate on held-out samples while the critic alone continues to learn.

    Attributes:
        updates: numbers of critic updates, the first 0.
        values: mean estimates after these updates.
        error: standard error of the whole change, over batches.
    """

    updates: list[int]
    values: list[float]
    error: float

    @property
    def rise(self) -> float:
        """The change from the first value to the last."""
        return self.values[-1] - self.values[0]

    @property
    def relative(self) -> float:
        """The rise divided by the size of the first value; NaN if that is 0."""
        return self.rise / abs(self.values[0]) if self.values[0] else float("nan")


def pairs(game: Game, heldout: Source, seed: int, device: torch.device) -> list[tuple[Batch, Batch]]:
    """Return batches of held-out and of generated samples, the same at each call."""
    found = []
    for i in range(BATCHES):
        real = heldout.batch(*heldout.draw(i))
        draws = Draws(device, seed, "report", i)
        real = game.read(real, draws)
        with buffers_kept(game), torch.no_grad():
            found.append((real, game.fake(len(real.x), real, draws)))
    return found


def gradient_norms_at(state: TrainState, batches: Sequence[tuple[Batch, Batch]], seed: int) -> GradientNorms:
    """Measure the gradient of the function that a penalty would differentiate, batch by batch, in train mode."""
    game = state.game
    found: dict[str, list[Tensor]] = {name: [] for name in GradientNorms._fields}
    for i, (real, fake) in enumerate(batches):
        draws = Draws(real.x.device, seed, "slopes", i, at=state.step)
        with buffers_kept(game):
            real, fake = game.shown(real, "real", draws), game.shown(fake, "fake", draws)
            with torch.no_grad():
                on_real, on_fake = game.ask(*real), game.ask(*fake)
            between = torch.lerp(fake.x, real.x, draws.uniform("segment", len(real.x), *[1] * (real.x.dim() - 1)))
            f = game.penalised_function(real, on_real, on_fake)
            for name, x in (("real", real.x), ("fake", fake.x), ("between", between)):
                found[name].append(gradient_norms(f, x.detach().clone().requires_grad_()))
    return GradientNorms(*(torch.cat(found[name]).double().cpu().numpy() for name in GradientNorms._fields))


def weights(state: TrainState) -> np.ndarray:
    """Return every critic weight that the constraint may project, (N,)."""
    return torch.cat([p.detach().flatten() for p in state.projected]).cpu().numpy()


def further_updates(
    state: TrainState,
    train: Source,
    batches: Sequence[tuple[Batch, Batch]],
    tag: str,
    n_updates: int,
    seed: int,
    accumulate: int = 1,
) -> Further:
    """Train the critic alone against the fixed generator, and measure the estimate on held-out samples meanwhile.

    The nearer the critic was to its optimum against this generator, the less the estimate rises.

    Args:
        state: its critic and critic optimizer change here, by the run's own objective, penalty and projection.
        train: real samples to learn from, starting at the run's next batch.
        batches: of `pairs`.
        tag: tag of the estimate, such as critic/wasserstein_estimate; for critic/loss, minus the loss is measured.
        n_updates: at least 1.
        seed: seed of the fakes to learn from.
        accumulate: number of parts that a batch is divided into.
    """
    first = state.real_batches
    measured_at = sorted({round(i * n_updates / MEASURED) for i in range(MEASURED + 1)})
    found = [_measure(state, batches, tag, seed)]
    device = batches[0][0].x.device
    for i in tqdm(range(n_updates), "critic alone", unit="update", disable=None, leave=False):
        real = train.batch(*train.draw(first + i))
        draws = Draws(device, seed, "further", i, at=state.step)
        update(state, Phase("critic"), microbatches(len(real.x), real, draws, accumulate))
        state.critic_updates += 1
        if i + 1 in measured_at:
            found.append(_measure(state, batches, tag, seed))
    change = found[-1] - found[0]
    error = float(change.std(ddof=1) / np.sqrt(len(change)))
    return Further(measured_at, [float(values.mean()) for values in found], error)


def is_estimate(state: TrainState, batches: Sequence[tuple[Batch, Batch]], tag: str, seed: int) -> bool:
    """Return whether the run's loss estimates what a tag names, which may come from a damaged file."""
    return tag in _estimates(state, *batches[0], Draws(batches[0][0].x.device, seed, "measure"))


@torch.no_grad()
def _estimates(state: TrainState, real: Batch, fake: Batch, draws: Draws) -> dict[str, float]:
    """Return the loss's estimates by their tags, and minus the critic's loss as that of FALLBACK."""
    game = state.game
    with buffers_kept(game):
        on_real = game.ask(*game.shown(real, "heldout", draws))
        on_fake = game.ask(*game.shown(fake, "fake", draws))
    estimates = {f"critic/{name}": float(value) for name, value in game.estimates(on_real, on_fake).items()}
    return estimates | {FALLBACK: -float(game.loss.critic(on_real, on_fake))}


def _measure(state: TrainState, batches: Sequence[tuple[Batch, Batch]], tag: str, seed: int) -> np.ndarray:
    device = batches[0][0].x.device
    draws = (Draws(device, seed, "measure", i, at=state.step) for i in range(len(batches)))
    return np.array([_estimates(state, *pair, own)[tag] for pair, own in zip(batches, draws, strict=True)])
