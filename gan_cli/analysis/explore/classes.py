"""Samples of each class of a conditional run, and interpolations between classes."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.explore.base import Found, Kind, labels
from gan_cli.analysis.explore.shares import share_of
from gan_cli.analysis.explore.sheets import sheet
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import as_stored
from gan_cli.conditions.labels import one_hot
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.errors import UserError

SHOWN = 100  # classes that are drawn


class Classes(Kind):
    """A column for each class with the same z along a row, and interpolations from each class to the next.

    Between two classes the condition is interpolated: the one-hot label, or the scales and shifts of the classes
    (Dumoulin et al. 2017, section 3.3). The share of the class is the variance of the pictures along the rows over that
    of all pictures. If the extractor knows the classes, it measures how often a sample has the requested class.

    Args:
        rows: number of rows, each with another z.
        steps: number of steps from one class to the next.
        count: number of samples that are classified.
    """

    data = "wanted"

    def __init__(
        self, rows: PositiveInt = 6, steps: Annotated[int, Field(ge=2)] = 8, count: PositiveInt = 1000
    ) -> None:
        self.rows, self.steps, self.count = rows, steps, count

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return the columns, the interpolations, the class's share, and how often samples have the requested class."""
        condition, batch_size = look.state.game.condition, config.batch_size
        if not condition.needs_labels or condition.reads_vectors:
            raise UserError("kind=classes: this run was trained without classes; train a run with condition=concat")
        k = min(condition.n_classes, SHOWN)
        names = (look.data.class_names if look.data is not None else None) or [str(i) for i in range(k)]
        z = look.z(self.rows, config.seed)
        y = torch.arange(k, device=look.device).repeat(self.rows)
        x = look.draw(z.repeat_interleave(k, dim=0), y, batch_size)
        share = share_of(x.unflatten(0, (self.rows, k)))
        pictures = {"": sheet(x, k, (), names[:k]), "between": self._between(look, z[:1], k, names, batch_size)}
        numbers: dict[str, Any] = {"share_of_variance": share}
        lines = ["all pictures are the same" if share is None else f"the class explains {share:.0%} of the variance"]
        if (right := self._right(look, config)) is not None:
            shares = right.tolist()
            numbers["named_rightly"] = {"mean": float(right.mean()), "classes": dict(zip(names, shares, strict=False))}
            worst = int(right.argmin())
            lines.append(
                f"{look.extractor.name} finds the requested class in {right.mean():.0%} of samples; the lowest is "
                f"that of {names[worst]}, {shares[worst]:.0%}"
            )
        return Found(pictures, numbers, lines)

    def _between(self, look: Look, z: Tensor, k: int, names: Any, batch_size: int) -> Any:
        """Return one row for each class: one z, interpolated from this class to the next."""
        n = look.state.game.condition.n_classes
        t = torch.linspace(0, 1, self.steps, device=look.device)[:, None]
        ends = one_hot(torch.arange(n, device=look.device), n)
        following = [(i + 1) % k for i in range(k)]
        ways = torch.cat([(1 - t) * ends[i] + t * ends[j] for i, j in enumerate(following)])
        x = look.draw(z.expand(len(ways), -1), ways, batch_size, "between classes")
        return sheet(x, self.steps, [f"{names[i]} - {names[j]}" for i, j in enumerate(following)])

    def _right(self, look: Look, config: ExploreConfig) -> Tensor | None:
        """Return the share (n_classes,) of each class's samples in which the extractor finds it; None if it cannot."""
        columns = None if look.extractor is None else look.extractor.columns(look.data)
        if columns is None:
            return None
        n = max(self.count, len(columns))
        y = labels(look, None, n)
        x = as_stored(look.draw(look.z(n, config.seed), y, config.batch_size, "classified"))
        log_p = extract(look.extractor, x, config.batch_size).log_p
        hit = (log_p[:, columns].argmax(dim=1) == y).double()
        return torch.stack([hit[y == i].mean() for i in range(len(columns))])
