"""What a fixed generator gets from a discriminator that learns (Arjovsky and Bottou 2017, figures 1 to 3)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn.functional import softplus

from gan_cli.rng import Draws
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels
from gan_cli.studies.measured import over_seeds
from gan_cli.studies.running import watched
from gan_cli.training.state import TrainState

_EVERY = 10  # steps
_BATCH = 64
_LAST = 5  # rows for the values at the end
CRITIC = "critic "  # how the runs' names begin that are read here; the others train the generators


class FixedGenerator(Study):
    """Reads the runs `critic ...`: a new discriminator each, against a generator that was trained before."""

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return the discriminator's loss and the generator's gradient norm under both of its losses."""
        if state.step % _EVERY and state.step != 1:
            return {}
        game = state.game
        buffers = [(value, value.clone()) for value in game.buffers()]  # batch norm moves its own
        weights = [p for p in game.generator.parameters() if p.requires_grad]
        draws = Draws(next(game.parameters()).device, 0, "study", state.step)
        score = game.ask(game.fake(_BATCH, None, draws).x).score
        found = {"loss": logs["critic/loss"]}
        for name, objective in (("log(1 - D)", -softplus(score)), ("-log D", softplus(-score))):
            gradients = torch.autograd.grad(objective.mean(), weights, retain_graph=True)
            found[name] = torch.stack([g.norm() for g in gradients]).norm().item()
        with torch.no_grad():
            for value, before in buffers:
                value.copy_(before)
        return found

    def look(self, runs: Runs) -> Finding:
        """Measure how loss and gradients change from the first step of the discriminator to its last ones."""
        read = {name.removeprefix(CRITIC): found for name, found in runs.items() if name.startswith(CRITIC)}
        paths = {name: [watched(run) for run in found] for name, found in read.items()}
        changes = {
            key: np.array([[_change(path[key]) for path in found] for found in paths.values()])
            for key in ("loss", "log(1 - D)", "-log D")
        }  # (generators, seeds), orders of magnitude
        measured = {
            "loss": over_seeds(changes["loss"].max(axis=0)),
            "saturating": over_seeds(changes["log(1 - D)"].max(axis=0)),
            "nonsaturating": over_seeds(changes["-log D"].min(axis=0)),
        }
        figure, axes = panels(3)
        titles = {
            "loss": "Discriminator's loss",
            "log(1 - D)": "Gradient norm, log(1 - D)",
            "-log D": "Gradient norm, -log D",
        }
        for place, (key, title) in zip(axes[0], titles.items(), strict=True):
            for name, found in paths.items():
                place.semilogy(found[0]["step"], found[0][key], label=name)
            labelled(place, title, "discriminator steps")
        lines = [
            f"{name}, {title}: {', '.join(f'{change:.2f}' for change in changes[key][i])} (log10)"
            for i, name in enumerate(paths)
            for key, title in titles.items()
        ]
        return Finding(figure, measured, lines, {key: value.tolist() for key, value in changes.items()})


def _change(values: np.ndarray) -> float:
    """Return log10 of the last values over the first: the medians of five rows."""
    return float(np.log10(np.median(values[-_LAST:]) / np.median(values[:_LAST])))
