"""Energy distance."""

from __future__ import annotations

from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.discrepancy import KernelDistance, squared_distances

_NEAREST_SQUARED = 1e-12  # the root is flat below, so that equal points have a gradient


class EnergyDistance(KernelDistance):
    """Energy distance (Szekely & Rizzo 2013, equation 5); on features Cramer GAN (Bellemare et al. 2017).

    D^2 = 2 E|x - y| - E|x - x'| - E|y - y'|, by the unbiased estimator: the squared discrepancy of the kernel -|x - y|.
    In one dimension it is twice the squared Cramer distance between the distribution functions. A gradient penalty is
    about the function E|x - fake| - E|x - real| (Bellemare et al. 2017, equation 6 without its shift).

    Differences from the Cramer GAN: its critic maximises a surrogate that replaces the real sample in it by 0
    and draws two independent generated batches; here both players play the distance itself, on one batch each.

    Args:
        space: `features` of the critic or `pixels`.
    """

    curve = "energy_distance"
    logged = (
        Curve(
            "critic/energy_distance",
            "critic features",
            "lower",
            "the energy distance, which the critic's features maximise",
            role="maximised",
        ),
    )

    def kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return -|x - y|, (N, M)."""
        return -squared_distances(x, y).clamp(min=_NEAREST_SQUARED).sqrt()
