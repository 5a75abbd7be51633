"""The curves of a run as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gan_cli.analysis import page
from gan_cli.core.log_rows import LogRows
from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10  # rows in a notebook, the last ones


class Metrics(dict[str, np.ndarray]):
    """The rows of metrics.jsonl: tag -> values (rows,), float64, NaN where a row has no such value; `step` is int64."""

    @classmethod
    def of(cls, rows: LogRows) -> Metrics:
        """Return rows as arrays."""
        found = cls(step=rows.steps)
        for tag in rows.tags:
            numbers, values = rows.of(tag)
            found[tag] = np.full(len(rows), np.nan)
            found[tag][numbers] = values
        return found

    def __missing__(self, tag: str) -> np.ndarray:
        raise KeyError(f"{tag}: no row has it{did_you_mean(tag, self) or ';'} the curves are {', '.join(self)}")

    def __repr__(self) -> str:
        return f"Metrics({len(self['step'])} rows of {', '.join(self)})"

    def _repr_html_(self) -> str:
        rows = [[f"{self[tag][i]:g}" for tag in self] for i in range(len(self["step"]))[-_SHOWN:]]
        return page.table([*self], rows)

    def frame(self) -> pd.DataFrame:
        """Return them as a pandas data frame, indexed by the step.

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UserError(f"a data frame needs pandas ({error}): pip install pandas") from error
        return pd.DataFrame(self).set_index("step")
