"""Batch norm whose scale and shift depend on the label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_cli.conditions.labels import rows_of


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a network has a batch norm with a scale and a shift."""
    return any(isinstance(m, _BatchNorm) and m.affine for m in network.modules())


class ClassNorm(nn.Module):
    """A network whose batch norms have a scale and a shift for each class (Dumoulin et al. 2017, equation 5).

    Every class starts with the scale and shift of the network. For labels that are vectors, scale and shift are linear
    in the label (Perez et al. 2018, equation 1), and start as those of the network for any label.

    Args:
        network: z (N, size) -> samples; its batch norms are replaced.
        n_classes: labels are in [0, n_classes), or vectors of so many numbers.
        vectors: labels are vectors.
    """

    def __init__(self, network: nn.Module, n_classes: int, vectors: bool = False) -> None:
        super().__init__()
        self.network = network
        self.vectors = vectors
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, _BatchNorm) and child.affine:
                    setattr(parent, name, _ClassBatchNorm(child, n_classes, vectors))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Return samples (N, ...) for z (N, size) and y: labels (N,), weights of classes, or label vectors (N, F)."""
        if self.vectors:
            y = torch.cat([y, torch.ones_like(y[:, :1])], dim=1)
        layers = [m for m in self.modules() if isinstance(m, _ClassBatchNorm)]
        for layer in layers:
            layer.y = y
        try:
            return self.network(z)
        finally:
            for layer in layers:
                layer.y = None


class _ClassBatchNorm(nn.Module):
    """A batch norm with a scale and a shift for each class, (n_classes, channels); `y` is set during a forward pass.

    Where labels are vectors, that of each number comes before that of any label, which `y` has a 1 for.
    """

    def __init__(self, norm: _BatchNorm, n_classes: int, vectors: bool) -> None:
        super().__init__()
        self.y: Tensor | None = None
        self.scale, self.shift = (
            nn.Parameter(torch.cat([t.new_zeros(n_classes, len(t)), t[None]]) if vectors else t.repeat(n_classes, 1))
            for t in (norm.weight.detach(), norm.bias.detach())
        )
        norm.weight = norm.bias = None
        norm.affine = False
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        if self.y is None:
            raise RuntimeError("a class-conditional generator needs labels")
        shape = (x.shape[0], -1, *[1] * (x.dim() - 2))
        scale, shift = (rows_of(table, self.y) for table in (self.scale, self.shift))
        return self.norm(x) * scale.view(shape) + shift.view(shape)
