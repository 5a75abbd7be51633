"""Progress of a run on stderr: a bar on a terminal and in a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

from gan_cli.core.text import visible
from gan_cli.runs.reading import headline

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 600.0
PAUSE_GROWTH = 1.3


class Progress:
    """Step, steps per second, time left and one curve's current value.

    Speeds leave out the first step of the session: it pays for compilation and the allocator.

    Args:
        total_steps: where the run ends.
        start_step: where this session begins.
        stream: a terminal gets a bar, anything else lines: the first step, the last, and between them one every
            10 seconds at first and ever fewer later. None: stderr, or in a notebook a bar below the cell.
    """

    def __init__(self, total_steps: int, start_step: int, stream: TextIO | None = None) -> None:
        self._stream = _Tolerant(sys.stderr if stream is None else stream)
        if stream is None and _in_notebook():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # without ipywidgets it is a bar of text
                from tqdm.auto import tqdm as widget

            self._view = _Bar(total_steps, start_step, self._stream, widget)
        elif self._stream.isatty():
            self._view = _Bar(total_steps, start_step, self._stream, tqdm)
        else:
            self._view = _Lines(total_steps, start_step, self._stream)

    def update(self, step: int) -> None:
        """Show that a step is done; cheap enough for every step."""
        self._view.update(step)

    def show(self, row: Mapping[str, float]) -> None:
        """Take the critic's estimate from a row of metrics, its loss where there is none."""
        tag = headline(row)
        if tag:
            self._view.value = f"{tag} {row[tag]:.4g}"

    def note(self, text: str) -> None:
        """Print a line of its own, above the bar."""
        tqdm.write(visible(text), file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Leave the last state on the screen; a second call does nothing."""
        self._view.close()


def _in_notebook() -> bool:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "IPKernelApp" in shell.config


class Silent(io.TextIOBase):
    """A stream that shows nothing."""

    def write(self, text: str) -> int:
        """Take a text."""
        return len(text)


class _Tolerant:
    """A stream that may fail without ending the run: its reader or terminal goes away, the disk of its file is full."""

    def __init__(self, stream: TextIO) -> None:
        self._inner = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._inner.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._inner.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Bar:
    def __init__(self, total_steps: int, start_step: int, stream: TextIO, kind: type[tqdm]) -> None:
        self.value = ""
        self._kind = kind
        self._total_steps = total_steps
        self._stream = stream
        self._bar = self._draw(start_step)
        self._started = False

    def update(self, step: int) -> None:
        if not self._started:
            self._started = True
            self._bar.leave = False
            self._bar.close()
            self._bar = self._draw(step)
            return
        self._bar.set_postfix_str(self.value, refresh=False)
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        self._bar.set_postfix_str(self.value, refresh=not self._bar.disable)
        self._bar.close()

    def _draw(self, step: int) -> tqdm:
        layout = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
        form = {"unit": " steps", "bar_format": layout, "dynamic_ncols": True}
        return self._kind(total=self._total_steps, initial=step, file=self._stream, **form)


class _Lines:
    def __init__(self, total_steps: int, start_step: int, stream: TextIO) -> None:
        self.value = ""
        self._total_steps = total_steps
        self._stream = stream
        self._step = self._printed = start_step
        self._first: tuple[int, float] | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._next = 0.0

    def update(self, step: int) -> None:
        self._step = step
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
            self._next = now + self._pause
        elif step >= self._total_steps:
            pass
        elif now >= self._next:
            self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
            self._next = now + self._pause
        else:
            return
        self._print(now)

    def close(self) -> None:
        if self._step != self._printed:
            self._print(time.monotonic())

    def _print(self, now: float) -> None:
        self._printed = self._step
        parts = [f"step {self._step}/{self._total_steps}", *self._speed(now)]
        if self.value:
            parts.append(self.value)
        print(", ".join(parts), file=self._stream, flush=True)

    def _speed(self, now: float) -> list[str]:
        if self._first is None:
            return []
        first_step, first_time = self._first
        if self._step == first_step or now <= first_time:
            return []
        rate = (self._step - first_step) / (now - first_time)
        left = (self._total_steps - self._step) / rate
        return [f"{rate:.3g} steps/s", f"{tqdm.format_interval(left)} left"]
