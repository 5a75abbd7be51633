"""Faults: each is called in the child before it trains, and arranges for something to go wrong."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import random
import re
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gan_cli.analysis import figures
from gan_cli.core import files
from gan_cli.runs import boards, checkpoint
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.saver import Saver
from gan_cli.runs.tensorboard import Board
from gan_cli.session import pictures
from gan_cli.training import eager, phases
from gan_cli.training.probes import CriticProbe

CHANGES = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.scandir", "os.listdir"}
CHANGES |= {"shutil.rmtree", "os.link", "os.symlink"}


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Events:
    """Counts what is asked of the file system about a folder, and strikes just before some of it.

    Audit events, and the calls that change files without one: fsync, ftruncate, and writes by `os` or to a file that
    `core.files` opened.

    Args:
        folder: the run; the last 8 bytes of the cell beside it take the count.
        at: the first event's number that is struck, from 1; 0: count alone.
        strike: called with its name.
        times: events that are struck, from there on.
    """

    def __init__(
        self, folder: Path, at: int, strike: Callable[[str], None] = lambda name: kill(), times: int = 1
    ) -> None:
        self.folder = str(folder)
        self.struck, self.strike = range(at, at + times if at else 0), strike or (lambda name: kill())
        self.count = 0
        self.live = False
        with open(folder.parent / "cell", "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 16)
        sys.addaudithook(self._audit)
        for name in ("fsync", "write", "ftruncate"):
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        files.open = self._opened

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.live and event in CHANGES and args and isinstance(args[0], (str, bytes, os.PathLike)):
            folder = args[-1] if isinstance(args[-1], int) and event != "open" else -1
            self.see(event, os.fsdecode(args[0]), folder)

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(descriptor: int, *args: Any) -> Any:
            self.see(name, "", descriptor)
            return call(descriptor, *args)

        return wrapped

    def _opened(self, path: Any, mode: str = "r", **options: Any) -> Any:
        file = open(path, mode, **options)  # noqa: SIM115
        return Writes(file, self) if "x" in mode else file

    def see(self, name: str, path: str, descriptor: int = -1) -> None:
        """Count an event about a path, which may begin at a descriptor."""
        if not self.live:
            return
        begin = re.match("/proc/self/fd/([0-9]+)", path)
        if begin or not path.startswith("/"):
            number = begin[1] if begin else descriptor
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{number}") + path[len(begin[0]) if begin else 0 :]
        if not path.startswith(self.folder):
            return
        self.count += 1
        self._shared[8:] = self.count.to_bytes(8, "little")
        if self.count in self.struck:
            self.strike(name)


class Writes:
    """A file of which each write is an event."""

    def __init__(self, file: Any, events: Events) -> None:
        self._file, self._events = file, events

    def write(self, piece: Any) -> int:
        self._events.see("write", "", self._file.fileno())
        return self._file.write(piece)

    def __enter__(self) -> Writes:
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def kill_in_save(folder: Path, step: int, at: int) -> None:
    """Kill -9 before the event of this number in the writing of a step's checkpoint, what follows it included."""
    events = Events(folder, at)
    plain = Saver.save

    def save(self: Any, of_step: int, *args: Any) -> None:
        events.live = of_step == step
        plain(self, of_step, *args)
        self.wait()
        events.live = False

    Saver.save = save


def kill_in_run(folder: Path, at: int) -> None:
    """Kill -9 before the event of this number in the whole life of a run."""
    Events(folder, at).live = True


def fail_in_run(folder: Path, at: int, number: int, times: int) -> None:
    """Let the file system fail with an error number from the event of this number on, some times."""

    def strike(name: str) -> None:
        raise OSError(number, os.strerror(number), str(folder / "some file"))

    Events(folder, at, strike, times).live = True


def kill_at(step: int) -> None:
    """Kill -9 before a step's generator update."""
    in_step(step, lambda state: kill())


def kill_in_step(step: int, seed: int) -> None:
    """Kill -9 at a random moment from a step's beginning on."""
    wait = random.Random(seed).uniform(0.0, 0.06)
    plain = phases.PARTS["critic"]

    def update(state: Any, *args: Any) -> Any:
        if state.step == step:
            threading.Timer(wait, kill).start()
        return plain(state, *args)

    phases.PARTS["critic"] = update


