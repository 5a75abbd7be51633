"""Runs that are disturbed, and how they compare with one that was not."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.runs import checkpoint, directory
from tests import children

STEPS = 7  # of the recipe
SECONDS = 60  # no child takes as long
Fault = Callable[[], None]


class Ended(NamedTuple):
    """How a child ended.

    Attributes:
        code: its exit code; minus the signal where one ended it.
        output: what it printed.
        step: the last step it made.
        events: the file-system events it counted.
    """

    code: int
    output: str
    step: int
    events: int


class Child:
    """A process under a fault."""

    def __init__(self, folder: Path, work: str, fault: Fault | None, args: tuple[Any, ...]) -> None:
        self._output, self._cell = folder / "output", folder / "cell"
        self._output.unlink(missing_ok=True)
        self._cell.unlink(missing_ok=True)  # an earlier child may still hold its own
        self._cell.write_bytes(bytes(16))
        self._child = children.Child("tests.faults.warm:child", work, fault, self._cell, args, output=self._output)
        self.process = self._child.process

    @property
    def step(self) -> int:
        return int.from_bytes(self._cell.read_bytes()[:8], "little")

    @property
    def events(self) -> int:
        return int.from_bytes(self._cell.read_bytes()[8:], "little")

    def wait_for(self, reached: Callable[[Child], bool]) -> None:
        limit = time.monotonic() + SECONDS
        while not reached(self):
            assert self.process.is_alive(), self.end()
            assert time.monotonic() < limit, self.end()
            time.sleep(0.002)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def end(self, seconds: float = SECONDS) -> Ended:
        """Wait for its end; one that takes longer is killed."""
        self._child.end(seconds)
        output = self._output.read_text() if self._output.exists() else ""
        return Ended(self.process.exitcode, output, self.step, self.events)


class Bench:
    """Starts runs below one folder.

    Args:
        folder: an empty directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, name: str, *overrides: str, fault: Fault | None = None) -> Child:
        return self._child("begin", fault, self.folder / name, overrides)

    def train(self, name: str, *overrides: str, fault: Fault | None = None) -> Ended:
        return self.start(name, *overrides, fault=fault).end()

    def resume(self, name: str, fault: Fault | None = None) -> Ended:
        return self._child("go_on", fault, self.folder / name).end()

    def gan(self, *argv: str, fault: Fault | None = None) -> Ended:
        return self._child("command", fault, argv).end()

    def do(self, work: str, *args: Any, fault: Fault | None = None) -> Ended:
        """Call a function of `warm` in a child."""
        return self._child(work, fault, *args).end()

    def _child(self, work: str, fault: Fault | None, *args: Any) -> Child:
        return Child(self.folder, work, fault, args)


def good_step(run: Path) -> int:
    """Return the step that a resume would continue from; 0 where there is no checkpoint yet."""
    folder = run / directory.CHECKPOINTS
    return checkpoint.load(folder, lambda text: None).meta["step"] if checkpoint.steps(folder) else 0


def differences(run: Path, whole: Path) -> list[str]:
    """Name what differs between a run and the undisturbed one; times and speeds are not compared."""
    found = []
    status = directory.read_status(run)
    if (status.get("status"), status.get("step")) != ("finished", STEPS):
        found.append(f"run.json says {status.get('status')} at step {status.get('step')}")
    found += _unlike_tensors(*(_newest(path) for path in (run, whole)))
    if (run / "metrics.jsonl").read_bytes() != (whole / "metrics.jsonl").read_bytes():
        found.append("metrics.jsonl")
    mine, theirs = (scalars(path) for path in (run, whole))
    found += [f"TensorBoard's {tag}" for tag in sorted(mine.keys() | theirs.keys()) if mine.get(tag) != theirs.get(tag)]
    pictures = [{p.name: p.read_bytes() for p in (path / "samples").iterdir()} for path in (run, whole)]
    found += [f"samples/{name}" for name in pictures[1] if pictures[0].get(name) != pictures[1][name]]
    return found


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Read the scalars as TensorBoard does: (step, value) in order, tag by tag, but for the speeds."""
    events = EventAccumulator(str(run), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if not tag.startswith("speed/")]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def pictures(run: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Read the pictures as TensorBoard does."""
    events = EventAccumulator(str(run), size_guidance={"images": 0}).Reload()
    return {t: [(e.step, e.encoded_image_string) for e in events.Images(t)] for t in events.Tags()["images"]}


def _newest(run: Path) -> dict[str, torch.Tensor]:
    folder = run / directory.CHECKPOINTS
    found = checkpoint.load(folder, lambda text: None)
    return found.tensors | {"step": torch.tensor(found.meta["step"])}


def _unlike_tensors(mine: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> list[str]:
    def bits(tensor: torch.Tensor | None) -> tuple[Any, ...] | None:
        return None if tensor is None else (tensor.dtype, tensor.shape, tensor.contiguous().numpy().tobytes())

    return [name for name in sorted(mine.keys() | theirs.keys()) if bits(mine.get(name)) != bits(theirs.get(name))]


class Trial:
    """One try of a fault; it counts as survived if its block ends without an error."""

    lost = 0


class Tally:
    """The table of faults."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}

    @contextmanager
    def __call__(self, fault: str) -> Iterator[Trial]:
        row = self.rows.setdefault(fault, [0, 0, 0])
        row[0] += 1
        trial = Trial()
        yield trial
        row[1] += 1
        row[2] = max(row[2], trial.lost)

    def lines(self) -> list[str]:
        rows = [("fault", "tried", "survived", "steps lost (max)"), *((name, *row) for name, row in self.rows.items())]
        width = max(len(row[0]) for row in rows)
        return [f"{name:{width}} | {tried:>6} | {ok:>8} | {lost:>16}" for name, tried, ok, lost in rows]


def recovered(bench: Bench, name: str, whole: Path, ended: Ended, trial: Trial) -> None:
    """Resume a disturbed run and require that it equals the undisturbed one in everything."""
    run = bench.folder / name
    if not (
        run / directory.CONFIG
    ).exists():  # before its config, a directory is nothing: the same command starts again
        again = bench.train(name)
        assert again.code == 0, (ended, again)
    elif good_step(run) == STEPS:  # killed after its last checkpoint: only its last word may be missing
        again = bench.resume(name)
        assert again.code == 2, (ended, again)
        assert f"has finished its {STEPS} steps" in again.output
    else:
        trial.lost = ended.step - good_step(run)
        again = bench.resume(name)
        assert again.code == 0, (ended, again)
    assert differences(run, whole) == [], (ended, again)


KILLED = -signal.SIGKILL
