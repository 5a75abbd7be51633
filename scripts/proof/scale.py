"""Where and how large the parts of the proof are; and what they have in common."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gan_cli
from gan_cli.cli import main


class Proof(NamedTuple):
    """What a part found: passed, FAILED or not run; in words; its figures."""

    state: str
    found: str
    figures: dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """Where and how large.

    Attributes:
        device: cuda or cpu.
        tiny: small networks, few steps and few cases.
    """

    device: str
    tiny: bool

    @property
    def overrides(self) -> list[str]:
        """Of `gan train`: the device, and small networks where they are asked for."""
        small = ["model.width=4", "train.batch_size=8", "dataset.image_size=16", "runtime.threads=1"]
        return [f"runtime.device={self.device}", *(small if self.tiny else [])]

    def steps(self, many: int) -> int:
        """Return so many steps, or a few."""
        return min(many, 4) if self.tiny else many

    def few(self, cases: Sequence[Any], count: int) -> list[Any]:
        """Return all cases, or the first `count`."""
        return list(cases[:count] if self.tiny else cases)

    def train(self, folder: Path, *overrides: str) -> gan_cli.Run:
        """Train a run in the folder, which need not exist."""
        return gan_cli.train([*self.overrides, f"run_dir={folder}", *overrides], progress=False)


def passed(ok: bool) -> str:
    """Return the state of a part that ran."""
    return "passed" if ok else "FAILED"


def gan(*words: str) -> tuple[int, str]:
    """Run a command of `gan` in this process; return its exit code and what it printed last."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(list(words))
    lines = [line for line in (err.getvalue() + out.getvalue()).splitlines() if line.strip()]
    return code, lines[-1] if lines else ""
