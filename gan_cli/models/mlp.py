"""Perceptrons, for images and for points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn


def _relu_layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Return linear layers with their ReLUs, drawn so that the signal keeps its size (He et al. 2015, equation 10)."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        linear = nn.Linear(before, after)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU(inplace=True)]
    return layers


class Generator(nn.Module):
    """A ReLU perceptron.

    Args:
        latent_size: dimensions of z.
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
        output: `tanh`; `sigmoid`, stretched from [0, 1] to [-1, 1]; `linear`; `auto` is tanh for images and linear
            for points.

    Raises:
        ValueError: points, which are unbounded, from a bounded output.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        hidden: tuple[PositiveInt, ...] = (512, 512, 512, 512),
        output: Literal["auto", "tanh", "sigmoid", "linear"] = "auto",
    ) -> None:
        super().__init__()
        points = len(sample_shape) == 1
        if points and output in ("tanh", "sigmoid"):
            raise ValueError(f"output={output} reaches [-1, 1] only and points are unbounded; output=linear")
        self.output = output if output != "auto" else "linear" if points else "tanh"
        self.sample_shape = tuple(sample_shape)
        sizes = [latent_size, *hidden]
        self.layers = nn.Sequential(*_relu_layers(sizes), nn.Linear(sizes[-1], math.prod(sample_shape)))

    def forward(self, z: Tensor) -> Tensor:
        """Return samples (N, *sample_shape) for z (N, latent_size); images in [-1, 1] unless the output is linear."""
        x = self.layers(z)
        if self.output == "tanh":
            x = x.tanh()
        elif self.output == "sigmoid":
            x = x.sigmoid() * 2 - 1
        return x.unflatten(1, self.sample_shape)


class Trunk(nn.Module):
    """A ReLU perceptron's hidden layers, without normalisation.

    Args:
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
    """

    normal_init = False

    def __init__(self, sample_shape: tuple[int, ...], hidden: tuple[PositiveInt, ...] = (512, 512, 512)) -> None:
        super().__init__()
        sizes = [math.prod(sample_shape), *hidden]
        self.layers = nn.Sequential(*_relu_layers(sizes))
        self.n_features = sizes[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of samples x (N, ...)."""
        return self.layers(x.flatten(1))


class MaxoutTrunk(nn.Module):
    """A maxout perceptron's hidden layers (Goodfellow et al. 2014, section 5, who trained it with dropout; none here).

    Args:
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
        pieces: linear pieces a unit takes the maximum of.
    """

    normal_init = False

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        hidden: tuple[PositiveInt, ...] = (240, 240),
        pieces: PositiveInt = 5,
    ) -> None:
        super().__init__()
        sizes = [math.prod(sample_shape), *hidden]
        self.layers = nn.ModuleList(nn.Linear(before, after * pieces) for before, after in pairwise(sizes))
        self.pieces = pieces
        self.n_features = sizes[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of samples x (N, ...)."""
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x).unflatten(1, (-1, self.pieces)).amax(dim=2)
        return x
