"""The networks of pix2pix: a U-Net that reads a picture, and a critic of patches."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_cli.models.activations import LeakyReLU, ReLU
from gan_cli.models.convolution import Conv2d, ConvTranspose2d
from gan_cli.models.initial import Init, draw_
from gan_cli.models.layers import Norm, channels_and_sides, normalisation

_MOST = 3  # doublings of the channels
_DROPPED = 3  # innermost layers of the decoder that have dropout


class Generator(nn.Module):
    """U-Net with skips (Isola et al. 2017, section 6.1.1): halved down to one pixel, and doubled back.

    The encoder is C64-C128-C256-C512-..., 4 x 4 convolutions of stride 2 with LeakyReLU 0.2, no norm in the first and
    the innermost layer; the decoder mirrors it with transposed convolutions, ReLU, and dropout in its three innermost
    layers, and reads at each size what the encoder made there. The depth follows the size of the images. Differences
    from the paper: dropout is off when the generator is used after training, so that an image depends on its source
    alone.

    Args:
        source_shape: (C', H, W) of what it reads.
        sample_shape: (C, H, W) of the images, of the same size.
        width: channels of the first layer; every layer doubles them, up to 8 width.
        norm: of every layer but the first, the innermost and the last; `auto` is batch.
        dropout: share of the units that are dropped, 0.5 in the paper; 0: none.
        init: see `initial.draw_`; `auto` is normal.
        gain: the initial weights are multiplied by it.

    Attributes:
        multiple: 2^depth; larger pictures than those it learnt from have sides that are multiples of it.

    Raises:
        ValueError: sources of another size.
    """

    def __init__(
        self,
        source_shape: tuple[int, ...],
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        norm: Norm = "auto",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        channels, _ = channels_and_sides(sample_shape)
        if source_shape[1:] != sample_shape[1:]:
            raise ValueError(
                f"unet writes images of the size that it reads, and it would read {list(source_shape[1:])} to write "
                f"{list(sample_shape[1:])}: model=srresnet"
            )
        depth = max(1, min(sample_shape[1:]).bit_length() - 1)
        self.multiple = 2**depth
        filters = [width * 2 ** min(i, _MOST) for i in range(depth)]
        bias = norm == "none"
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, after in enumerate(filters):
            before = source_shape[0] if i == 0 else filters[i - 1]
            plain = i in (0, depth - 1)
            bent = [] if i == 0 else [LeakyReLU(0.2)]
            normed = [] if plain else [normalisation(norm, after)]
            halving = Conv2d(before, after, 4, stride=2, padding=1, bias=plain or bias)
            self.down.append(nn.Sequential(*bent, halving, *normed))
        for i in reversed(range(depth)):
            after = channels if i == 0 else filters[i - 1]
            before = filters[i] if i == depth - 1 else 2 * filters[i]
            layers = [ReLU(), ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=i == 0 or bias)]
            if i:
                layers += [normalisation(norm, after)]
                layers += [nn.Dropout(dropout)] if dropout and depth - 1 - i < _DROPPED else []
            self.up.append(nn.Sequential(*layers))
        draw_(self, "normal" if init == "auto" else init, gain)

    def forward(self, source: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for sources (N, C', H, W)."""
        skips = [source]
        for layer in self.down:
            skips.append(layer(skips[-1]))
        x = skips.pop()
        for i, layer in enumerate(self.up):
            x = _of_size(layer(x if i == 0 else torch.cat([x, skips.pop()], dim=1)), skips[-1])
        return x.tanh()


def _of_size(x: Tensor, like: Tensor) -> Tensor:
    """Repeat the last row and column where halving an odd size lost one."""
    height, width = (a - b for a, b in zip(like.shape[2:], x.shape[2:], strict=True))
    return pad(x, (0, width, 0, height), mode="replicate") if height or width else x


class Trunk(nn.Module):
    """PatchGAN (Isola et al. 2017, section 6.1.2): C64-C128-C256-C512 and a score a patch; 70 x 70 with three halvings.

    A 4 x 4 convolution gives the score of each patch; the scores of an image's patches count as samples of the loss.

    Args:
        sample_shape: (C, H, W) of what it reads, the source's channels included.
        width: channels of the first layer; every layer doubles them, up to 8 width.
        halvings: layers of stride 2; one of stride 1 follows. 3: patches of 70 x 70; 2: 34 x 34; 1: 16 x 16.
        norm: of every layer but the first; `auto` is batch, or none where `dcgan.Trunk` has none.
        init: see `initial.draw_`; `auto` is normal.
        gain: the initial weights are multiplied by it.

    Raises:
        ValueError: images too small for one patch.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        width: PositiveInt = 64,
        halvings: Annotated[int, Field(ge=1, le=6)] = 3,
        norm: Norm = "auto",
        init: Init = "auto",
        gain: PositiveFloat = 1.0,
    ) -> None:
        super().__init__()
        before, _ = channels_and_sides(sample_shape)
        side = min(sample_shape[1:]) // 2**halvings - 2  # a stride of 1 and the score take a row and a column each
        if side < 1:
            raise ValueError(
                f"halvings={halvings} leaves no patch of images of {' x '.join(map(str, sample_shape[1:]))}: "
                f"model.critic.halvings={max(1, halvings - 1)}, or a larger dataset.image_size"
            )
        layers: list[nn.Module] = []
        for i in range(halvings + 1):
            after, plain = width * 2 ** min(i, _MOST), i == 0 or norm == "none"
            layers.append(Conv2d(before, after, 4, stride=2 if i < halvings else 1, padding=1, bias=plain))
            layers += [] if plain else [normalisation(norm, after)]
            layers.append(LeakyReLU(0.2, inplace=True))
            before = after
        self.layers = nn.Sequential(*layers)
        self.n_features = before
        self.init, self.gain = init, gain
        self.init_(self)

    def head(self, size: int, bias: bool = True) -> nn.Module:
        """Return what makes `size` numbers of each patch of the features."""
        return nn.Conv2d(self.n_features, size, 4, padding=1, bias=bias)

    def init_(self, module: nn.Module) -> None:
        """Draw the weights of layers in the same way as the weights of this trunk."""
        draw_(module, "normal" if self.init == "auto" else self.init, self.gain)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features, h, w) of images x (N, C, H, W)."""
        return self.layers(x)
