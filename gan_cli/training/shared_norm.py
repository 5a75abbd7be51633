"""Batch norm over the rows of every process, differentiable any number of times."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class Workers(Protocol):
    """Processes with equal shares of a batch; `working` while they compute on it together."""

    size: int
    working: bool


class _Mean(torch.autograd.Function):
    """The mean of a tensor over the processes; so is its gradient, of an objective that is their mean."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        ctx.size = size
        mean = x.contiguous().clone()
        dist.all_reduce(mean)
        return mean / size

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradient, ctx.size), None


class SharedBatchNorm(_BatchNorm):
    """A batch norm whose statistics in training are those of the whole batch; it takes the place of one, names alike.

    Args:
        norm: whose weights and running statistics it uses.
        workers: the processes; what is computed while they do not work together is normalised by `norm`'s own rule.
    """

    def __init__(self, norm: _BatchNorm, workers: Workers) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(norm.__dict__)
        self.workers = workers

    def _check_input_dim(self, x: Tensor) -> None:
        pass  # the networks' own norms have checked theirs at build

    def forward(self, x: Tensor) -> Tensor:
        """Return x (N, C, ...) normalised, scaled and shifted."""
        if not (self.training and self.workers.working):
            return super().forward(x)
        over = [0, *range(2, x.dim())]
        shape = (1, -1, *[1] * (x.dim() - 2))
        with torch.autocast(x.device.type, enabled=False):
            values = x.float()
            mean = _Mean.apply(values.mean(over), self.workers.size)
            centred = values - mean.view(shape)
            variance = _Mean.apply(centred.square().mean(over), self.workers.size)
            self._track(mean, variance, values.numel() // values.shape[1] * self.workers.size)
            result = centred * (variance + self.eps).rsqrt().view(shape)
            if self.affine:
                result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, n: int) -> None:
        if self.running_mean is None:
            return
        self.num_batches_tracked.add_(1)
        weight = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (n / max(n - 1, 1)), weight)


def share_batch_norm(network: nn.Module, workers: Workers) -> None:
    """Put a shared batch norm in the place of every batch norm of a network."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm):
                setattr(parent, name, SharedBatchNorm(child, workers))
