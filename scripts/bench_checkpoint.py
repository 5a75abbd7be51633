"""Time what a checkpoint costs a run: WGAN, DCGAN at 64 x 64 and RMSProp, or what the overrides make of it.

Saves in the foreground and in the background take turns. In the foreground the training stands still for the whole
write. In the background it stands still for the copy of the state, and may run slower until the write is done: steps
are made meanwhile, and what they take longer than as many steps alone is the rest of the stall. Prints a Markdown
table; --json FILE keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from benchmarks.cases import Case, config_of, ours
from benchmarks.timing import timed

from gan_cli.runs import checkpoint
from gan_cli.runs.directory import CHECKPOINTS, RunDirectory
from gan_cli.runs.saver import Saver
from gan_cli.session import build
from gan_cli.session.restore import restore
from gan_cli.training.state import TrainState

DEFAULTS = ["loss=wgan", "model=dcgan", "dataset.image_size=64"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="saves of each kind")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk that is meant; default: here")
    parser.add_argument("--json", type=Path, help="keep the numbers here")
    parser.add_argument("overrides", nargs="*", help="of gan train, such as model.width=32")
    arguments = parser.parse_args()
    result = measure(arguments.rounds, arguments.folder, arguments.overrides)
    print(table(result))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def measure(rounds: int, folder: Path, overrides: list[str]) -> dict[str, Any]:
    """Return a checkpoint's bytes, and the medians of seconds."""
    plan = build.check(config_of([*DEFAULTS, *overrides]))
    plan, data = plan.open()
    state = plan.state(data)
    step = ours(Case(plan, data.shape), data.train, state)
    step()  # warm; and the optimizers have their slots from here on
    with tempfile.TemporaryDirectory(dir=folder) as place:
        seconds = savings(Path(place), rounds, state, step)
        newest = Path(place) / "foreground" / CHECKPOINTS
        seconds["load"] = [timed(lambda: restore(state, checkpoint.load(newest, print))) for _ in range(rounds)]
        size = sum(file.stat().st_size for file in next(newest.iterdir()).iterdir())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    facts = {"runtime": plan.config.runtime.plain(), "torch": torch.__version__, "date": date.today().isoformat()}
    return {"bytes": size, "seconds": medians, "rounds": seconds, **facts}


def savings(place: Path, rounds: int, state: TrainState, step: Callable[[], None]) -> dict[str, list[float]]:
    """Save in the foreground and in the background, and make steps alone, in turn; the first round does not count."""
    done: list[int] = []
    savers = {
        name: Saver(_made(place / name), 2, None, name == "background", done.append, print)
        for name in ("foreground", "background")
    }

    def save(name: str) -> None:
        meta = {"step": state.step, "real_batches": state.real_batches, "critic_updates": state.critic_updates}
        savers[name].save(state.step, state.tensors(), meta)

    def save_and_train() -> int:
        """Return how many steps were made until the checkpoint was there."""
        save("background")
        done.clear()
        steps = 0
        while not done:
            step()
            steps += 1
            savers["background"].collect()
        return steps

    seconds: dict[str, list[float]] = {name: [] for name in ("step", "foreground", "copy", "background")}
    for _ in range(rounds + 1):
        seconds["step"].append(timed(step))
        seconds["foreground"].append(timed(lambda: save("foreground")))
        step()
        seconds["copy"].append(timed(lambda: save("background")))
        savers["background"].wait()
        step()
        began = time.perf_counter()
        steps = save_and_train()
        trained = time.perf_counter() - began
        seconds["background"].append(trained - steps * statistics.median(seconds["step"]))
    for saver in savers.values():
        saver.close()
    return {name: values[1:] for name, values in seconds.items()}


def _made(folder: Path) -> RunDirectory:
    folder.mkdir()
    return RunDirectory(folder)


def table(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    seconds, runtime = result["seconds"], result["runtime"]
    where = f"{runtime['device']}, {runtime['precision']}, {runtime['threads']} threads"

    def share(name: str) -> str:
        return f"{seconds[name]:.3f} s ({seconds[name] / 60:.2%})"

    rows = {
        "bytes of a checkpoint": f"{result['bytes']:,}",
        "a step": f"{seconds['step']:.3f} s",
        "save in the foreground (share of training time at one a minute)": share("foreground"),
        "save in the background: copy of the state": share("copy"),
        "save in the background: copy, and the delay of the steps meanwhile": share("background"),
        "load": f"{seconds['load']:.3f} s",
    }
    lines = [
        f"| cost of a checkpoint | {where} |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
