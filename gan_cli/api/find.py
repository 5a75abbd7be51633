"""Finds runs that exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gan_cli.api.run import Run
from gan_cli.errors import UserError
from gan_cli.runs import exported, reading
from gan_cli.runs.directory import ROOT
from gan_cli.runs.finding import find

if TYPE_CHECKING:
    from torch import nn


def load(
    run: str | Path = "latest",
    *,
    checkpoint: Literal["latest", "best"] | int = "latest",
    weights: Literal["auto", "ema", "raw"] = "auto",
    device: str = "auto",
    allow_targets: Sequence[str] = (),
    generator: nn.Module | None = None,
    critic: nn.Module | None = None,
    dataset: Any = None,
) -> Run | list[Run]:
    """Find a run, or the runs of a sweep; its weights are read when they are first used.

    An exported generator, `gan export RUN` or `Run.export`, is a run without critic and curves.

    Args:
        run: a run's directory, or an exported one; a sweep's, or any directory of runs; the name of one in runs/, or
            its end, if that is unique; "latest": the run in runs/ that was written to last.
        checkpoint: latest; best, by the run's checkpoint.best; or the step of a checkpoint that the run has kept.
        weights: of the generator: ema, its moving average; raw; auto: the moving average if the run has one.
        device: where networks are computed: auto, cpu, cuda or cuda:N.
        allow_targets: modules of your own parts that the run may import.
        generator: a module with the run's architecture, where the run was trained with one that Python gave.
        critic: likewise.
        dataset: the run's samples, where Python gave them.

    Returns:
        the run, or a list of runs for a directory of several.

    Raises:
        UserError: there is no such run, or several; its config is not valid; or it needs what is not given.
    """
    path = find(run)
    given: dict[str, Any] = {"generator": generator, "critic": critic, "dataset": dataset}
    settings = {"checkpoint": checkpoint, "weights": weights, "device": device, "allow_targets": allow_targets}
    is_one = reading.is_run(path) or exported.is_export(path)
    found = [Run(each, **settings, **given) for each in ([path] if is_one else reading.below(path))]
    for each in found:
        each.check()
    return found[0] if is_one else found


def list_runs(directory: str | Path = ROOT) -> list[Run]:
    """Return the runs in a directory and in the sweeps there, by name; nothing of them is loaded.

    Raises:
        UserError: no such directory.
    """
    if not Path(directory).is_dir():
        raise UserError(f"{directory}: no such directory; gan_cli.train creates runs/")
    return [Run(path) for path in reading.below(Path(directory))]
