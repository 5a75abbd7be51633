"""Sends rows and pictures to TensorBoard and to the trackers that `log.to` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gan_cli.runs.tensorboard import Board
from gan_cli.runs.trackers import Failed, Settings, Tracked


class Boards:
    """What `Board` is, for all of them.

    An error of TensorBoard's file ends the run; a tracker's error is reported, and the run continues.

    Args:
        run_dir: the run directory.
        purge_step: see `Board`.
        to: `log.to`.
        failed: see `Tracked`.
    """

    def __init__(self, run_dir: Path, purge_step: int | None, to: Sequence[str], failed: Failed) -> None:
        self._board = Board(run_dir, purge_step) if "tensorboard" in to else None
        names = dict.fromkeys(name for name in to if name != "tensorboard")
        self._trackers = [Tracked(name, run_dir, failed) for name in names]

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Write one value a tag."""
        if self._board:
            self._board.scalars(step, row)
        for tracker in self._trackers:
            tracker.scalars(step, row)

    def image(self, tag: str, step: int, image: np.ndarray, png: bytes) -> None:
        """Write a picture: (H, W, 3) uint8, and the same encoded."""
        if self._board:
            self._board.image(tag, step, png)
        for tracker in self._trackers:
            tracker.image(tag, step, image)

    def describe(self, config: str, settings: Settings) -> None:
        """Write what the run is, in every session.

        Args:
            config: YAML.
            settings: one level of dotted keys.
        """
        if self._board:
            self._board.text("config", f"```yaml\n{config}```")
            self._board.layout()
            self._board.hparams(settings)
        for tracker in self._trackers:
            tracker.begin(settings)

    def flush(self) -> None:
        """Return once everything of TensorBoard's is on the disk."""
        if self._board:
            self._board.flush()

    def close(self, success: bool = True) -> None:
        """Say how the session ended, and close."""
        try:
            if self._board:
                self._board.close(success)
        finally:
            for tracker in self._trackers:
                tracker.end(success)
