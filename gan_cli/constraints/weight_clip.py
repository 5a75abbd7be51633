"""Weight clipping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from gan_cli.constraints.base import Constraint
from gan_cli.core.curves import Curve

_NORMALISATIONS = (_NormBase, nn.GroupNorm, nn.LayerNorm)  # batch and instance norm are the first


class WeightClip(Constraint):
    """Clips every critic parameter to [-c, c] after each critic update (Arjovsky et al. 2017, Algorithm 1, line 7).

    The authors' code clips before each update instead, so there the critic may be outside by one update.

    Args:
        c: the bound of the weights.
        normalisation: the scales and shifts of normalisation layers are clipped too, as in the authors' code; a scale
            of c divides its input by a hundred, which the next layer must compensate.
    """

    logged = (
        Curve(
            "critic/clip_saturation",
            "share",
            "neither",
            "share of the critic's weights at -c or c; a large share means that c is too small",
            chart=("Health", "clip saturation"),
        ),
    )

    def __init__(self, c: PositiveFloat = 0.01, normalisation: bool = True) -> None:
        self.c = c
        self.normalisation = normalisation

    def projects(self, module: nn.Module) -> bool:
        """Return whether the direct parameters of a module are clipped."""
        return self.normalisation or not isinstance(module, _NORMALISATIONS)

    def project(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the clipped parameters; the gradient passes if a parameter is inside the bounds."""
        return {name: p.clamp(-self.c, self.c) for name, p in params.items()}

    def project_(self, params: Sequence[Tensor]) -> None:
        """Clip in place: two operations for all parameters together."""
        with torch.no_grad():
            torch._foreach_clamp_min_(params, -self.c)
            torch._foreach_clamp_max_(params, self.c)

    def curves(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return `clip_saturation`, the share of weights at -c or c (for the paper a sign that c is too small)."""
        at_bound = torch.stack([(p.abs() >= self.c).sum() for p in params]).sum()
        return {"clip_saturation": at_bound / sum(p.numel() for p in params)}

    def advice(self, critic_optimizer: Mapping[str, Any]) -> list[str]:
        """Return a warning if the critic's optimizer has momentum."""
        beta1 = (critic_optimizer.get("betas") or [0.0])[0]
        momentum = critic_optimizer.get("momentum") or 0.0
        if not beta1 and not momentum:
            return []
        key = f"betas[0]={beta1}" if beta1 else f"momentum={momentum}"
        return [
            f"optimizer.critic.{key} with constraint=weight_clip: the WGAN paper (section 3) found momentum on the "
            "critic unstable under weight clipping; it uses optimizer=rmsprop"
        ]
