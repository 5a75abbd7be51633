"""Run what only a GPU can show, in a few minutes: tests, engines, losses, commands, resume, memory, speed, NCCL.

Prints a table and writes it as JSON; with --docs FOLDER also into FOLDER/benchmarks.md. Without a GPU, or with --tiny,
it runs everything in small sizes, which shows only that it runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from benchmarks import gpu, report
from proof.scale import Scale

COMPARED = ("tests", "engines", "losses", "commands", "handover")  # run at once: nothing in them is timed
PARTS = (*COMPARED, "memory", "speed", "nccl")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of: {', '.join(PARTS)} (default: all)")
    parser.add_argument("--tiny", action="store_true", help="small sizes")
    parser.add_argument("--json", type=Path, default=Path("gpu_proof.json"), help="where the results go")
    parser.add_argument("--docs", type=Path, help="the folder of benchmarks.md and benchmarks.json")
    given = parser.parse_args(argv)
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}")
    cuda = torch.cuda.is_available()
    scale = Scale("cuda" if cuda else "cpu", given.tiny or not cuda)
    command = shlex.join(["python", "scripts/gpu_proof.py", *(sys.argv[1:] if argv is None else argv)])
    result = {"facts": report.facts(command) | {"gpus": torch.cuda.device_count()}, "tiny": scale.tiny, "rows": []}
    parts = given.parts or list(PARTS)
    at_once = [name for name in parts if name in COMPARED] if len(parts) > 1 and not scale.tiny else []
    with ThreadPoolExecutor(len(COMPARED)) as pool:
        rows = chain(pool.map(_child, at_once), (_run(name, scale) for name in parts if name not in at_once))
        for row in rows:
            print(
                f"{row['part']}: {row['state']} in {row['seconds']:.0f} s: {row['found']}", file=sys.stderr, flush=True
            )
            result["rows"].append(row)
            given.json.write_text(
                json.dumps(result, indent=1) + "\n"
            )  # after each: a limit of time may end the process
    print(report.section("gpu", [result]), flush=True)
    if given.docs:
        report.keep(given.docs, {"gpu": result})
    return 1 if any(row["state"] == gpu.FAILED for row in result["rows"]) else 0


def _child(name: str) -> dict[str, Any]:
    """Run a part in a process of its own and return its outcome."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "proof.json"
        ran = subprocess.run([sys.executable, __file__, name, "--json", str(file)], capture_output=True, text=True)
        if file.exists():
            return json.loads(file.read_text())["rows"][0]
    return {"part": name, "state": gpu.FAILED, "seconds": 0.0, "found": ran.stderr[-500:], "figures": {}}


def _run(name: str, scale: Scale) -> dict[str, Any]:
    """Return a part's outcome: its name, state, seconds, what it found in words, and its figures."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            state, found, figures = importlib.import_module(f"proof.{name}").prove(scale, Path(folder))
        except Exception:
            state, found, figures = gpu.FAILED, traceback.format_exc(limit=-3), {}
    seconds = time.perf_counter() - began
    return {"part": name, "state": state, "seconds": seconds, "found": found, "figures": figures}


if __name__ == "__main__":
    sys.exit(main())
