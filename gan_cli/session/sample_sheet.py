"""The sheet of samples of `gan compare`: samples of the same z from every run's generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from gan_cli.analysis.figures import side_by_side, to_uint8
from gan_cli.analysis.grouping import SEED, groups
from gan_cli.analysis.reals import take
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.runs.reading import Run
from gan_cli.session.load import load
from gan_cli.session.look import open_data
from gan_cli.training.sampling import sample

COUNT, POINTS = 12, 1000  # samples of a run on the sheet
TARGET = "target"  # the last row of a sheet of runs that read pictures
_MOST_ROWS = 40  # runs on the sheet


def sheet(runs: Sequence[Run], allowed: Sequence[str], seed: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the samples of each run by its label, what they were made of, and notes about the runs without samples.

    Args:
        runs: at most 40 are shown.
        allowed: module prefixes of the user's own parts that the command line allows.
        seed: of the z.

    Returns:
        label -> pixels (N, H, W, 3) uint8 or points (N, D), in the order of the rows; and the notes, a line each.
    """
    rows: dict[str, np.ndarray] = {}
    notes: list[str] = []
    priors: set[str] = set()
    references: dict[str, np.ndarray] = {}
    for group in groups(runs):
        for run in group.runs:
            if len(rows) == _MOST_ROWS:
                notes.append(f"the sheet of samples shows only the first {_MOST_ROWS} runs")
                return rows, notes
            try:
                drawn, prior, step, read = _drawn(run.path, allowed, seed)
            except UserError as error:
                notes.append(f"not in the sheet of samples: {run.path.name}: {error}")
                continue
            label = f"{group.label}\n{SEED}={run.config.get(SEED)}, step {step}"
            while label in rows:
                label += " "
            rows[label] = drawn
            priors.add(prior)
            if any(not np.array_equal(references.setdefault(name, pixels), pixels) for name, pixels in read.items()):
                notes.append(f"in the sheet of samples, {run.path.name} has other sources than the runs above it")
    if len(priors) > 1:
        notes.append(
            f"the z in the sheet of samples are not the same, because the priors differ: {', '.join(sorted(priors))}"
        )
    if len({samples.shape[1] if samples.ndim == 2 else 0 for samples in rows.values()}) > 1:
        notes.append(
            "there is no sheet of samples: the runs make both images and points, or points of several dimensions"
        )
        return {}, notes
    targets = {TARGET: references.pop(TARGET)} if TARGET in references else {}
    return references | rows | targets, notes


def _drawn(path: Path, allowed: Sequence[str], seed: int) -> tuple[np.ndarray, str, int, dict[str, np.ndarray]]:
    """Return a run's samples as pixels or points, its prior (runs with equal priors have the same z), the step.

    Also what they were made of, by name: held-out sources, the baseline, and the targets; for z alone nothing.
    """
    device = torch.device("cpu")
    loaded = load(path, "cpu", "latest", allowed)
    game, network = loaded.state.game, loaded.state.best_generator()
    task, real, read = game.task, None, {}
    if task.reads == "image":
        held_out = take(open_data(path, loaded).heldout, 0, COUNT)
        real = game.read(held_out, Draws(device, seed, "sample"))
        read = {"source": side_by_side([real.source], loaded.shape)}
        plain = task.unlearned(real.source, loaded.shape)
        if not torch.equal(plain, read["source"]):
            read[task.baseline] = plain
        if not task.twofold:
            read[TARGET] = real.x
    count, draws = COUNT if len(loaded.shape) == 3 else POINTS, Draws(device, seed, "sample")
    y, source = (None, None) if real is None else (real.y, real.source)
    x = torch.cat(list(sample(game, network, count, draws, y=y, source=source)))
    prior = f"{type(game.latent).__name__} of {game.latent.total_size}"
    shown = to_uint8(x) if x.dim() == 4 else x.double().numpy()
    return shown, prior, loaded.state.step, {name: to_uint8(images) for name, images in read.items()}
