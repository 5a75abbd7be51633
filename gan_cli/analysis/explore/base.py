"""The role of a kind of exploration, and its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.analysis.explore.clips import Clip
from gan_cli.analysis.figures import png
from gan_cli.analysis.look import Demand, Look
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.data.classes import class_number
from gan_cli.errors import UserError
from gan_cli.runs import reading


class Found(NamedTuple):
    """The result of a kind of exploration; `gan explore` writes it.

    Attributes:
        pictures: name -> (height, width, 3) uint8; '' names the main picture, whose file name has no suffix.
        numbers: plain values for JSON; numbers that are not finite become text.
        lines: plain text, which is printed.
        clips: name -> animation.
    """

    pictures: Mapping[str, np.ndarray]
    numbers: dict[str, Any]
    lines: list[str]
    clips: Mapping[str, Clip] = MappingProxyType({})

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_png_(self) -> bytes:
        return png(self.pictures.get("", next(iter(self.pictures.values()))))


class Kind(ABC):
    """A kind of exploration of an image generator; its arguments are the keys of `kind`.

    Attributes:
        data: whether it uses the run's data and an extractor: `none`, `wanted` (used if available) or `needed`.
    """

    data: ClassVar[Demand] = "none"

    @abstractmethod
    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Explore a run's generator.

        Args:
            look: the run; its data and extractor are None if `data` is `none`, or if they are not available.
            config: the command's config; kinds read `seed` and `batch_size`.

        Raises:
            UserError: this run has nothing that the kind can show; the message names a solution.
        """


def labels(look: Look, y: int | str | None, n: int) -> Tensor | None:
    """Return labels of n pictures: class y, or classes or examples in turn; None for a run without a condition.

    Raises:
        UserError: a class that the run does not have.
    """
    condition = look.state.game.condition
    if not condition.needs_labels:
        if y is not None:
            raise UserError(f"kind.y={y}: this run was trained without classes (condition=none); leave kind.y out")
        return None
    if y is None:
        return condition.in_turn(n, look.device)
    if condition.reads_vectors:
        raise UserError(f"kind.y={y}: the labels of this run are vectors, and examples of them are used; leave it out")
    names = (look.data.class_names if look.data else None) or reading.class_names(look.path)
    number = class_number(y, names or list(map(str, range(condition.n_classes))), f"kind.y={y}")
    return torch.full((n,), number, device=look.device)
