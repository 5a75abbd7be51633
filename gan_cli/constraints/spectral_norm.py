"""Spectral normalisation."""

from __future__ import annotations

from pydantic import PositiveInt
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrizations import spectral_norm

from gan_cli.constraints.base import Constraint


class SpectralNorm(Constraint):
    """Divides every weight matrix of the critic by its largest singular value (Miyato et al. 2018, equation 8).

    A convolution's weight is taken as the matrix (output channels, rest), as in the paper's section 4. The embedding
    of a projection critic counts as a weight matrix (Miyato & Koyama 2018); the heads are left alone. The singular
    value is estimated by power iteration, which every forward pass in training continues (algorithm 1).

    The paper's critic has no normalisation layer, so `norm: auto` of a model is none here.

    Args:
        power_iterations: power iterations in each forward pass; 1 in the paper.
    """

    critic_norm = "none"
    per_sample = False

    def __init__(self, power_iterations: PositiveInt = 1) -> None:
        self.power_iterations = power_iterations

    def parametrize(self, critic: nn.Module) -> None:
        """Parametrise every linear layer, convolution and embedding except the heads."""
        weighted = [
            module
            for name, module in critic.named_modules()
            if isinstance(module, (nn.Linear, nn.Embedding, _ConvNd)) and name.split(".")[0] != "heads"
        ]
        for module in weighted:
            spectral_norm(module, n_power_iterations=self.power_iterations)
