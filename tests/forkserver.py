"""The process that imports everything once and forks the runs of a test."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path


def ensure_server() -> None:
    """Start it, once a test process."""
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(["tests.faults.warm"])
    root, before = str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
