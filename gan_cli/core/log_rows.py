"""The rows of a log as arrays: a number takes 8 bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:  # what only counts rows does without it
    import numpy as np

Row = dict[str, float]  # "step" is an int


class _Kind(NamedTuple):
    """The rows that have the same tags.

    Attributes:
        tags: in the order of the values.
        numbers: of these rows among all.
        values: of one row after the other.
    """

    tags: tuple[str, ...]
    numbers: array[int]
    values: array[float]


class LogRows(Sequence[Row]):
    """Rows, which are made again as they are asked for; `of` returns a curve without that.

    Args:
        rows: each with a step, and floats beside it.
        only: tags that are kept beside the step; None: all.

    Attributes:
        tags: of all rows, kept or not, in the order in which they first appear.
    """

    def __init__(self, rows: Iterable[Row] = (), only: Collection[str] | None = None) -> None:
        self._steps, self._kinds, self._where = array("q"), list[_Kind](), array("q")
        tags, known = dict[str, None](), dict[tuple[str, ...], tuple[int, list[str]]]()
        for number, row in enumerate(rows):
            names = tuple(row)
            if names not in known:
                found = [tag for tag in names if tag != "step"]
                tags |= dict.fromkeys(found)
                kept = [tag for tag in found if only is None or tag in only]
                known[names] = len(self._kinds), kept
                self._kinds.append(_Kind(tuple(kept), array("q"), array("d")))
            place, kept = known[names]
            kind = self._kinds[place]
            self._steps.append(int(row["step"]))
            self._where.append(place)
            kind.numbers.append(number)
            kind.values.extend([row[tag] for tag in kept])
        self.tags = list(tags)

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        """Return a row, or a list of rows."""
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        number = range(len(self))[at]
        kind = self._kinds[self._where[number]]
        first = bisect_left(kind.numbers, number) * len(kind.tags)
        values = kind.values[first : first + len(kind.tags)]
        return {"step": self._steps[number], **dict(zip(kind.tags, values, strict=True))}

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in their order."""
        values = [iter(kind.values) for kind in self._kinds]
        for step, place in zip(self._steps, self._where, strict=True):
            tags = self._kinds[place].tags
            yield {"step": step, **dict(zip(tags, values[place], strict=False))}

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LogRows({list(self)!r})"

    @property
    def steps(self) -> np.ndarray:
        """The step of each row, int64."""
        import numpy as np

        return np.array(self._steps, np.int64)

    def of(self, tag: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows that have a tag, int64, ascending, and its values, float64."""
        import numpy as np

        having = [kind for kind in self._kinds if tag in kind.tags]
        numbers = [np.array(kind.numbers, np.int64) for kind in having]
        values = [np.array(kind.values).reshape(-1, len(kind.tags))[:, kind.tags.index(tag)] for kind in having]
        if not having:
            return np.empty(0, np.int64), np.empty(0)
        found = np.concatenate(numbers)
        order = np.argsort(found)
        return found[order], np.concatenate(values)[order]

    def curve(self, tag: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps and the values (N,) of the rows that have a tag, both float64."""
        numbers, values = self.of(tag)
        return self.steps[numbers].astype(float), values
