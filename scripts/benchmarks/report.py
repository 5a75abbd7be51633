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

PARTS = ("speed", "startup", "memory", "overheads", "pipeline", "busy", "floor", "layers", "fakes", "scale")
PAGE = (*PARTS, "gpu")  # scripts/gpu_proof.py measures the last
TRIED = Path(__file__).parent / "tried.md"  # single measurements, and what did not help
HEADING = """\
# Benchmarks

`make bench` measures all of this and writes this page. `make bench ARGS="speed --losses wgan --sizes 64"` measures one
part again and replaces it here. The numbers of the tables are in `benchmarks.json`.

"""


def part(name: str) -> ModuleType:
    """Return the module that measures a part: TITLE, ABOUT, measure(options), tables(result)."""
    return importlib.import_module(f"benchmarks.{name}")


def facts(command: str) -> dict[str, Any]:
    """Return where, when and by which command something is measured."""
    import torch  # here: a mistake on the command line is reported without it

    from gan_cli.core.hardware import cpu_has_bf16
    from gan_cli.session.provenance import processor

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "command": command,
        "processor": processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16": cpu_has_bf16(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load": os.getloadavg()[0],
    }


def _others(module: ModuleType, known: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return earlier results without the cells that a new one has."""
    if not hasattr(module, "cell"):
        return []
    again = [module.cell(row) for row in new["rows"]]
    left = ({**result, "rows": [row for row in result["rows"] if module.cell(row) not in again]} for result in known)
    return [result for result in left if result["rows"]]


def section(name: str, results: Sequence[dict[str, Any]]) -> str:
    """Return a part as Markdown: what it is, and a table for each run of the script."""
    module = part(name)
    lines = [f"{module.tables(result)}\n\n{_where(result['facts'])}\n" for result in results]
    return "\n".join([f"## {module.TITLE}\n\n{module.ABOUT}\n", *lines])


def _where(at: dict[str, Any]) -> str:
    """Return what a table's figures were measured with."""
    gpu = f"{at['gpu']}, " if at["gpu"] else ""
    return (
        f"`{at['command']}`: {gpu}{at['processor']}, {at['cores']} cores, {at['instructions']}, torch {at['torch']}, "
        f"Python {at['python']}, {at['date']}; load average at the start: {at['load']:.1f}."
    )


def keep(folder: Path, results: dict[str, dict[str, Any]]) -> None:
    """Put parts into the folder's benchmarks.json, in place of what it has of them, and write benchmarks.md from it.

    A part whose module has a function `cell(row)` keeps those rows of earlier runs that are of other cells.
    """
    file = folder / "benchmarks.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    for name, result in results.items():
        known[name] = [*_others(part(name), known.get(name, []), result), result]
    ordered = {name: known[name] for name in PAGE if name in known}
    file.write_text(json.dumps(ordered, indent=1) + "\n")
    pages = [section(name, found) for name, found in ordered.items()]
    pages.append(TRIED.read_text(encoding="utf-8"))
    (folder / "benchmarks.md").write_text(HEADING + _missing(ordered) + "\n".join(pages))


def _missing(results: dict[str, list[dict[str, Any]]]) -> str:
    """Say which of the goals these machines cannot show."""
    machines = [result["facts"] for found in results.values() for result in found]
    lines = []
    if not any(at["bf16"] for at in machines):
        lines.append("The goals for processors that compute in bf16 are not measured, because this processor does not.")
    if not any(at["gpu"] for at in machines):
        lines.append("The goals for GPUs are not measured, because this machine has none.")
    return "\n".join([*lines, "", ""]) if lines else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
