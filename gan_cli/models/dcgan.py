"""Convolutional networks of DCGAN, and the WGAN paper's plain generator."""

from __future__ import annotations

from itertools import pairwise

from pydantic import PositiveInt
from torch import Tensor, nn

from gan_cli.models.layers import Norm, image_sizes, init_normal_, normalisation

MAX_DOUBLINGS = 3  # channels grow from width to 8 width at the most


def _channels_and_size(sample_shape: tuple[int, ...]) -> tuple[int, int]:
    if len(sample_shape) != 3:
        raise ValueError(f"convolutions need images, the data are {sample_shape[0]}-D points: model=toy_mlp")
    return sample_shape[0], sample_shape[1]


class _Upsampling(nn.Module):
    """A linear layer to the smallest feature map, then a transposed convolution for each doubling, then tanh."""

    def __init__(self, latent_size: int, sample_shape: tuple[int, ...], filters: list[int], norm: Norm) -> None:
        super().__init__()
        channels, size = _channels_and_size(sample_shape)
        self.sizes = image_sizes(size)
        bias = norm == "none"
        self.project = nn.Linear(latent_size, filters[0] * self.sizes[0] ** 2, bias=bias)
        self.first = nn.Sequential(normalisation(norm, filters[0]), nn.ReLU(inplace=True))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias),
                normalisation(norm, after),
                nn.ReLU(inplace=True),
            )
            for before, after in pairwise(filters)
        )
        self.last = nn.ConvTranspose2d(filters[-1], channels, 4, stride=2, padding=1)
        init_normal_(self)

    def forward(self, z: Tensor) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1] for z (N, latent_size)."""
        x = self.first(self.project(z).unflatten(1, (-1, self.sizes[0], self.sizes[0])))
        for size, block in zip(self.sizes[1:], [*self.blocks, self.last], strict=True):
            x = block(x)[..., :size, :size]  # an odd size is its even neighbour less a row and a column
        return x.tanh()


class Generator(_Upsampling):
    """DCGAN's generator (Radford et al. 2016, figure 1): batch norm everywhere but at the output, ReLU, tanh.

    Args:
        latent_size: dimensions of z.
        sample_shape: (C, H, W) of the images.
        width: filters before the last layer; they double with every layer before it, up to 8 width.
        norm: after every layer but the last; `auto` is batch.
    """

    def __init__(
        self, latent_size: int, sample_shape: tuple[int, ...], width: PositiveInt = 64, norm: Norm = "auto"
    ) -> None:
        layers = len(image_sizes(_channels_and_size(sample_shape)[1])) - 1
        filters = [width * 2 ** min(i, MAX_DOUBLINGS) for i in reversed(range(layers))]
        super().__init__(latent_size, sample_shape, filters, norm)


class PlainGenerator(_Upsampling):
    """DCGAN's generator without batch norm and with a constant number of filters (Arjovsky et al. 2017, figure 6).

    Args:
        latent_size: dimensions of z.
        sample_shape: (C, H, W) of the images.
        width: filters of every layer; the paper does not print its number.
    """

    def __init__(self, latent_size: int, sample_shape: tuple[int, ...], width: PositiveInt = 64) -> None:
        layers = len(image_sizes(_channels_and_size(sample_shape)[1])) - 1
        super().__init__(latent_size, sample_shape, [width] * layers, norm="none")


class Trunk(nn.Module):
    """DCGAN's critic up to its last feature map: strided convolutions, LeakyReLU 0.2, no norm in the first layer.

    Args:
        sample_shape: (C, H, W) of the images.
        width: filters of the first layer; they double with every layer, up to 8 width.
        norm: after each convolution but the first; `auto` is batch, or none under a constraint that needs the
            gradient at each image.
    """

    normal_init = True

    def __init__(self, sample_shape: tuple[int, ...], width: PositiveInt = 64, norm: Norm = "auto") -> None:
        super().__init__()
        before, size = _channels_and_size(sample_shape)
        layers: list[nn.Module] = []
        for i in range(len(image_sizes(size)) - 1):
            after = width * 2 ** min(i, MAX_DOUBLINGS)
            plain = i == 0 or norm == "none"
            layers.append(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=plain))
            layers += [] if plain else [normalisation(norm, after)]
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before, size = after, size // 2
        self.layers = nn.Sequential(*layers)
        self.n_features = before * size**2
        init_normal_(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (N, n_features) of images x (N, C, H, W)."""
        return self.layers(x).flatten(1)
