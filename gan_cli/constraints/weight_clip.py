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
    """Every critic parameter clipped to [-c, c] after each critic update (Arjovsky et al. 2017, Algorithm 1, line 7).

    The authors' code clips before each update instead; the network that scores is then up to one update outside.

    Args:
        c: the bound.
        normalisation: the scales and shifts of normalisation layers are clipped too, as in the authors' code; a scale
            of c shrinks what passes it a hundredfold, which the layer after it must make up for.
    """

    logged = (
        Curve(
            "critic/clip_saturation",
            "share",
            "neither",
            "share of the critic's weights at -c or c; much of it tells that c is too small",
            chart=("Health", "clip saturation"),
        ),
    )

    def __init__(self, c: PositiveFloat = 0.01, normalisation: bool = True) -> None:
        self.c = c
        self.normalisation = normalisation

    def projects(self, module: nn.Module) -> bool:
        """Return whether a module's own parameters are clipped."""
        return self.normalisation or not isinstance(module, _NORMALISATIONS)

    def project(self, params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the clipped parameters; the gradient passes where a parameter is inside."""
        return {name: p.clamp(-self.c, self.c) for name, p in params.items()}

    def project_(self, params: Sequence[Tensor]) -> None:
        """Clip in place: two operations for all parameters together."""
        with torch.no_grad():
            torch._foreach_clamp_min_(params, -self.c)
            torch._foreach_clamp_max_(params, self.c)

    def curves(self, params: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return `clip_saturation`, the share of weights at -c or c (the paper's sign of c being too small)."""
        at_bound = torch.stack([(p.abs() >= self.c).sum() for p in params]).sum()
        return {"clip_saturation": at_bound / sum(p.numel() for p in params)}

    def advice(self, critic_optimizer: Mapping[str, Any]) -> list[str]:
        """Warn of momentum on the critic."""
        beta1 = (critic_optimizer.get("betas") or [0.0])[0]
        momentum = critic_optimizer.get("momentum") or 0.0
        if not beta1 and not momentum:
            return []
        key = f"betas[0]={beta1}" if beta1 else f"momentum={momentum}"
        return [
            f"optimizer.critic.{key} with constraint=weight_clip: the WGAN paper (section 3) found momentum on the "
            "critic unstable under weight clipping; optimizer=rmsprop is its choice"
        ]
