"""Batch norm whose scale and shift depend on the class."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_cli.conditions.labels import rows_of


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a network has a batch norm with a scale and a shift."""
    return any(isinstance(m, _BatchNorm) and m.affine for m in network.modules())


class ClassNorm(nn.Module):
    """A network whose batch norms have a scale and a shift for each class (Dumoulin et al. 2017, equation 5).

    Every class starts with the scale and shift of the network.

    Args:
        network: z (N, size) -> samples; its batch norms are replaced.
        n_classes: labels are in [0, n_classes).
    """

    def __init__(self, network: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.network = network
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, _BatchNorm) and child.affine:
                    setattr(parent, name, _ClassBatchNorm(child, n_classes))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Return samples (N, ...) for z (N, size) and labels y (N,), or weights of the classes (N, n_classes)."""
        layers = [m for m in self.modules() if isinstance(m, _ClassBatchNorm)]
        for layer in layers:
            layer.y = y
        try:
            return self.network(z)
        finally:
            for layer in layers:
                layer.y = None


class _ClassBatchNorm(nn.Module):
    """A batch norm with a scale and a shift for each class, (n_classes, channels); `y` is set during a forward pass."""

    def __init__(self, norm: _BatchNorm, n_classes: int) -> None:
        super().__init__()
        self.y: Tensor | None = None
        self.scale = nn.Parameter(norm.weight.detach().repeat(n_classes, 1))
        self.shift = nn.Parameter(norm.bias.detach().repeat(n_classes, 1))
        norm.weight = norm.bias = None
        norm.affine = False
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        if self.y is None:
            raise RuntimeError("a class-conditional generator needs labels")
        shape = (x.shape[0], -1, *[1] * (x.dim() - 2))
        scale, shift = (rows_of(table, self.y) for table in (self.scale, self.shift))
        return self.norm(x) * scale.view(shape) + shift.view(shape)
