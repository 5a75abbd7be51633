"""The generator of CycleGAN, which reads a picture."""

from __future__ import annotations

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from gan_cli.models.activations import ReLU
from gan_cli.models.convolution import Conv2d
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import Norm, channels_and_sides, normalisation

_HALVINGS = 2


class _Block(nn.Module):
    """Two 3 x 3 convolutions with reflected borders and norms, a ReLU between them, added to what they read."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"), normalisation(norm, width), ReLU(),
            nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"), normalisation(norm, width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Generator(nn.Module):
    """The generator of CycleGAN (Zhu et al. 2017, section 7.2, after Johnson et al. 2016).

    c7s1-64, d128, d256, residual blocks, u128, u64, c7s1-C and tanh, with instance norm and reflected borders: 9 blocks
    for images of 256 pixels, 6 for 128. The doublings are transposed convolutions, as in the authors' code.

    Args:
        source_shape: (C', H, W) of what it reads.
        sample_shape: (C, H, W) of the images, of the same size.
        width: channels of the first layer.
        blocks: number of residual blocks.
        norm: after every convolution but the last; `auto` is batch, the option says instance.
        init: see `initial.draw_`; `auto` is normal.
        gain: the initial weights are multiplied by it.

    Attributes:
        multiple: larger pictures than those it learnt from have sides that are multiples of it.

    Raises:
        ValueError: sources of another size, or sides that are no multiple of 4.
    """

    multiple = 2**_HALVINGS

    def __init__(
        self,
        source_shape: tuple[int, ...],
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        blocks: PositiveInt = 9,
        norm: Norm = "instance",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        channels, _ = channels_and_sides(sample_shape)
        if source_shape[1:] != sample_shape[1:] or any(side % 4 or side < 16 for side in sample_shape[1:]):
            raise ValueError(
                "resnet_translator reads and writes images of one size, a multiple of 4 and at least 16: it would read "
                f"{list(source_shape[1:])} to write {list(sample_shape[1:])}: dataset.image_size=32, for example"
            )
        layers: list[nn.Module] = [nn.Conv2d(source_shape[0], width, 7, padding=3, padding_mode="reflect")]
        layers += [normalisation(norm, width), ReLU()]
        for i in range(_HALVINGS):
            after = width * 2 ** (i + 1)
            layers += [Conv2d(after // 2, after, 3, stride=2, padding=1), normalisation(norm, after), ReLU()]
        layers += [_Block(width * 2**_HALVINGS, norm) for _ in range(blocks)]
        for i in reversed(range(_HALVINGS)):
            after = width * 2**i
            layers += [nn.ConvTranspose2d(2 * after, after, 3, stride=2, padding=1, output_padding=1)]
            layers += [normalisation(norm, after), ReLU()]
        layers += [nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        draw_(self, "normal" if init == "auto" else init, gain)

    def forward(self, source: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for sources (N, C', H, W)."""
        return self.layers(source)
