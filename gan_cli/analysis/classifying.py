"""Trains a small classifier of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_cli.data.source import Batch, Source
from gan_cli.extractors.fashion_mnist import Classifier, to_side
from gan_cli.rng import generator, seed_of

LAST_SIDE = 7
SHIFT = 2  # pixels that an image is moved by, at most
PART = 500  # images at a time


class Augmentation(NamedTuple):
    """What is done to training images.

    Attributes:
        flip: reflect each in half of the cases, left for right.
        detour: half of a batch is taken to this side and back, as samples of that size will be; None: none is.
    """

    flip: bool = True
    detour: int | None = None


def new_classifier(shape: Sequence[int], n_classes: int, width: int, seed: int, device: torch.device) -> Classifier:
    """Return a classifier of images (C, H, W) with drawn weights; its last map's shorter side is about LAST_SIDE."""
    halvings = max(2, int(math.log2(min(shape[1:]) / LAST_SIDE)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "classifier", "weights"))
        network = Classifier(width, shape[0], n_classes, halvings)
    return network.to(device, memory_format=torch.channels_last)


def train(
    network: nn.Module,
    draw: Callable[[int], Batch],
    steps: int,
    seed: int,
    augmentation: Augmentation = Augmentation(),  # noqa: B008
) -> Iterator[float]:
    """Minimise the smoothed cross-entropy by SGD with one cycle of the learning rate, a step at a time.

    Args:
        network: images (N, C, H, W) -> features, logits (N, K); it is in eval mode after the last step.
        draw: number of a step -> its batch, images in [-1, 1] with labels.
        steps: updates.
        seed: of the augmentation.
        augmentation: of the images.

    Yields:
        the loss of each step.
    """
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    rng = generator("cpu", seed, "classifier", "augmentation")
    network.train()
    for step in range(steps):
        batch = draw(step)
        value = loss(network(augmented(batch.x, rng, augmentation))[1], batch.y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        yield value.item()
    network.eval()


def augmented(x: Tensor, rng: torch.Generator, augmentation: Augmentation) -> Tensor:
    """Return images (N, C, H, W) in [-1, 1], moved together by up to SHIFT pixels, and as the augmentation says."""
    height, width = x.shape[2:]
    down, right = torch.randint(2 * SHIFT + 1, (2,), generator=rng).tolist()
    x = pad(x, (SHIFT,) * 4, value=-1.0)[:, :, down : down + height, right : right + width]
    if augmentation.flip:
        mirrored = torch.rand(len(x), 1, 1, 1, generator=rng).to(x.device) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
    if augmentation.detour:
        half = len(x) // 2
        x = torch.cat([to_side(to_side(x[:half], augmentation.detour), (height, width)), x[half:]])
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def right(network: nn.Module, images: Tensor, y: Tensor) -> Tensor:
    """Return whether each image (N, C, H, W) is classified rightly, (N,) bool."""
    return torch.cat([network(part)[1].argmax(1) for part in images.split(PART)]) == y


def right_of(network: nn.Module, source: Source) -> tuple[Tensor, Tensor]:
    """Return whether each image of a split is classified rightly, (N,) bool, and its class (N,)."""
    found = []
    for start in range(0, source.size, PART):
        batch = source.at(torch.arange(start, min(start + PART, source.size)))
        found.append((right(network, batch.x, batch.y), batch.y))
    return tuple(torch.cat(parts).cpu() for parts in zip(*found, strict=True))
