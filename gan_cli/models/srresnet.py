"""The networks of SRGAN, which read a picture."""

from __future__ import annotations

import math

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.models.activations import LeakyReLU
from gan_cli.models.convolution import Conv2d
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import Norm, channels_and_sides, normalisation


class _Block(nn.Module):
    """Two 3 x 3 convolutions with norms and a PReLU between them, added to what they read."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv2d(width, width, 3, padding=1), normalisation(norm, width), nn.PReLU(),
            Conv2d(width, width, 3, padding=1), normalisation(norm, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Generator(nn.Module):
    """SRResNet (Ledwig et al. 2017, figure 4): residual blocks at the source's size, then a pixel shuffle a doubling.

    A 9 x 9 convolution and a PReLU; the blocks, a convolution and a norm, added to what the blocks read; for each
    doubling a convolution to 4 width channels, the pixel shuffle and a PReLU; a 9 x 9 convolution and tanh. A source of
    the images' own size needs no doubling.

    Args:
        source_shape: (C', H', W') of what it reads.
        sample_shape: (C, H, W) of the images; H / H' is a power of 2.
        width: channels of every convolution.
        blocks: number of residual blocks.
        norm: in every block; `auto` is batch.
        init: see `initial.draw_`; `auto` is torch's own.
        gain: the initial weights are multiplied by it.

    Raises:
        ValueError: images that no doubling of the source makes.
    """

    def __init__(
        self,
        source_shape: tuple[int, ...],
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        blocks: PositiveInt = 16,
        norm: Norm = "auto",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        channels, _ = channels_and_sides(sample_shape)
        times = [large / small for large, small in zip(sample_shape[1:], source_shape[1:], strict=True)]
        doublings = round(math.log2(times[0]))
        if times[0] != times[1] or times[0] != 2**doublings or doublings < 0:
            raise ValueError(
                f"srresnet doubles the size of what it reads, which does not lead from {list(source_shape[1:])} to "
                f"{list(sample_shape[1:])}: use model=unet, or another degradation.factor"
            )
        self.first = nn.Sequential(Conv2d(source_shape[0], width, 9, padding=4), nn.PReLU())
        self.blocks = nn.Sequential(
            *(_Block(width, norm) for _ in range(blocks)),
            Conv2d(width, width, 3, padding=1),
            normalisation(norm, width),
        )
        up = ([Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()] for _ in range(doublings))
        self.up = nn.Sequential(*(layer for layers in up for layer in layers))
        self.last = Conv2d(width, channels, 9, padding=4)
        draw_(self, init, gain)

    def forward(self, source: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for sources (N, C', H', W')."""
        x = self.first(source)
        return self.last(self.up(x + self.blocks(x))).tanh()


class Trunk(nn.Module):
    """The hidden layers of SRGAN's discriminator (Ledwig et al. 2017, figure 4).

    Eight 3 x 3 convolutions, every second of which halves the map and every third of which doubles the channels, norms
    (none in the first layer), LeakyReLU 0.2, and a linear layer of 16 width units.

    Args:
        sample_shape: (C, H, W) of what it reads.
        width: channels of the first layer; 8 width in the last.
        norm: `auto` is batch, or none where `dcgan.Trunk` has none.
        init: see `initial.draw_`; `auto` is torch's own.
        gain: the initial weights are multiplied by it.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        norm: Norm = "auto",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        before, _ = channels_and_sides(sample_shape)
        sides = list(sample_shape[1:])
        layers: list[nn.Module] = []
        for i in range(8):
            after, stride = width * 2 ** (i // 2), 1 + i % 2
            sides = [(side + stride - 1) // stride for side in sides]
            layers.append(Conv2d(before, after, 3, stride=stride, padding=1))
            layers += [normalisation(norm, after)] * (i > 0) + [LeakyReLU(0.2, inplace=True)]
            before = after
        self.n_features = 16 * width
        dense = nn.Linear(before * math.prod(sides), self.n_features)
        self.layers = nn.Sequential(*layers, nn.Flatten(), dense, LeakyReLU(0.2, inplace=True))
        self.init, self.gain = init, gain
        self.init_(self)

    def init_(self, module: nn.Module) -> None:
        """Draw the weights of layers in the same way as the weights of this trunk."""
        draw_(module, self.init, self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of images x (N, C, H, W)."""
        return self.layers(x)
