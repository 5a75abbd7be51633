"""A job's process: how it starts, on what it runs, and why it ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from gan_cli.config.arguments import override_of
from gan_cli.config.tree import PACKAGE
from gan_cli.core.text import one_line, shell_line
from gan_cli.sweeps.record import Job

_BOOT = (  # like the console script: the working directory is not on sys.path
    "import sys; sys.path[:] = [p for p in sys.path if p] + [sys.argv.pop(1)]; sys.argv[0] = 'gan'; "
    "from gan_cli.cli import main; sys.exit(main())"
)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def start(argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start `gan ARGV` in a process group of its own, so that Ctrl-C on a terminal reaches this process alone.

    Args:
        argv: the command line.
        log: takes what it prints, behind what is there.
        environment: the process's, whole.
    """
    with open(log, "ab") as output:
        return subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(PACKAGE.parent), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=_end_with_parent if _LIBC else None,
        )


def start_job(job: Job, gpu: str | None, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a job, or continue it; its log begins with the command.

    Args:
        job: its overrides, directory and threads.
        gpu: that it runs on, as CUDA_VISIBLE_DEVICES names it; None: those that this process has, or none.
        flags: of Hydra that choose the config directories, and overrides of its block.
    """
    own = [override_of("run_dir", job.run_dir)]
    if job.threads is not None:
        own.append(f"runtime.threads={job.threads}")
    if job.started:
        own.append("resume=auto")
    argv = ["train", *job.overrides, *own, *flags]
    with open(job.log, "a") as log:
        log.write(f"$ {'' if gpu is None else f'CUDA_VISIBLE_DEVICES={gpu} '}{shell_line('gan', *argv)}\n")
    return start(argv, Path(job.log), os.environ | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}))


def places(jobs: int | Literal["auto"]) -> tuple[list[str | None], int]:
    """Return a place for each job at once, the GPU that it gets there or None, and the threads of each.

    Args:
        jobs: at once; auto: one for each GPU, as CUDA_VISIBLE_DEVICES names them, or one.
    """
    import torch  # after the first cell is checked: a wrong one is refused at once

    from gan_cli.core.hardware import available_threads

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(",", " ").split()
    gpus = named[:count] if named else [str(i) for i in range(count)]
    at_once = max(1, count) if jobs == "auto" else jobs
    return [gpus[i % len(gpus)] if gpus else None for i in range(at_once)], max(1, available_threads() // at_once)


def reason(code: int, log: Path) -> str:
    """Say in one line why a process ended with a code other than 0.

    Args:
        code: minus the signal that ended it, if one did.
        log: what it printed, behind the command.
    """
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = "; the kernel does so when memory is short" if -code == signal.SIGKILL else ""
        return f"killed by {name}{memory}"
    printed = log.read_text(errors="replace").rpartition("\n$ ")[2] if log.exists() else ""
    lines = [f"exit code {code}", *(line for line in printed.splitlines()[1:] if line.strip())]
    ours = [line for line in lines if line.startswith("gan: ")]
    return one_line((ours or lines)[-1]).removeprefix("gan: ")


def _end_with_parent() -> None:
    """Have the kernel stop this process, which then saves, when the sweep's own process is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
