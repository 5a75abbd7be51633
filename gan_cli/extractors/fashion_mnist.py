"""A small Fashion-MNIST classifier whose last hidden layer gives the features."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from importlib.resources import files
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, log_softmax

from gan_cli.data.images import FashionMNIST as Images
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features

SIDE = 28
SHA256 = "3adbc924012cae28359b30b95ed4c78b06afe80cbb2aca6d06243dfc914d2f38"


class Classifier(nn.Module):
    """Five 3 x 3 convolutions with batch norm; the first and the third halve the side.

    Args:
        width: channels of the first convolution; two have twice as many, and two have four times as many.
        channels: of the images.
        n_classes: K.
        halvings: of the side, at least 2; each further one brings a convolution with four times as many channels.
    """

    def __init__(self, width: int = 16, channels: int = 1, n_classes: int = 10, halvings: int = 2) -> None:
        super().__init__()
        self.halvings = halvings
        sizes = [channels, width, 2 * width, 2 * width, *[4 * width] * halvings]
        layers: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            if i in (0, 2) or 4 <= i < len(sizes) - 2:
                layers.append(nn.MaxPool2d(2))
        self.trunk = nn.Sequential(*layers)
        self.last = nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 4 width), the means over places, and logits (N, K) of x (N, C, H, W) in [-1, 1]."""
        features = self.trunk(x).mean(dim=(2, 3))
        return features, self.last(features)


def to_side(images: Tensor, side: int | Sequence[int]) -> Tensor:
    """Return images of a side, or of a height and width, bilinear and antialiased; those of that size unchanged."""
    sides = (side, side) if isinstance(side, int) else tuple(side)
    if images.shape[-2:] == sides:
        return images
    return interpolate(images, size=sides, mode="bilinear", antialias=True, align_corners=False)


class FashionMNIST(Extractor):
    """A classifier of Fashion-MNIST, trained by scripts/train_extractor.py; the weights are in the package.

    Each channel of an image is read by itself: the features are joined, and the classes are all tuples, in
    the order of the stacked dataset.
    """

    name = "fashion_mnist"
    channels = (1, 2, 3)
    class_names: ClassVar[tuple[str, ...]] = Images.class_names

    @property
    def resize(self) -> str:
        """How images are resized first."""
        return f"to {SIDE} x {SIDE}, bilinear, antialiased"

    def load(self, device: torch.device) -> None:
        """Read the package's weights and check their SHA-256.

        Raises:
            UserError: the weights are missing or damaged.
        """
        path = files("gan_cli.extractors") / "files" / "fashion_mnist.safetensors"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error}); install the package again") from error
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256:
            raise UserError(f"{path} is damaged: its SHA-256 is {found}, not {SHA256}; install the package again")
        self.network = Classifier()
        self.network.load_state_dict(safetensors.torch.load(content))
        self.network.to(device).eval().requires_grad_(False)
        self.sha256 = found

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Return features (N, 64 C) and log-probabilities (N, 10^C) of images (N, C, H, W) in [-1, 1]."""
        return self.differentiable(images)

    def differentiable(self, images: Tensor) -> Features:
        """Return the same features, with a gradient to the images."""
        x = to_side(images, SIDE)
        parts = [self.network(channel) for channel in x.split(1, dim=1)]
        log_p = log_softmax(parts[0][1], dim=1)
        for _, logits in parts[1:]:
            log_p = (log_p[:, :, None] + log_softmax(logits, dim=1)[:, None, :]).flatten(1)
        return Features(torch.cat([features for features, _ in parts], dim=1), log_p)
