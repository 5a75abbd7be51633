"""The Sinkhorn divergence."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.core.extras import pip_install
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.discrepancy import Discrepancy, Space, squared_distances


class Sinkhorn(Discrepancy):
    """Sinkhorn divergence (Genevay, Peyre & Cuturi 2018, equation 5): entropic optimal transport without its bias.

        S(a, b) = W(a, b) - W(a, a) / 2 - W(b, b) / 2
        W(a, b) = min over couplings p of E_p |x - y|^2 / 2 + blur^2 KL(p | a x b)

    Between the cost of a transport (small blur) and a maximum mean discrepancy (large blur). The solver is geomloss's,
    in the log domain, with the temperature lowered from diameter^2 to blur^2 in a number of steps that the settings
    fix: no host synchronisation, and the gradient is that of the optimum, not of the steps.

    Differences from the paper: the cost is half of its squared distance and the divergence half of its 2 W - W - W; the
    temperature is lowered, not constant; a penalty is about the divergence's first variation in the real samples, with
    the dual potentials held constant, which the paper does not have. No gradient contains the change of the potentials,
    so a generator cannot unroll the critic's steps: `updates=unrolled` is refused.

    Args:
        space: `features` of the critic or `pixels`.
        blur: square root of the temperature, in units of distance.
        diameter: approximate diameter of the points; the temperature starts at its square.
        scaling: factor of the blur from one step to the next.

    Raises:
        ValueError: geomloss is not installed; the diameter is not above the blur.
    """

    curve = "sinkhorn_divergence"
    logged = (
        Curve(
            "critic/sinkhorn_divergence",
            "critic features^2",
            "lower",
            "the Sinkhorn divergence, which the critic's features maximise",
            role="maximised",
        ),
    )
    twice_differentiable = False  # geomloss holds the potentials constant as it differentiates

    def __init__(
        self,
        space: Space = "features",
        blur: PositiveFloat = 1.0,
        diameter: PositiveFloat = 50.0,
        scaling: Annotated[float, Field(gt=0, lt=1)] = 0.7,
    ) -> None:
        super().__init__(space)
        if diameter <= blur:
            raise ValueError(f"diameter={diameter} must be above blur={blur}, its final value")
        self.blur = blur
        self._options = {"p": 2, "blur": blur, "diameter": diameter, "scaling": scaling, "backend": "tensorized"}
        self._solver()  # report a missing library before anything is built

    def _solver(self, **options: Any) -> Any:
        try:
            from geomloss import SamplesLoss
        except ImportError as error:
            raise ValueError(f"needs geomloss ({error}): {pip_install('sinkhorn')}") from error
        return SamplesLoss("sinkhorn", cost=_cost, **self._options, **options)

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return S between the batches."""
        with torch.set_grad_enabled(torch.is_grad_enabled()):  # geomloss leaves gradients on
            value = self._solver(debias=True)(real, fake)
        return value if torch.is_grad_enabled() else value.detach()

    def penalised_function(self, at: CriticOutput, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return the first variation of S in the real samples, the debiased potential, at these points."""
        x, on_real, on_fake = self.points(at), self.points(real), self.points(fake)
        with torch.no_grad():
            solver = self._solver(debias=False, potentials=True)
            across = solver(on_real, on_fake)[1].detach()
            within = sum(solver(on_real, on_real)).detach() / 2
        return self._transform(x, on_fake, across) - self._transform(x, on_real, within)

    def _transform(self, x: Tensor, y: Tensor, potential: Tensor) -> Tensor:
        """Return the soft minimum over y of the cost minus the potential, (N,) at points x (N, D)."""
        temperature = self.blur**2
        exponents = (potential - squared_distances(x, y) / 2) / temperature
        return -temperature * (exponents.logsumexp(dim=1) - math.log(len(y)))


def _cost(x: Tensor, y: Tensor) -> Tensor:
    """Return half the squared distances (1, N, M) between points (1, N, D) and (1, M, D)."""
    return squared_distances(x[0], y[0])[None] / 2
