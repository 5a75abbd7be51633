"""A game of few places: a generator that sends each z to one place, and a critic with a score for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_cli.data.samplers import GaussianMixture, Sampler
from gan_cli.data.synthetic import SyntheticSet
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels
from gan_cli.studies.measured import difference, over_seeds
from gan_cli.studies.running import watched
from gan_cli.training.state import TrainState

_DRAWS = 1000  # z that tell the generator's distribution


class Places(SyntheticSet):
    """Places with equal shares; a sample is the unit vector of its place.

    Args:
        places: how many.
    """

    def __init__(self, places: PositiveInt) -> None:
        self.places = places

    def expected_shape(self) -> tuple[int, ...]:
        """Return (places,)."""
        return (self.places,)

    def sampler(self, device: torch.device) -> Sampler:
        """Return a mixture without noise."""
        return GaussianMixture(torch.eye(self.places), [0.0] * self.places, None, device)


class Choice(nn.Module):
    """z -> the place with the largest `preferences + noise z`, one place for each z.

    Its gradient is that of the softmax in the place of the choice (the straight-through estimator, Bengio et al. 2013).

    Args:
        places: how many; latent.size must be as many.
        noise: how much z weighs against the preferences; the less, the more samples a step moves at once.
        std: deviation of the preferences at the beginning.
    """

    def __init__(self, places: PositiveInt, noise: PositiveFloat, std: NonNegativeFloat = 0.1) -> None:
        super().__init__()
        self.noise = noise
        self.preferences = nn.Parameter(std * torch.randn(places))

    def chosen(self, z: Tensor) -> Tensor:
        """Return places (N,) for z (N, places)."""
        return (self.preferences + self.noise * z).argmax(dim=1)

    def forward(self, z: Tensor) -> Tensor:
        """Return unit vectors (N, places) for z (N, places)."""
        soft = (self.preferences + self.noise * z).softmax(dim=1)
        return one_hot(self.chosen(z), soft.shape[1]) + soft - soft.detach()


class TableCritic(nn.Module):
    """A score for each place, 0 at the beginning.

    Args:
        places: how many.
    """

    def __init__(self, places: PositiveInt) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(places))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (N,) for unit vectors (N, places)."""
        return x @ self.scores


class ModeCollapseGame(Study):
    """Reads runs `RULE RATE`, an update rule and the generator's learning rate; claims are about those of `middle`.

    The claims: `places`, the effective number of places that the generator makes at one time with alternating steps,
    `visited`, those it goes to, and `slow`, as `places` with a small rate; the differences that the other rules make to
    `places`; `one_place` and `goes_round`, as `places` and `visited` with simultaneous steps.
    """

    middle = "3"
    small = "0.1"

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return the share of each place."""
        generator = state.game.generator
        count = len(generator.preferences)
        z = torch.randn(_DRAWS, count, generator=torch.Generator().manual_seed(0)).to(generator.preferences.device)
        shares = torch.bincount(generator.chosen(z), minlength=count) / _DRAWS
        return {f"{place}": share for place, share in enumerate(shares.tolist())}

    def look(self, runs: Runs) -> Finding:
        """Measure over the second half of the steps; draw each rule's shares over the steps."""
        shares = {name: [_shares(watched(run)) for run in each] for name, each in runs.items()}
        at_once = {name: [_effective(p) for p in each] for name, each in shares.items()}
        alternating = at_once[f"alternating {self.middle}"]
        measured = {
            "places": over_seeds(alternating),
            "visited": over_seeds([_visited(p) for p in shares[f"alternating {self.middle}"]]),
            "slow": over_seeds(at_once[f"alternating {self.small}"]),
            "n_critic": difference(at_once[f"n_critic=5 {self.middle}"], alternating),
            "unrolled": difference(at_once[f"unrolled k=5 {self.middle}"], alternating),
            "simultaneous": difference(at_once[f"simultaneous {self.middle}"], alternating),
            "one_place": over_seeds(at_once[f"simultaneous {self.middle}"]),
            "goes_round": over_seeds([_visited(p) for p in shares[f"simultaneous {self.middle}"]]),
        }
        rules = [*dict.fromkeys(name.rpartition(" ")[0] for name in runs)]
        rates = [*dict.fromkeys(name.rpartition(" ")[2] for name in runs)]
        figure, axes = panels(1 + len(rules), width=3.2, height=3.4)
        for rule, place in zip(rules, axes[0], strict=False):
            shown = shares[f"{rule} {self.middle}"][0]
            place.imshow(shown[-100:].T, aspect="auto", interpolation="nearest", vmin=0, vmax=1)
            place.set(title=rule, xlabel="the last 100 steps", ylabel="place")
            axes[0, -1].plot(rates, [np.mean(at_once[f"{rule} {rate}"]) for rate in rates], "o-", label=rule)
        labelled(axes[0, -1], "Places at one time", "generator's learning rate")
        lines = [
            f"{name}: {_listed(at_once[name])} places at one time, {_listed(list(map(_visited, each)))} visited"
            for name, each in shares.items()
        ]
        return Finding(figure, measured, lines, {"places": at_once})


def _shares(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the shares (steps, places) in the second half of the steps."""
    shares = np.stack([values for key, values in found.items() if key != "step"], axis=1)
    return shares[len(shares) // 2 :]


def _effective(shares: np.ndarray) -> float:
    """Return exp of the entropy, in the mean over the steps."""
    logs = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    return float(np.exp(-(shares * logs).sum(axis=1)).mean())


def _visited(shares: np.ndarray) -> float:
    """Return how many places have had the largest share."""
    return float(len(np.unique(shares.argmax(axis=1))))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
