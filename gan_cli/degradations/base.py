"""The role of a degradation: what is done to an image before a generator is to make it good again."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import interpolate

from gan_cli.rng import Draws


class Degradation(ABC):
    """Turns images into worse ones, on the device, so that any set of images gives pairs."""

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
        channels, *size = sample_shape
        return resized(source[:, :channels].expand(-1, channels, -1, -1), size)


def resized(images: Tensor, size: tuple[int, ...] | list[int]) -> Tensor:
    """Return images (N, C, H, W) of another size by the antialiased bicubic filter, in [-1, 1]."""
    if list(images.shape[2:]) == list(size):
        return images
    return interpolate(images, size=tuple(size), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)


def luma(images: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) of images, by ITU-R 601; grey images as they are."""
    if images.shape[1] == 1:
        return images
    return (images[:, :3] * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)
