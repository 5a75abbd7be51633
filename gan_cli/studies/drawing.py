"""What the studies share: axes, and a trained critic at given points."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_cli.analysis.plots import Shown
from gan_cli.api.run import Run
from gan_cli.config import parts
from gan_cli.losses.base import CriticOutput, Loss


def panels(columns: int, rows: int = 1, width: float = 4.2, height: float = 3.6) -> tuple[Figure, np.ndarray]:
    """Return a figure and its axes (rows, columns)."""
    figure = Shown(figsize=(width * columns, height * rows), dpi=100, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def labelled(axes: Axes, title: str, x: str, y: str = "") -> None:
    """Give axes their words, a grid, and a legend where something has a name."""
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")


def scores(run: Run, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a run's critic at points (N, D): scores (N,), and their gradients by the points (N, D)."""
    critic = run.critic
    x = torch.as_tensor(points, dtype=torch.float32, device=next(critic.parameters()).device).requires_grad_()
    score = critic(x)
    (gradient,) = torch.autograd.grad(score.sum(), x)
    return score.detach().cpu().double().numpy(), gradient.cpu().double().numpy()


def estimates(run: Run, on_real: np.ndarray, on_fake: np.ndarray) -> dict[str, float]:
    """Return the estimates of a run's loss from the scores of real (N,) and of fakes (N,)."""
    loss = parts.build(run.config.loss, "loss", Loss)
    outputs = [CriticOutput(torch.from_numpy(score), None, {}, torch.from_numpy(score)) for score in (on_real, on_fake)]
    return {name: float(value) for name, value in loss.estimates(*outputs).items()}
