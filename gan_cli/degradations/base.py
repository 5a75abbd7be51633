"""The role of a degradation: how an image is degraded, which a generator then restores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.rng import Draws


class Degradation(ABC):
    """Turns images into worse ones, on the device, so that any set of images gives pairs.

    Attributes:
        leaves_holes: a degraded image has one more channel, which is 1 in a hole and -1 outside.
        baseline: what `unlearned` returns, in words.
    """

    leaves_holes: ClassVar[bool] = False
    baseline: ClassVar[str] = "the degraded image itself"

    def source_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the shape of a degraded image, for images (C, H, W).

        Raises:
            ValueError: such images cannot be degraded in this way.
        """
        channels, height, width = sample_shape
        return channels, height, width

    @abstractmethod
    def __call__(self, x: Tensor, draws: Draws) -> Tensor:
        """Return degraded images, `source_shape` each, for images x (N, C, H, W) in [-1, 1].

        Args:
            x: whole images.
            draws: stream `degradation` is used by those that are random.
        """

    def completed(self, output: Tensor, source: Tensor) -> Tensor:
        """Return the restored images for a generator's output (N, C, H, W): what the source shows whole stays so."""
        return output

    def unlearned(self, source: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
        """Return images (N, *sample_shape) made of the sources without learning, the baseline of a comparison."""
        return as_sample(source, sample_shape)


def as_sample(images: Tensor, sample_shape: tuple[int, ...]) -> Tensor:
    """Return images (N, C', H', W') as (N, C, H, W): resized, grey from colours or the reverse.

    Args:
        images: channels beyond the third, or beyond C, are left out.
        sample_shape: (C, H, W).
    """
    channels, *size = sample_shape
    if channels == 1:
        images = luma(images[:, :3] if images.shape[1] >= 3 else images[:, :1])
    elif images.shape[1] >= channels:
        images = images[:, :channels]
    else:
        images = images[:, :1].expand(-1, channels, -1, -1)
    return resized(images, size)


def resized(images: Tensor, size: tuple[int, ...] | list[int]) -> Tensor:
    """Return images (N, C, H, W) of another size by the antialiased bicubic filter, in [-1, 1]."""
    if list(images.shape[2:]) == list(size):
        return images
    return interpolate(images, size=tuple(size), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def luma(images: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) of images, by ITU-R 601; of other than three channels their mean."""
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    return (images * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)
