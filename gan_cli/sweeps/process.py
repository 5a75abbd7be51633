"""A job's process: how it starts, on what it runs, and why it ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gan_cli.config.arguments import quoted_override
from gan_cli.config.tree import PACKAGE
from gan_cli.core.text import one_line
from gan_cli.sweeps.record import Job

_BOOT = (  # like the console script: the working directory is not on sys.path
    "import sys; sys.path[:] = [p for p in sys.path if p] + [sys.argv.pop(1)]; sys.argv[0] = 'gan'; "
    "from gan_cli.cli import main; sys.exit(main())"
)
Start = Callable[[Sequence[str], Path, Mapping[str, str]], "subprocess.Popen[bytes]"]
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


def arguments(job: Job, flags: Sequence[str]) -> list[str]:
    """Return the command line of a job, from the command's name on.

    Args:
        job: its overrides, directory and threads.
        flags: of Hydra that choose the config directories, and overrides of its block.
    """
    own = [] if job.threads is None else [f"runtime.threads={job.threads}"]
    if job.own_dir:
        plain = re.fullmatch(r"[A-Za-z0-9_./+-]+", job.run_dir)
        own.append(f"run_dir={job.run_dir}" if plain else quoted_override("run_dir", job.run_dir))
    if job.own_dir or job.attempts > 1:
        own.append("resume=auto")
    return ["train", *job.overrides, *own, *flags]


def environment(job: Job) -> dict[str, str]:
    """Return this process's environment with the job's own GPU."""
    return dict(os.environ) | ({} if job.gpu is None else {"CUDA_VISIBLE_DEVICES": job.gpu})


def begin_log(job: Job, argv: Sequence[str]) -> int:
    """Write the command into the job's log and return where the output of this attempt begins."""
    gpu = "" if job.gpu is None else f"CUDA_VISIBLE_DEVICES={job.gpu} "
    with open(job.log, "ab") as log:
        log.write(f"$ {gpu}gan {shlex.join(argv)}\n".encode())
        return log.tell()


def gpus() -> list[str]:
    """Return the GPUs that jobs may be given, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(",", " ").split()
    return named[:count] if named else [str(i) for i in range(count)]


def reason(code: int, log: Path, begin: int) -> str:
    """Say in one line why a process ended with a code other than 0.

    Args:
        code: minus the signal that ended it, if one did.
        log: what it printed.
        begin: where its own output begins there.
    """
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        memory = ", as the kernel does where memory is short" if -code == signal.SIGKILL else ""
        return f"killed by {name}{memory}"
    lines = [f"exit code {code}"]
    with contextlib.suppress(OSError):
        lines += [line for line in log.read_bytes()[begin:].decode(errors="replace").splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("gan: ")]
    return one_line((ours or lines)[-1]).removeprefix("gan: ")


def _end_with_parent() -> None:
    """Have the kernel stop this process, which then saves, when the sweep's own process is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
