"""Writes rows and pictures: to the run's own files, to TensorBoard, and to the trackers that `log.to` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gan_cli.runs.contents import METRICS, SAMPLES, TIMING, picture_name
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import append_rows, speeds
from gan_cli.runs.tensorboard import Board
from gan_cli.runs.trackers import Failed, Settings, Tracked


class Boards:
    """The places where a run can be watched.

    An error of a file ends the run; a tracker's error is reported, and the run continues.

    Args:
        run: the run's directory, brought back to where this session begins.
        purge_step: see `Board`.
        to: `log.to`.
        failed: see `Tracked`.
    """

    def __init__(self, run: RunDirectory, purge_step: int | None, to: Sequence[str], failed: Failed) -> None:
        self._run = run
        (run.inside / SAMPLES).mkdir(exist_ok=True)
        for name in (METRICS, TIMING):
            run.append(name)
        self._board = Board(run, purge_step) if "tensorboard" in to else None
        names = dict.fromkeys(name for name in to if name != "tensorboard")
        self._trackers = [Tracked(name, run, failed) for name in names]

    def row(self, step: int, row: Mapping[str, float], timing: Mapping[str, float]) -> None:
        """Write a row of reproducible values, and its times and speeds."""
        lines = append_rows(self._run, step, row, timing)
        shown = {**row, **speeds(timing)}
        if self._board:
            self._board.scalars(step, shown, lines)
        for tracker in self._trackers:
            tracker.scalars(step, shown)

    def image(self, tag: str, step: int, image: np.ndarray, png: bytes) -> None:
        """Write a picture: (H, W, 3) uint8, and the same encoded."""
        self._run.write(picture_name(tag, step), png)
        if self._board:
            self._board.image(tag, step, png)
        for tracker in self._trackers:
            tracker.image(tag, step, image)

    def describe(self, config: str, settings: Settings) -> None:
        """Write what the run is, in every session: its config as YAML, and as one level of dotted keys."""
        if self._board:
            self._board.describe(config, settings)
        for tracker in self._trackers:
            tracker.begin(settings)

    def close(self, success: bool = True) -> None:
        """Say how the session ended."""
        try:
            if self._board:
                self._board.close(success)
        finally:
            for tracker in self._trackers:
                tracker.end(success)
