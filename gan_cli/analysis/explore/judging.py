"""The class of an image, by the extractor and by the nearest training images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis.look import Look
from gan_cli.analysis.neighbours import nearest
from gan_cli.analysis.reals import available
from gan_cli.data.classes import class_number
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError

PART = 2_000  # training images at a time
VOTES = 5  # nearest training images that name a class


class Judge:
    """The extractor as a classifier of a run's classes.

    Args:
        look: with data and an extractor.
        why: the reason why it is needed, with which the error message starts.

    Attributes:
        names: names of the classes.

    Raises:
        UserError: the extractor does not know the classes of the data.
    """

    def __init__(self, look: Look, why: str) -> None:
        columns = look.extractor.columns(look.data)
        if columns is None or len(columns) < 2:
            raise UserError(
                f"{why}: extractor={look.extractor.name} does not know the classes of these data; use a "
                f"classifier of them, such as extractor=fashion_mnist for clothes; gan classifier trains one"
            )
        self._extractor, self._columns = look.extractor, columns
        self.names = look.data.class_names

    def log_p(self, images: Tensor) -> Tensor:
        """Return log-probabilities (N, K) of images (N, C, H, W) in [-1, 1], with a gradient.

        Raises:
            UserError: the extractor has no gradient.
        """
        return self._extractor.differentiable(images).log_p[:, self._columns].log_softmax(dim=1)

    @torch.no_grad()
    def classes(self, images: Tensor, batch_size: int) -> Tensor:
        """Return the most likely class (N,) of each image."""
        return torch.cat([self._extractor(part).log_p[:, self._columns].argmax(1) for part in images.split(batch_size)])

    def number(self, wanted: int | str) -> int:
        """Return the number of a class given by name or number.

        Raises:
            UserError: there is none.
        """
        return class_number(wanted, self.names, f"kind.target={wanted}")


def training_parts(data: RealData, what: str) -> Iterator[Batch]:
    """Yield the training images in order, in parts; `what` is the name of the work in the progress bar.

    Raises:
        UserError: the data are endless.
    """
    n = available(data.train)
    if n is None:
        raise UserError("these data are endless (dataset=stacked), so there is no fixed set of training images")
    for start in tqdm(range(0, n, PART), what, unit="part", disable=None, leave=False):
        yield data.train.at(torch.arange(start, min(start + PART, n)))


def by_neighbours(images: Tensor, data: RealData) -> Tensor | None:
    """Return the most common class (N,) of each image's nearest training images in pixels; None for endless data.

    This is a second measurement, because an edit along a classifier's gradient can mislead that classifier.
    """
    if available(data.train) is None:
        return None
    labels: list[Tensor] = []

    def parts() -> Iterator[Tensor]:
        for batch in training_parts(data, "nearest training images"):
            labels.append(batch.y)
            yield batch.x.flatten(1)

    k = min(VOTES, available(data.train))
    found = nearest(images.flatten(1), parts(), k).positions
    return torch.cat(labels)[found].mode(dim=1).values
