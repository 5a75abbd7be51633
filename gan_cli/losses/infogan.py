"""InfoGAN."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import log_softmax

from gan_cli.core.curves import Curve
from gan_cli.latents.base import Latent
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.losses.minimax import Minimax, NonSaturating

LARGEST_LOG_STD = 5.0
_GAMES = {"nonsaturating": NonSaturating, "minimax": Minimax}


class InfoGAN(Loss):
    """InfoGAN (Chen et al. 2016, equations 5 and 6): a GAN whose samples also show their codes.

        min_{G, Q} max_D V(D, G) - lambda L_I(G, Q),    L_I = H(c) + E log Q(c | G(z, c)) <= I(c; G(z, c))

    Q reads a code of n classes by a softmax, and continuous codes, uniform on [-1, 1), by a factored Gaussian. H(c) is
    log n for the former and log 2 for each number of the latter, so L_I is in nats and at most H(c) for a categorical
    code; for continuous ones it has no bound above.

    Q is linear heads on the critic's features, which train with the generator (equation 6). As in the authors' code the
    critic maximises lambda L_I as well, which moves the layers that Q shares with it; there it moves Q, too, and the
    generator does not.

    Differences from the paper: Q has no hidden layer of its own; log standard deviations are squashed smoothly into
    (-5, 5), so that no output overflows.

    Args:
        weight: lambda of the categorical codes; 1 in the paper.
        continuous_weight: lambda of the continuous codes; smaller, as the paper advises (section 6); the
            authors' code has 1 for both kinds, with `std=fixed`.
        std: standard deviation of the Gaussian: `learned`, the exponential of an output (the paper's appendix C), or
            `fixed` at 1 (the authors' code).
        game: V, by its generator: `nonsaturating` or `minimax`.
    """

    logged = (
        *Minimax.logged,
        Curve(
            "critic/mutual_information[_<code>]",
            "nats",
            "higher",
            "a lower bound of the mutual information of samples and codes, for all codes and for each",
        ),
    )

    def __init__(
        self,
        weight: PositiveFloat = 1.0,
        continuous_weight: NonNegativeFloat = 0.1,
        std: Literal["learned", "fixed"] = "learned",
        game: Literal["nonsaturating", "minimax"] = "nonsaturating",
    ) -> None:
        super().__init__()
        self.weight = weight
        self.continuous_weight = continuous_weight
        self.std = std
        self.game = _GAMES[game]()

    def heads(self, latent: Latent) -> dict[str, int]:
        """Return a head for each code, in the order of the codes: `code<i>_<kind>`."""
        if not latent.codes:
            raise ValueError("the prior has no codes to predict from the samples; use latent=infogan")
        per_number = 2 if self.std == "learned" else 1
        return {
            f"code{i}_{code.kind}": code.size if code.kind == "categorical" else code.size * per_number
            for i, code in enumerate(latent.codes)
        }

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return L_D - lambda L_I."""
        return self.game.critic(real, fake) - self._information(fake)

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return L_G - lambda L_I."""
        return self.game.generator(fake, real) - self._information(fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the GAN's curve; `mutual_information`, L_I of all codes in nats, and L_I of each code."""
        bounds = dict(self._bounds(fake))
        curves = {f"mutual_information_{name}": bound for name, bound in bounds.items()}
        curves["mutual_information"] = torch.stack(list(bounds.values())).sum()
        return self.game.estimates(real, fake) | curves

    def _information(self, fake: CriticOutput) -> Tensor:
        """Return lambda L_I."""
        weights = {"categorical": self.weight, "uniform": self.continuous_weight}
        return torch.stack([weights[name.partition("_")[2]] * bound for name, bound in self._bounds(fake)]).sum()

    def _bounds(self, fake: CriticOutput) -> Iterator[tuple[str, Tensor]]:
        """Yield the name of each code's head and its L_I; the heads' names and sizes give the codes' places in c."""
        start = 0
        for name, head in fake.heads.items():
            if not name.startswith("code"):
                continue  # a condition's head
            if name.endswith("_categorical"):
                size = head.shape[1]
                yield name, _categorical_bound(head, fake.c[:, start : start + size])
            else:
                size = head.shape[1] // 2 if self.std == "learned" else head.shape[1]
                mean, raw = (head[:, :size], head[:, size:]) if self.std == "learned" else (head, None)
                yield name, _uniform_bound(mean, raw, fake.c[:, start : start + size])
            start += size


def _categorical_bound(logits: Tensor, chosen: Tensor) -> Tensor:
    """Return log n + E log Q for logits and one-hot codes (N, n)."""
    return math.log(logits.shape[1]) + (log_softmax(logits, dim=1) * chosen).sum(dim=1).mean()


def _uniform_bound(mean: Tensor, raw: Tensor | None, value: Tensor) -> Tensor:
    """Return k log 2 + E log Q for means, log standard deviations before squashing and codes, (N, k) each."""
    log_std = LARGEST_LOG_STD * torch.tanh(raw / LARGEST_LOG_STD) if raw is not None else torch.zeros_like(mean)
    normal = -0.5 * ((value - mean) * (-log_std).exp()).square() - log_std - 0.5 * math.log(2 * math.pi)
    return (math.log(2) + normal).sum(dim=1).mean()
