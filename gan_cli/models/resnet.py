"""The residual networks of WGAN-GP and SNGAN."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan_cli.models.activations import ReLU
from gan_cli.models.convolution import Conv2d
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import Norm, attend, channels_and_sides, check_attention, halved, map_sizes, normalisation

Resample = Literal["up", "down"] | None


def _draw_(module: nn.Module, init: Init, gain: float) -> None:
    """Draw the weights; `auto` as in both papers' code: Glorot's, times sqrt(2) in a block's 3 x 3 convolutions."""
    draw_(module, "glorot" if init == "auto" else init, gain)
    if init == "auto":
        for block in module.modules():
            if isinstance(block, Block):
                for convolution in (block.conv_1, block.conv_2):
                    convolution.weight.data.mul_(math.sqrt(2))


def _filters(width: int, growth: int, doublings: int) -> list[int]:
    """Return the filters from full resolution down: doubled with each halving, up to growth times width."""
    return [width * min(2**i, growth) for i in range(doublings + 1)]


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut (Gulrajani et al. 2017, appendix; Miyato et al. 2018, figure 9).

    Norm and ReLU come before each convolution. `up` doubles the map before the first one, `down` averages 2 x 2 after
    the second. The shortcut is the identity where neither size nor channels change, else a 1 x 1 convolution.

    Args:
        before: number of input channels.
        after: number of output channels.
        resample: `up`, `down`, or None.
        norm: normalisation before each ReLU.
        first: the block reads an image: neither norm nor ReLU before its first convolution.
    """

    def __init__(self, before: int, after: int, resample: Resample, norm: Norm, first: bool = False) -> None:
        super().__init__()
        hidden = before if resample == "down" and not first else after
        self.resample, self.first = resample, first
        self.relu = ReLU()
        self.norm_1 = nn.Identity() if first else normalisation(norm, before)
        self.conv_1 = Conv2d(before, hidden, 3, padding=1)
        self.norm_2 = normalisation(norm, hidden)
        self.conv_2 = Conv2d(hidden, after, 3, padding=1)
        self.shortcut = Conv2d(before, after, 1) if resample or before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return a map (N, after, H', W') for x (N, before, H, W)."""
        h = x if self.first else self.relu(self.norm_1(x))
        if self.resample == "up":
            h, x = (interpolate(t, scale_factor=2.0, mode="nearest") for t in (h, x))
        h = self.conv_2(self.relu(self.norm_2(self.conv_1(h))))
        if self.resample == "down":
            h, x = avg_pool2d(h, 2), avg_pool2d(x, 2)
        return h + self.shortcut(x)


