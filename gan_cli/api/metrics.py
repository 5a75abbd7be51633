"""The curves of a run as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gan_cli.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


class Metrics(dict[str, np.ndarray]):
    """The rows of metrics.jsonl: tag -> values (rows,), float64, NaN where a row has no such value; `step` is int64."""

    @classmethod
    def of(cls, rows: Sequence[dict[str, float]]) -> Metrics:
        """Return rows as arrays."""
        tags = dict.fromkeys(tag for row in rows for tag in row if tag != "step")
        found = cls(step=np.array([row["step"] for row in rows], dtype=np.int64))
        found.update({tag: np.array([row.get(tag, np.nan) for row in rows]) for tag in tags})
        return found

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
