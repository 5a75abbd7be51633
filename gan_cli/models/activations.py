"""Piecewise linear activations, whose second derivative is 0 and is not computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.models.derivatives import Differentiated


class LeakyReLU(Differentiated, nn.LeakyReLU):
    """torch.nn.LeakyReLU without the backward pass of zeros if its gradient is differentiated."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0) + slope min(x, 0)."""
        return _Bent.apply(x, self.negative_slope, self.inplace) if self.times == 2 else super().forward(x)


class ReLU(Differentiated, nn.ReLU):
    """torch.nn.ReLU, changed as `LeakyReLU`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return _Bent.apply(x, 0.0, self.inplace) if self.times == 2 else super().forward(x)


class _Bent(torch.autograd.Function):
    """The function max(x, 0) + slope min(x, 0), with constant derivatives.

    In torch they are functions of x, so that a gradient penalty runs a backward pass of zeros through the critic.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, inplace: bool) -> Tensor:
        bent, more = (torch.nn.functional.leaky_relu, (slope,)) if slope else (torch.nn.functional.relu, ())
        y = bent(x, *more, inplace=inplace)
        if inplace:
            ctx.mark_dirty(x)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        y = ctx.saved_tensors[0].detach()
        if ctx.slope:
            return torch.ops.aten.leaky_relu_backward(gradient, y, ctx.slope, True), None, None
        return torch.ops.aten.threshold_backward(gradient, y, 0), None, None