class Generator(nn.Module):
    """A linear layer to the smallest feature map, a block for each doubling, norm, ReLU, a 3 x 3 convolution and tanh.

    Args:
        latent_size: dimensions of z.
        sample_shape: (C, H, W) of the images.
        width: filters at the images' size; they double with each halving.
        growth: how many times width they reach at the most: 8 is WGAN-GP's at 64 pixels, 16 SNGAN's at 128 (table 6);
            1 keeps them constant, as both papers do at 32.
        norm: in every block and before the last convolution; `auto` is batch.
        attention: smaller side of the feature map with self-attention; None: none has it.
        init: see `initial.draw_`; `auto` is glorot, sqrt(2) times that in a block's 3 x 3 convolutions.
        gain: the initial weights are multiplied by it.
    """

    def __init__(
        self,
        latent_size: int,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        growth: PositiveInt = 8,
        norm: Norm = "auto",
        attention: PositiveInt | None = None,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        channels, sides = channels_and_sides(sample_shape)
        self.maps = map_sizes(sides)
        check_attention(attention, self.maps)
        filters = _filters(width, growth, len(self.maps) - 1)[::-1]
        self.project = nn.Linear(latent_size, filters[0] * math.prod(self.maps[0]))
        self.blocks = nn.ModuleList(Block(before, after, "up", norm) for before, after in pairwise(filters))
        self.attention = nn.ModuleDict(
            {str(attention): a for at, n in zip(self.maps, filters, strict=True) for a in attend(attention, at, n)}
        )
        self.norm = normalisation(norm, filters[-1])
        self.last = Conv2d(filters[-1], channels, 3, padding=1)
        _draw_(self, init, gain)

    def forward(self, z: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for z (N, latent_size)."""
        x = self._attend(self.project(z).unflatten(1, (-1, *self.maps[0])))
        for (height, width), block in zip(self.maps[1:], self.blocks, strict=True):
            x = self._attend(block(x)[..., :height, :width])  # an odd side is its even neighbour less a row or a column
        return self.last(self.norm(x).relu()).tanh()

    def _attend(self, x: Tensor) -> Tensor:
        key = str(min(x.shape[2:]))
        return self.attention[key](x) if key in self.attention else x


class Trunk(nn.Module):
    """A block down for each halving, more at the smallest map, ReLU, and the sum over the map (SNGAN, table 6).

    WGAN-GP at 64 pixels has a convolution before the blocks and reads the last map as it is; at 32 pixels it halves the
    map twice, has two blocks at 8 x 8, and takes the mean.

    Args:
        sample_shape: (C, H, W) of the images.
        width: filters of the first block; they double with each halving.
        growth: how many times width they reach at the most: 8 is WGAN-GP's at 64 pixels, 16 SNGAN's at 128 (table 6);
            1 keeps them constant, as both papers do at 32.
        norm: before each ReLU: none is SNGAN's, layer WGAN-GP's; `auto` is batch; none under a constraint that
            needs the gradient at each image, under spectral norm and in an auto-encoder.
        attention: smaller side of the feature map with self-attention; None: none has it.
        init: see `initial.draw_`; `auto` is glorot, sqrt(2) times that in a block's 3 x 3 convolutions.
        gain: the initial weights are multiplied by it.
        halvings: of the map; `auto`: until its smaller side has 4 to 7 pixels.
        flat_blocks: blocks at the smallest map.
        pool: `sum` (SNGAN) or `mean` (WGAN-GP at 32 pixels) over the last map.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        growth: PositiveInt = 8,
        norm: Norm = "none",
        attention: PositiveInt | None = None,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
        halvings: Literal["auto"] | PositiveInt = "auto",
        flat_blocks: PositiveInt = 1,
        pool: Literal["sum", "mean"] = "sum",
    ) -> None:
        super().__init__()
        before, sides = channels_and_sides(sample_shape)
        doublings = len(map_sizes(sides)) - 1 if halvings == "auto" else halvings
        if min(sides) < 2**doublings:
            raise ValueError(
                f"halvings={halvings} leaves no pixels of images of {sides[0]} x {sides[1]}: use "
                "model.critic.halvings=auto"
            )
        maps = [halved(sides, i + 1) for i in range(doublings)]
        check_attention(attention, maps)
        layers: list[nn.Module] = []
        for i, after in enumerate(_filters(width, growth, doublings)[:doublings]):
            layers += [Block(before, after, "down", norm, first=i == 0), *attend(attention, maps[i], after)]
            before = after
        self.n_features = width * min(2 ** (doublings - 1), growth)
        for _ in range(flat_blocks):
            layers.append(Block(before, self.n_features, None, norm))
            before = self.n_features
        layers += [normalisation(norm, self.n_features), ReLU()]
        self.layers = nn.Sequential(*layers)
        self.init, self.gain, self.pool = init, gain, pool
        self.init_(self)

    def init_(self, module: nn.Module) -> None:
        """Draw the weights of layers as this trunk's are drawn."""
        _draw_(module, self.init, self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of images x (N, C, H, W)."""
        found = self.layers(x)
        return found.sum(dim=(2, 3)) if self.pool == "sum" else found.mean(dim=(2, 3))
