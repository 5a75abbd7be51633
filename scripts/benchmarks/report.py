"""From measurements to docs/benchmarks.md: JSON keeps what was measured, Markdown is made from it."""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

PARTS = ("speed", "startup", "memory", "overheads", "pipeline", "busy", "floor", "fakes")
HEADING = """\
# Benchmarks

`make bench` measures all of this and writes this page; `make bench ARGS="speed --losses wgan --sizes 64"` measures a
part of it again, in its place. The numbers behind the tables are in `benchmarks.json`.

"""


def part(name: str) -> ModuleType:
    """Return the module that measures a part: TITLE, ABOUT, measure(options), tables(result)."""
    return importlib.import_module(f"benchmarks.{name}")


def facts(command: str) -> dict[str, Any]:
    """Return where, when and by which command something is measured."""
    import torch  # here: a mistake on the command line is told without it

    from gan_cli.training.rundir import processor

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "command": command,
        "processor": processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load": os.getloadavg()[0],
    }


def section(name: str, result: dict[str, Any]) -> str:
    """Return a part as Markdown."""
    module, at = part(name), result["facts"]
    gpu = f"{at['gpu']}, " if at["gpu"] else ""
    where = (
        f"`{at['command']}`: {gpu}{at['processor']}, {at['cores']} cores, {at['instructions']}, torch {at['torch']}, "
        f"Python {at['python']}, {at['date']}; load average when it began: {at['load']:.1f}."
    )
    return f"## {module.TITLE}\n\n{module.ABOUT}\n\n{module.tables(result)}\n\n{where}\n"


def keep(folder: Path, results: dict[str, dict[str, Any]]) -> None:
    """Put parts into the folder's benchmarks.json, in place of what it has of them, and write benchmarks.md from it."""
    file = folder / "benchmarks.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known |= results
    ordered = {name: known[name] for name in PARTS if name in known}
    file.write_text(json.dumps(ordered, indent=1) + "\n")
    pages = [section(name, result) for name, result in ordered.items()]
    (folder / "benchmarks.md").write_text(HEADING + "\n".join(pages))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
