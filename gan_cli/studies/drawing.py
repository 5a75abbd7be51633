"""What the studies share: axes, curves, samples, and a trained critic at given points."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_cli.analysis import figures
from gan_cli.analysis.plots import Shown
from gan_cli.api.run import Run
from gan_cli.config import parts
from gan_cli.errors import UserError
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


def show_picture(axes: Axes, picture: np.ndarray, title: str) -> None:
    """Show pixels (height, width, 3) in the place of axes."""
    axes.imshow(picture)
    axes.set_axis_off()
    axes.set_title(title, fontsize="small")


def show_samples(axes: Axes, run: Run, title: str) -> None:
    """Draw samples of a run: a grid of 64 images, or 1,000 points of two dimensions."""
    points = "image_size" not in run.config.dataset.arguments
    x = run.sample(1000 if points else 64).cpu()
    if points:
        axes.plot(*x.double().numpy().T, ".", markersize=2, color="#e8590c")
        axes.set_aspect("equal", adjustable="datalim")
        labelled(axes, title, "")
    else:
        show_picture(axes, figures.image_grid(x), title)


def logged(run: Run, *tags: str) -> list[np.ndarray]:
    """Return the steps and the values of curves, in the rows that have all of them.

    Raises:
        UserError: there is no such row.
    """
    metrics = run.metrics
    if lacking := [tag for tag in tags if tag not in metrics]:
        raise UserError(f"{run.path}: no row has {lacking[0]}, which the study reads")
    there = np.all([np.isfinite(metrics[tag]) for tag in tags], axis=0)
    return [metrics[key][there] for key in ("step", *tags)]


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
