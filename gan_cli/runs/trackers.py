"""Experiment trackers named by `log.to`: they get the rows and pictures that TensorBoard gets."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gan_cli.core import untrusted
from gan_cli.errors import Interrupted, UserError
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import METRICS, TIMING, by_step, each_row, speeds

RECORD = "trackers.json"
_BYTES = 2**16
_IDENTITY = re.compile("[A-Za-z0-9_-]{1,64}")
_TITLES = {"wandb": "W&B", "mlflow": "MLflow"}

Settings = Mapping[str, str | float | int | bool]
Failed = Callable[[int, str, Exception], None]


class Tracker(Protocol):
    """One service's way of keeping a run."""

    def begin(self, run: Path, identity: str | None, settings: Settings) -> str:
        """Open the run of an earlier session, or a new one, and return by what it is found again."""

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Keep one value a tag."""

    def image(self, tag: str, step: int, image: np.ndarray) -> None:
        """Keep a picture: (H, W, 3) uint8."""

    def end(self, success: bool) -> None:
        """Close the run."""


class Tracked:
    """A tracker that can neither end the training nor be sent a row twice.

    What was sent is noted in the run's trackers.json, each row just before it is sent: one that a kill catches between
    the two is missing there, and is in metrics.jsonl. Rows that a tracker lacks, since it failed or was not there yet,
    are sent as the next session begins.

    Args:
        name: wandb or mlflow.
        run: the run's directory, held.
        failed: called at the first failure of a session with the step, what failed, and why. Nothing is sent after it.
    """

    def __init__(self, name: str, run: RunDirectory, failed: Failed) -> None:
        self._name, self._run, self._failed = name, run, failed
        self._tracker: Tracker | None = None
        self._noted = _read(run.inside).get(name, {})

    def begin(self, settings: Settings) -> None:
        """Open the tracker's run, and send what it lacks."""
        with self._guarded(self._sent("row")):
            tracker: Tracker = importlib.import_module(f"gan_cli.runs.{self._name}_tracker").Tracker()
            self._note("id", tracker.begin(self._run.path, self._noted.get("id"), settings))
            self._tracker = tracker
            files = (each_row(self._run.inside / name) for name in (METRICS, TIMING))
            for step, found in by_step(*(((int(row.pop("step")), row) for row in file) for file in files)):
                if 0 in found:
                    self.scalars(step, found[0] | speeds(found.get(1, {})))

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Send a row, unless it is there."""
        self._send("row", step, lambda tracker: tracker.scalars(step, row))

    def image(self, tag: str, step: int, image: np.ndarray) -> None:
        """Send a picture, unless it is there."""
        self._send(tag, step, lambda tracker: tracker.image(tag, step, image))

    def end(self, success: bool) -> None:
        """Close the tracker's run, if it is open."""
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            with self._guarded(self._sent("row")):
                tracker.end(success)

    def _send(self, what: str, step: int, send: Callable[[Tracker], None]) -> None:
        before = self._sent(what)
        if self._tracker is None or step <= before:
            return
        with self._guarded(step):
            self._note(what, step)
            try:
                send(self._tracker)
            except Exception:
                self._note(what, before)
                raise

    @contextmanager
    def _guarded(self, step: int) -> Iterator[None]:
        try:
            yield
        except Interrupted:  # about the training itself
            raise
        except Exception as error:
            self._tracker = None
            self._failed(max(0, step), f"{_TITLES[self._name]}, which receives nothing more in this session", error)

    def _sent(self, what: str) -> int:
        return self._noted.get(what, -1)

    def _note(self, what: str, value: str | int) -> None:
        self._noted = {**self._noted, what: value}
        content = json.dumps({**_read(self._run.inside), self._name: self._noted}).encode()
        beside = self._run.inside / f".{RECORD}.tmp"
        beside.write_bytes(content)
        os.replace(beside, self._run.inside / RECORD)


def _read(run: Path) -> dict[str, dict[str, Any]]:
    """Return what is noted of each tracker; what is not of this form goes."""
    with suppress(OSError, UserError, AttributeError):
        content = untrusted.load(run / RECORD, _BYTES, untrusted.parse_json)
        return {name: {key: v for key, v in notes.items() if _is_note(key, v)} for name, notes in content.items()}
    return {}


def _is_note(key: str, value: Any) -> bool:
    return bool(isinstance(value, str) and _IDENTITY.fullmatch(value)) if key == "id" else type(value) is int
