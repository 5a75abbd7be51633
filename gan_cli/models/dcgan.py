"""The networks of DCGAN, and the WGAN paper's plain generator."""

from __future__ import annotations

import math
from itertools import pairwise

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.models.activations import LeakyReLU, ReLU
from gan_cli.models.convolution import Conv2d, ConvTranspose2d
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import (
    MinibatchDiscrimination,
    Norm,
    attend,
    channels_and_sides,
    check_attention,
    halved,
    map_sizes,
    normalisation,
)

MAX_DOUBLINGS = 3  # channels grow from width to 8 width at the most


def _own(init: Init) -> Init:
    """Replace `auto` by `normal`: DCGAN draws its weights from N(0, 0.02)."""
    return "normal" if init == "auto" else init


class _Upsampling(nn.Module):
    """A linear layer to the smallest feature map, then a transposed convolution for each doubling, then tanh."""

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        filters: list[int],
        norm: Norm,
        attention: int | None,
        init: Init,
        gain: float,
    ) -> None:
        super().__init__()
        channels, sides = channels_and_sides(sample_shape)
        self.maps = map_sizes(sides)
        check_attention(attention, self.maps[:-1])
        bias = norm == "none"
        self.project = nn.Linear(latent_size, filters[0] * math.prod(self.maps[0]), bias=bias)
        self.first = nn.Sequential(
            normalisation(norm, filters[0]), ReLU(inplace=True), *attend(attention, self.maps[0], filters[0])
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias),
                normalisation(norm, after),
                ReLU(inplace=True),
            )
            for before, after in pairwise(filters)
        )
        self.attention = nn.ModuleDict(
            {
                str(attention): a
                for sides, n in zip(self.maps[1:-1], filters[1:], strict=True)
                for a in attend(attention, sides, n)
            }
        )
        self.last = ConvTranspose2d(filters[-1], channels, 4, stride=2, padding=1)
        draw_(self, _own(init), gain)

    def forward(self, z: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for z (N, latent_size)."""
        x = self.first(self.project(z).unflatten(1, (-1, *self.maps[0])))
        for (height, width), block in zip(self.maps[1:], [*self.blocks, self.last], strict=True):
            x = block(x)[..., :height, :width]  # an odd side is its even neighbour less a row or a column
            if (key := str(min(height, width))) in self.attention:
                x = self.attention[key](x)
        return x.tanh()


class Generator(_Upsampling):
    """DCGAN's generator (Radford et al. 2016, figure 1): batch norm everywhere but at the output, ReLU, tanh.

    Args:
        latent_size: dimensions of z.
        sample_shape: (C, H, W) of the images.
        width: filters before the last layer; every earlier layer has twice as many, up to 8 width.
        norm: normalisation after every layer but the last; `auto` is batch.
        attention: smaller side of the feature map with self-attention, below that of the images; None: none has it.
        init: see `initial.draw_`; `auto` is normal.
        gain: the initial weights are multiplied by it.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        norm: Norm = "auto",
        attention: PositiveInt | None = None,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        layers = len(map_sizes(channels_and_sides(sample_shape)[1])) - 1
        filters = [width * 2 ** min(i, MAX_DOUBLINGS) for i in reversed(range(layers))]
        super().__init__(latent_size, sample_shape, filters, norm, attention, init, gain)


class PlainGenerator(_Upsampling):
    """DCGAN's generator without batch norm and with a constant number of filters (Arjovsky et al. 2017, figure 6).

    Args:
        latent_size: dimensions of z.
        sample_shape: (C, H, W) of the images.
        width: filters of every layer; the paper does not give the number.
        init: as for `Generator`.
        gain: as for `Generator`.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        layers = len(map_sizes(channels_and_sides(sample_shape)[1])) - 1
        super().__init__(latent_size, sample_shape, [width] * layers, "none", None, init, gain)


class Trunk(nn.Module):
    """DCGAN's critic up to its last feature map: strided convolutions, LeakyReLU 0.2, no norm in the first layer.

    Args:
        sample_shape: (C, H, W) of the images.
        width: filters of the first layer; every layer doubles them, up to 8 width.
        norm: normalisation after each convolution but the first; `auto` is batch, or none under a constraint that needs
            the gradient at each image, under spectral norm and in an auto-encoder.
        attention: smaller side of the feature map with self-attention, of those between the layers; None: none has it.
        init: see `initial.draw_`; `auto` is normal.
        gain: the initial weights are multiplied by it.
        minibatch_kernels: numbers that say how near a sample is to the rest of its batch (`MinibatchDiscrimination`),
            behind the features; 0: none.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        norm: Norm = "auto",
        attention: PositiveInt | None = None,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
        minibatch_kernels: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        before, sides = channels_and_sides(sample_shape)
        doublings = len(map_sizes(sides)) - 1
        maps = [halved(sides, i + 1) for i in range(doublings)]
        check_attention(attention, maps)
        layers: list[nn.Module] = []
        for i in range(doublings):
            after = width * 2 ** min(i, MAX_DOUBLINGS)
            plain = i == 0 or norm == "none"
            layers.append(Conv2d(before, after, 4, stride=2, padding=1, bias=plain))
            layers += [] if plain else [normalisation(norm, after)]
            layers += [LeakyReLU(0.2, inplace=True), *attend(attention, maps[i], after)]
            before = after
        self.layers = nn.Sequential(*layers)
        self.n_features = before * math.prod(maps[-1])
        self.minibatch = None
        if minibatch_kernels:
            self.minibatch = MinibatchDiscrimination(self.n_features, minibatch_kernels)
            self.n_features += minibatch_kernels
        self.init, self.gain = init, gain
        self.init_(self)

    def init_(self, module: nn.Module) -> None:
        """Draw the weights of layers in the same way as the weights of this trunk."""
        draw_(module, _own(self.init), self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of images x (N, C, H, W)."""
        features = self.layers(x).flatten(1)
        return features if self.minibatch is None else self.minibatch(features)
