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
from gan_cli.analysis.look import Demand, Look
from gan_cli.config.schema import ExploreConfig
from gan_cli.errors import UserError


class Found(NamedTuple):
    """What a kind finds; `gan explore` writes it.

    Attributes:
        pictures: name -> (height, width, 3) uint8; '' names the main one, whose file has the bare name.
        numbers: plain values for JSON, where those that are not finite become text.
        lines: plain words, printed.
        clips: name -> animation.
    """

    pictures: Mapping[str, np.ndarray]
    numbers: dict[str, Any]
    lines: list[str]
    clips: Mapping[str, Clip] = MappingProxyType({})


class Kind(ABC):
    """A way of looking into a generator of images; its arguments are the keys of `kind`.

    Attributes:
        data: whether it needs the run's data and an extractor: `none`, `wanted` (used if they are there) or `needed`.
    """

    data: ClassVar[Demand] = "none"

    @abstractmethod
    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Look into a run.

        Args:
            look: the run; its data and extractor are None where `data` is `none`, or where they are not there.
            config: of the command; `seed` and `batch_size` are meant for kinds.

        Raises:
            UserError: this run has nothing that the kind could show; the line names what to do.
        """


def labels(look: Look, y: int | None, n: int) -> Tensor | None:
    """Return the labels (n,) of n pictures: class y, or the classes in turn; None for a run without a condition.

    Raises:
        UserError: a class that the run does not have.
    """
    condition = look.state.game.condition
    if not condition.needs_labels:
        if y is not None:
            raise UserError(f"kind.y={y}: this run was trained without classes (condition=none); leave kind.y out")
        return None
    if y is None:
        return torch.arange(n, device=look.device) % condition.n_classes
    if y >= condition.n_classes:
        raise UserError(f"kind.y={y}: the run's classes are 0 to {condition.n_classes - 1}")
    return torch.full((n,), y, device=look.device)
