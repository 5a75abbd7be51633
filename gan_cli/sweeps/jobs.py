"""From the cells of a grid to jobs: the run of each cell, its directory, and what an earlier command left of it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Container, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gan_cli.config.arguments import key_of
from gan_cli.config.identity import identifying, leaves
from gan_cli.config.schema import Runtime
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.directory import ROOT, slug
from gan_cli.sweeps.cells import Cell, is_about_sweep, varied_keys
from gan_cli.sweeps.record import LOGS, RECORD, Folder, Job

_IN_NAME = ("loss", "model", "dataset")  # whose options say without a key what they are
_LONGEST = 100  # characters of a name


def folder_for(name: str | None, keys: Sequence[str]) -> Path:
    """Return a sweep's directory, not made yet: runs/NAME, or one by the time and the keys that are varied.

    Raises:
        UserError: the name of a run.
    """
    if name is not None:
        path = ROOT / name
        if reading.is_run(path):
            raise UserError(f"sweep.name={name}: {path} is a run; choose another sweep.name")
        return path
    varied = "_".join(key.rpartition(".")[2] for key in keys)
    stem = slug(f"{datetime.now():%Y-%m-%d_%H-%M-%S}_sweep_{varied}")[:_LONGEST]
    return ROOT / _free(stem, [path.name for path in ROOT.glob("*")])


def jobs_of(cells: Sequence[Cell], folder: Folder, threads: int) -> list[Job]:
    """Return the jobs of a grid in its order; those of earlier commands keep their directory, log and past.

    Args:
        cells: two cells of the same run are one job.
        folder: the sweep's.
        threads: for each job that leaves them to us.
    """
    before = {job.identity: job for job in folder.before}
    taken = {LOGS, RECORD, *(job.name for job in folder.before)}
    varied = varied_keys([cell.overrides for cell in cells])
    found: dict[str, Job] = {}
    for (overrides, config), identity in zip(cells, identities(cells), strict=True):
        if identity in found:
            continue
        label = [o for o in overrides if key_of(o) in varied]
        job = before.get(identity) or folder.new_job(_name(label, taken), identity)
        taken.add(job.name)
        job.run_dir = config.run_dir or job.run_dir
        job.label = " ".join(label)
        job.overrides = [o for o in overrides if not is_about_sweep(o)]
        job.total_steps = config.train.steps
        set_resources(job, config.runtime, threads)
        job.state = "finished" if is_finished(job) else "waiting"
        found[identity] = job
    return list(found.values())


def set_resources(job: Job, runtime: Runtime, threads: int) -> None:
    """Give a job its threads and note which GPUs it may run on.

    One that continues keeps its number of threads: another number gives other bits.
    """
    if runtime.threads != "auto":
        job.threads = None
    elif job.threads is None or not job.started:
        job.threads = threads
    job.any_gpu = runtime.device in ("auto", "cuda")


def is_finished(job: Job) -> bool:
    """Look at the run itself: sweep.json may be older, and the run may have been removed or asked to be longer."""
    status = reading.status(Path(job.run_dir)) if job.started else {}
    step = status.get("step")
    return status.get("status") == "finished" and isinstance(step, int) and step >= job.total_steps


def digest(settings: dict[str, Any]) -> str:
    """Return a digest of plain settings by their dotted keys."""
    texts = {key: json.dumps(value) for key, value in settings.items()}
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def identities(cells: Sequence[Cell]) -> list[str]:
    """Digest the settings that make each cell's run the run it is, and those others that the grid varies."""
    flat = [leaves(cell.config.plain()) for cell in cells]
    first = {key: json.dumps(value) for key, value in flat[0].items()}
    varied = {k for cell in flat for k in {**first, **cell} if k not in cell or json.dumps(cell[k]) != first.get(k)}
    own = [identifying(cell.config) for cell in cells]
    return [digest({k: v for k, v in cell.items() if k in varied} | kept) for cell, kept in zip(flat, own, strict=True)]


def _name(label: Sequence[str], taken: Container[str]) -> str:
    """Return a short name: `wgan_n_critic-5_seed-0`."""
    last = [key_of(o).rpartition(".")[2] for o in label]
    parts = []
    for override, short in zip(label, last, strict=True):
        key, value = key_of(override), override.partition("=")[2]
        parts.append(value if key in _IN_NAME else f"{key if last.count(short) > 1 else short}-{value}")
    return _free(slug("_".join(parts)).replace("__", "_")[:_LONGEST] or "run", taken)


def _free(name: str, taken: Container[str]) -> str:
    numbered = (f"{name}_{i}" for i in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)