@contextmanager
def _no_room(size: int) -> Iterator[None]:
    """Inside, no file of this process can grow beyond a size: write() fails as it does on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


PLACES = {
    "checkpoint": (checkpoint, "save"),
    "metrics row": (boards, "append_rows"),
    "event file": (Board, "scalars"),
    "picture": (RunDirectory, "write"),
    "picture in the event file": (Board, "image"),
}


def full_at(place: str, call: int, room: int = 40) -> None:
    """From the given call of a place on, let no file grow there beyond `room` bytes."""
    owner, name = PLACES[place]
    plain, seen = getattr(owner, name), [0]

    def limited(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        if seen[0] < call:
            return plain(*args, **kwargs)
        with _no_room(room):
            return plain(*args, **kwargs)

    setattr(owner, name, limited)


def full_from(step: int, size: int) -> None:
    """From a step on, let no file grow beyond a size."""

    def then(state: Any) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    in_step(step, then)


def in_step(step: int, then: Callable[[Any], None], player: str = "generator") -> None:
    """Call something with the state in a step (from 1), before a player's update."""
    plain = phases.PARTS[player]

    def update(state: Any, *args: Any) -> Any:
        if state.step == step - 1:
            then(state)
        return plain(state, *args)

    phases.PARTS[player] = update


def nan_in(where: str, step: int) -> None:
    """Make a weight, the loss or the data NaN in a step."""

    def weights(state: Any) -> None:
        state.params["critic"][0].data.view(-1)[0] = float("nan")

    def loss(state: Any) -> None:
        plain = state.game.loss.generator
        state.game.loss.generator = lambda *args: plain(*args) * float("nan")

    def data(state: Any) -> None:
        source = sources[0]
        plain = source.batch
        source.batch = lambda *args: plain(*args)._replace(x=plain(*args).x * float("nan"))

    sources: list[Any] = []
    plain = eager.Eager.__init__

    def init(self: Any, updates: Any, source: Any, *args: Any) -> None:
        sources.append(source)
        plain(self, updates, source, *args)

    eager.Eager.__init__ = init
    in_step(step, {"weights": weights, "loss": loss, "data": data}[where])


def out_of_memory(step: int, gigabytes: float = 0.5) -> None:
    """In a step, want more memory than the process may have."""

    def then(state: Any) -> None:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, limit))
        torch.empty(int(gigabytes * 2**30), dtype=torch.uint8)

    in_step(step, then)


def hang_at(step: int, cell: Path) -> None:
    """Never come back from a step, once the cell's last 8 bytes say that it has started."""

    def then(state: Any) -> None:
        with open(cell, "r+b") as file:
            file.seek(8)
            file.write((1).to_bytes(8, "little"))
        time.sleep(600)

    in_step(step, then)


def signal_in(step: int, number: int) -> None:
    """Receive a signal in a step."""
    in_step(step, lambda state: os.kill(os.getpid(), number))


def slow_steps(seconds: float) -> None:
    """Take this long for each step."""
    plain = phases.PARTS["generator"]

    def update(*args: Any) -> Any:
        time.sleep(seconds)
        return plain(*args)

    phases.PARTS["generator"] = update


def broken(what: str) -> None:
    """Let a part beside the training fail whenever it is asked."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        torch.rand(3)  # a part that fails may have drawn from the global stream
        raise RuntimeError(f"{what} is broken")

    if what == "the grid":
        figures.image_grid = fail
    elif what == "the generator's picture":
        pictures.sample = fail
    else:
        CriticProbe.__call__ = fail


def gone_at(step: int, folder: Path) -> None:
    """In a step, remove the run's directory."""
    in_step(step, lambda state: shutil.rmtree(folder))


def collapsed_at(step: int) -> None:
    """From a step on, let the critic give every sample one score."""

    def then(state: Any) -> None:
        for parameter in state.params["critic"]:
            parameter.data.zero_()
        state.optimizers["critic"].step = lambda: None

    in_step(step, then, "critic")


CLONE_NEWNS, MS_REMOUNT, MS_RDONLY, MS_REC, MS_PRIVATE = 0x20000, 1 << 5, 1, 1 << 14, 1 << 18


def mount(folder: Path, options: str, flags: int = 0) -> None:
    """Mount a small file system in memory, seen by this process alone.

    Raises:
        PermissionError: not allowed here.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: Any, *args: Any) -> None:
        if function(*args):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))

    if not flags & MS_REMOUNT:
        call(libc.unshare, CLONE_NEWNS)
        call(libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    call(libc.mount, b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options.encode())


def read_only(folder: Path) -> None:
    """Make a folder read-only for this process."""
    mount(folder, "size=64k")
    mount(folder, "size=64k", MS_REMOUNT | MS_RDONLY)


def ballast(folder: Path, room: int) -> None:
    """Fill a small file system but for `room` bytes, the first time it is called."""
    if (folder / "filled").exists():
        return
    (folder / "filled").write_text("")
    free = os.statvfs(folder)
    with open(folder / "ballast", "wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - room)))
