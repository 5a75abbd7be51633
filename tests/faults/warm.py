"""What every child process of these tests inherits, imported and opened once by the server that forks them."""

from __future__ import annotations

import copy
import functools
import gc
import mmap
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from tqdm import tqdm

from gan_cli.analysis import figures, plots  # noqa: F401  (imported here rather than in each child)
from gan_cli.cli import main
from gan_cli.commands import resume, train
from gan_cli.config.arguments import CommandLine
from gan_cli.config.validate import check
from gan_cli.core.charts import layout
from gan_cli.core.text import print_error
from gan_cli.errors import GanError
from gan_cli.session import build, provenance, session
from tests.command_arguments import arguments_for
from tests.conftest import plain
from tests.faults import faults
from tests.faults.harness import STEPS

UNEXPECTED = 99  # the exit code of a traceback
RECIPE = (
    *("runtime=cpu", "runtime.threads=1", "runtime.precision=fp32"),
    *("model=dcgan", "model.width=4", "latent.size=6", "updates.n_critic=1"),
    *("dataset.image_size=16", "dataset.limit=160"),
    *(f"train.steps={STEPS}", "train.batch_size=8", "train.ema_halflife_images=100"),
    *("log.every_steps=3", "log.samples_every_steps=4", "log.sample_count=4"),
    *("checkpoint.every_steps=2", "checkpoint.every_seconds=null"),
)
Fault = Callable[[], None]

torch.set_num_threads(1)
tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system's, which a killed process leaves behind
provenance._git_commit = lambda: None  # three processes of git a child
_TRAIN = plain(*RECIPE)
_, _DATA = build.check(check("train", _TRAIN)).open()
layout()  # reads what every module declares, and keeps it
gc.freeze()  # what each child inherits: a search for garbage would copy its pages, and find nothing


def begin(run: Path, overrides: Sequence[str]) -> None:
    """`gan train` of the recipe into a directory."""
    chosen = copy.deepcopy(_TRAIN)
    for override in (*overrides, f"run_dir={run}"):
        path, _, value = override.partition("=")
        *above, key = path.split(".")
        block = functools.reduce(dict.__getitem__, above, chosen)
        block[key] = type(block[key])(value) if isinstance(block[key], float) else yaml.safe_load(value)
    train.train(check("train", chosen), CommandLine(list(overrides), {}))


def go_on(run: Path) -> None:
    """`gan resume`."""
    resume.resume(*arguments_for("resume", str(run)))


def command(argv: Sequence[str]) -> None:
    """`gan ARGV`, from the command line on."""
    sys.exit(main(list(argv)))


def child(work: str, fault: Fault | None, cell: Path, args: Sequence[Any]) -> None:
    """Call a function of this module under a fault, its last step in a shared cell."""
    build.Plan.open = lambda plan: (plan, _DATA)  # read once, by the server
    _tick(cell)
    try:
        if fault:
            fault()
        globals()[work](*args)
    except GanError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        sys.exit(UNEXPECTED)


def _tick(cell: Path) -> None:
    with open(cell, "r+b") as file:
        shared = mmap.mmap(file.fileno(), 16)
    plain = session.fit

    def fit(state: Any, run: Any, callbacks: Sequence[Any]) -> None:
        def tick(state: Any, logs: Any) -> None:
            shared[:8] = state.step.to_bytes(8, "little")

        plain(state, run, [tick, *callbacks])

    session.fit = fit


def on_small_disk(disk: Path, name: str, room: int, full_step: int, overrides: Sequence[str], out: Path) -> None:
    """Train on a file system in memory that is filled up at a step; then enlarge it, resume, and copy the run out.

    Args:
        disk: an empty directory.
        name: of the run there.
        room: bytes that are left free from the step on.
        full_step: when it fills up.
        overrides: of `begin`.
        out: takes the run's directory, and in `first` how its first session ended.
    """
    faults.mount(disk, "size=16m")
    faults.in_step(full_step, lambda state: faults.ballast(disk, room))
    try:
        begin(disk / name, overrides)
        first = "finished"
    except GanError as error:
        print_error(error)
        first = f"{error.exit_code}: {error}"
    shutil.copytree(disk / name, out / f"{name}_full", ignore=shutil.ignore_patterns(".lock"))
    (disk / "ballast").unlink()
    if not first.startswith(("finished", "3")):
        go_on(disk / name)
    shutil.copytree(disk / name, out / name, ignore=shutil.ignore_patterns(".lock"))
    (out / "first").write_text(first)


def read_only(folder: Path, argv: Sequence[str]) -> None:
    """`gan ARGV` where a folder is read-only."""
    faults.read_only(folder)
    command(argv)


def command_there(folder: Path, argv: Sequence[str]) -> None:
    """`gan ARGV` in a folder."""
    os.chdir(folder)
    command(argv)


def mounts(folder: Path) -> None:
    """End with 1 where this process may not mount anything."""
    try:
        faults.mount(folder, "size=64k")
    except OSError:
        sys.exit(1)


def resume_read_only(run: Path, disk: Path) -> None:
    """`gan resume` of a copy of a run on a file system that has become read-only."""
    faults.mount(disk, "size=16m")
    shutil.copytree(run, disk / "run")
    faults.mount(disk, "size=16m", faults.MS_REMOUNT | faults.MS_RDONLY)
    command(["resume", str(disk / "run")])
