"""The rows of a run that is being trained, as they come."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gan_cli.runs.metrics_log import METRICS, parse_row


class NewRows:
    """Reads what was appended to the metrics.jsonl of a run since the last look; the run need not be there yet."""

    def __init__(self, run: Path) -> None:
        self._path = run / METRICS
        self._offset = 0

    def read(self) -> list[dict[str, float]]:
        """Return the whole rows that are new; a run that was resumed may write some of them again."""
        rows = []
        with suppress(OSError), open(self._path, "rb") as file:
            if file.seek(0, 2) < self._offset:
                self._offset = 0  # a resumed run has cut its file
            file.seek(self._offset)
            for line in file:
                if line.endswith(b"\n"):
                    self._offset += len(line)
                    with suppress(ValueError):  # half a line, where it was cut
                        rows.append(parse_row(line))
        return rows
