"""Multi-layer perceptrons, for images and for points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.models.activations import LeakyReLU, ReLU
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import FlatNorm, MinibatchDiscrimination, flat_normalisation

Activation = Literal["relu", "leaky_relu", "tanh"]
Share = Annotated[float, Field(ge=0, lt=1)]


def _hidden_layers(
    sizes: Sequence[int], activation: Activation, norm: FlatNorm, init: Init, gain: float, dropout: float
) -> list[nn.Module]:
    """Return linear layers, each with its normalisation, activation and dropout.

    `auto` draws weights so that the signal keeps its size (He et al. 2015, equation 10, with the activation's own
    gain).
    """
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        linear = nn.Linear(before, after)
        if init == "auto":
            nn.init.kaiming_normal_(linear.weight, 0.2, nonlinearity=activation)
            nn.init.zeros_(linear.bias)
        draw_(linear, init, gain)
        layers += [linear, *flat_normalisation(norm, after), _activation(activation), *_dropout(dropout)]
    return layers


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []


def _activation(activation: Activation) -> nn.Module:
    if activation == "tanh":
        return nn.Tanh()
    return ReLU(inplace=True) if activation == "relu" else LeakyReLU(0.2, inplace=True)


class Generator(nn.Module):
    """A generator that is a multi-layer perceptron.

    Args:
        latent_size: dimensions of z.
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
        output: `tanh`; `sigmoid`, stretched from [0, 1] to [-1, 1]; `linear`; `auto` is tanh for images and linear
            for points.
        activation: activation of the hidden layers; leaky_relu has the slope 0.2.
        norm: normalisation after each hidden layer's linear map.
        init: see `initial.draw_`; `auto` is He's with the activation's gain in the hidden layers, torch's own last.
        gain: the initial weights are multiplied by it.
        last_init: see `initial.draw_`, of the last layer; None: as `init` says.
        dropout: share of the hidden units that are dropped in training.

    Raises:
        ValueError: the output is bounded, but the samples are points, which are unbounded.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        hidden: tuple[PositiveInt, ...] = (512, 512, 512, 512),
        output: Literal["auto", "tanh", "sigmoid", "linear"] = "auto",
        activation: Activation = "relu",
        norm: FlatNorm = "none",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
        last_init: Init | None = None,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        points = len(sample_shape) == 1
        if points and output in ("tanh", "sigmoid"):
            raise ValueError(f"output={output} is limited to [-1, 1], but points are unbounded; use output=linear")
        self.output = output if output != "auto" else "linear" if points else "tanh"
        self.sample_shape = tuple(sample_shape)
        sizes = [latent_size, *hidden]
        self.layers = nn.Sequential(
            *_hidden_layers(sizes, activation, norm, init, gain, dropout), nn.Linear(sizes[-1], math.prod(sample_shape))
        )
        draw_(self.layers[-1], last_init or init, gain)

    def forward(self, z: Tensor) -> Tensor:
        """Return samples (N, *sample_shape) for z (N, latent_size); images in [-1, 1] unless the output is linear."""
        x = self.layers(z)
        if self.output == "tanh":
            x = x.tanh()
        elif self.output == "sigmoid":
            x = x.sigmoid() * 2 - 1
        return x.unflatten(1, self.sample_shape)


class _Trunk(nn.Module):
    def __init__(self, init: Init, gain: float, last_init: Init | None = None) -> None:
        super().__init__()
        self.init, self.gain, self.last_init = init, gain, last_init

    def init_(self, module: nn.Module) -> None:
        """Draw the weights of the layers that follow the trunk."""
        draw_(module, self.last_init or self.init, self.gain)


class Trunk(_Trunk):
    """The hidden layers of a perceptron critic.

    Args:
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
        activation: as for `Generator`.
        norm: as for `Generator`.
        init: as for `Generator`.
        gain: as for `Generator`.
        minibatch_kernels: numbers that say how near a sample is to the rest of its batch (`MinibatchDiscrimination`),
            behind the features; 0: none.
        last_init: of the layers that follow, as for `Generator`.
        dropout: as for `Generator`.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        hidden: tuple[PositiveInt, ...] = (512, 512, 512),
        activation: Activation = "relu",
        norm: FlatNorm = "none",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
        minibatch_kernels: NonNegativeInt = 0,
        last_init: Init | None = None,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__(init, gain, last_init)
        sizes = [math.prod(sample_shape), *hidden]
        self.layers = nn.Sequential(*_hidden_layers(sizes, activation, norm, init, gain, dropout))
        self.n_features = sizes[-1] + minibatch_kernels
        if minibatch_kernels:
            self.layers.append(MinibatchDiscrimination(sizes[-1], minibatch_kernels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of samples x (N, ...)."""
        return self.layers(x.flatten(1))


class MaxoutTrunk(_Trunk):
    """The hidden layers of a maxout perceptron (Goodfellow et al. 2014, section 5).

    Args:
        sample_shape: of one sample: (C, H, W) or (D,).
        hidden: units of each hidden layer.
        pieces: number of linear pieces; a unit is their maximum.
        init: see `initial.draw_`; `auto` is torch's own.
        gain: the initial weights are multiplied by it.
        dropout: share of the hidden units that are dropped in training, 0.5 in the paper.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        hidden: tuple[PositiveInt, ...] = (240, 240),
        pieces: PositiveInt = 5,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
        dropout: Share = 0.0,
    ) -> None:
        super().__init__(init, gain)
        sizes = [math.prod(sample_shape), *hidden]
        self.layers = nn.ModuleList(nn.Linear(before, after * pieces) for before, after in pairwise(sizes))
        self.init_(self.layers)
        self.pieces = pieces
        self.dropout = nn.Dropout(dropout)
        self.n_features = sizes[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of samples x (N, ...)."""
        x = x.flatten(1)
        for layer in self.layers:
            x = self.dropout(layer(x).unflatten(1, (-1, self.pieces)).amax(dim=2))
        return x
