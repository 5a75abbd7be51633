"""Maximum mean discrepancy."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.discrepancy import KernelDistance, Space, squared_distances

_SCALES = {"rbf": (1.0, 2.0, 4.0, 8.0, 16.0), "rational_quadratic": (0.2, 0.5, 1.0, 2.0, 5.0)}


class MMD(KernelDistance):
    """Maximum mean discrepancy: on features MMD GAN, on pixels the generative moment matching network.

    The kernel is a sum over scales s of the squared Euclidean distance d^2,

        rbf: exp(-d^2 / (2 s^2))                        (Li et al. 2015, equation 3; Li et al. 2017, section 3)
        rational_quadratic: (1 + d^2 / (2 s))^-s        (Binkowski et al. 2018, equation 5)

    The critic maximises MMD^2 between its features of real and generated samples and the generator minimises it; a
    gradient penalty is about the function E k(x, real) - E k(x, fake) (Binkowski et al. 2018, section 3).

    Differences from the papers: the features are the critic's last hidden layer, of any width (16 outputs in Binkowski
    et al.); no auto-encoder term and no feasible set reduction (Li et al. 2017); MMD^2 by the unbiased estimator and
    not its root (Li et al. 2015 have both); no linear term in the kernel.

    Args:
        space: `features` of the critic or `pixels`.
        kernel: `rbf` or `rational_quadratic`.
        scales: s, in units of the points' distances (rbf) or of their squares (rational_quadratic); `auto` is the
            papers': 1, 2, 4, 8, 16 (Li et al. 2017) and 0.2, 0.5, 1, 2, 5 (Binkowski et al. 2018).

    Raises:
        ValueError: no scale.
    """

    curve = "mmd"
    logged = (
        Curve(
            "critic/mmd",
            "critic kernel",
            "lower",
            "the squared maximum mean discrepancy, which the critic's features maximise",
            role="maximised",
        ),
    )

    def __init__(
        self,
        space: Space = "features",
        kernel: Literal["rbf", "rational_quadratic"] = "rational_quadratic",
        scales: tuple[PositiveFloat, ...] | Literal["auto"] = "auto",
    ) -> None:
        super().__init__(space)
        self.kind = kernel
        self.scales = _SCALES[kernel] if scales == "auto" else tuple(scales)
        if not self.scales:
            raise ValueError("scales=[]: a kernel needs at least one scale; use scales=auto")

    def kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the summed kernels (N, M), each at most 1."""
        squared = squared_distances(x, y)
        if self.kind == "rbf":
            parts = [(squared / (-2 * s**2)).exp() for s in self.scales]
        else:
            parts = [(-s * (squared / (2 * s)).log1p()).exp() for s in self.scales]
        return torch.stack(parts).sum(dim=0)
