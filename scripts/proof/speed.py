"""Seconds a step against the textbook loop, an eager loop with its data on the device, and the floors."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from benchmarks.cases import Case, Step, case, ours, resident
from benchmarks.textbook import LOOPS
from benchmarks.timing import in_turn, median_ratio, medians, timed

from proof.floors import floors
from proof.scale import Proof, Scale

ROUNDS = 3
SECONDS = 0.3  # of a measurement, about


def prove(scale: Scale, folder: Path) -> Proof:
    """Time every size, batch and precision; nothing fails here, for how fast it is depends on the machine."""
    rows = []
    for loss, size, n in scale.few(_cells(), 1):
        rows += _cell(scale, loss, size, n)
        print(json.dumps(rows[-3:]), file=sys.stderr, flush=True)
    best = max(rows, key=lambda row: row["times_textbook"])
    found = (
        f"{best['times_textbook']:.1f} times the textbook loop in {best['precision']}, {best['loss']}, "
        f"{best['size']} x {best['size']}, batch {best['n']}"
    )
    return Proof("passed", found, {"rows": rows})


def _cells() -> list[tuple[str, int, int]]:
    square = [("wgan", size, n) for size in (32, 64) for n in (64, 512)]
    return [*square, ("wgan_gp", 64, 64), ("nonsaturating", 32, 64)]


def _cell(scale: Scale, loss: str, size: int, n: int) -> list[dict[str, Any]]:
    cuda = scale.device == "cuda"
    given = [f"train.batch_size={n}", *scale.overrides]
    size = 16 if scale.tiny else size
    chosen: dict[str, Case] = {}
    loops: dict[str, Step] = {}
    for precision in ("fp32", "tf32", "bf16") if cuda else ("fp32",):
        chosen[precision] = case(loss, size, 1, [*given, f"runtime.precision={precision}"])
        run = ours(chosen[precision], resident(chosen[precision]), wait=False)
        loops[f"gan {precision}"] = _with(precision, run, autocast=False)  # it has its own
        loops[f"eager {precision}"] = _with(precision, LOOPS[loss](chosen[precision], loader=False))
    loops["textbook"] = _with("torch", LOOPS[loss](chosen["fp32"]))
    many = {name: _many(loop, scale) for name, loop in loops.items()}
    seconds = in_turn({name: call for name, (call, _) in many.items()}, 1 if scale.tiny else ROUNDS)
    each = {name: [value / many[name][1] for value in values] for name, values in seconds.items()}
    middle = medians(each)
    rows = []
    for precision in chosen:
        mine = f"gan {precision}"
        rows.append(
            {
                "loss": loss,
                "size": size,
                "n": chosen[precision].plan.config.train.batch_size,
                "precision": precision,
                "seconds": middle[mine],
                "textbook": middle["textbook"],
                "eager": middle[f"eager {precision}"],
                "times_textbook": median_ratio(each["textbook"], each[mine]),
                "times_eager": median_ratio(each[f"eager {precision}"], each[mine]),
                **floors(case(loss, size, 1, [*given, f"runtime.precision={precision}", "runtime.engine=eager"])),
            }
        )
    return rows


def _many(loop: Step, scale: Scale) -> tuple[Callable[[], None], int]:
    """Return a call that takes a step so many times and waits for the last one; and how many."""
    for _ in range(3):  # the third replays what the second captured
        loop()
    _wait()
    count = 1 if scale.tiny else max(2, int(SECONDS / statistics.median(_once(loop) for _ in range(3))))

    def call() -> None:
        for _ in range(count):
            loop()
        _wait()

    return call, count


def _once(loop: Step) -> float:
    def step() -> None:
        loop()
        _wait()

    return timed(step)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _with(precision: str, loop: Step, autocast: bool = True) -> Step:
    """Return a loop under the switches of its precision; `torch`: those that torch starts with."""

    def step() -> None:
        with _switched(precision, autocast):
            loop()

    return step


@contextmanager
def _switched(precision: str, autocast: bool) -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = cudnn.allow_tf32, cudnn.deterministic, matmul.allow_tf32
    cudnn.allow_tf32 = precision in ("tf32", "torch")
    cudnn.deterministic = precision != "torch"
    matmul.allow_tf32 = precision == "tf32"
    enabled = autocast and precision == "bf16"  # no cache: it would keep weights that a step has since moved
    with torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if enabled else nullcontext():
        yield
    cudnn.allow_tf32, cudnn.deterministic, matmul.allow_tf32 = kept
