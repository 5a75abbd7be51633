"""Figures of the memorisation test."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from gan_cli.analysis import plots


def distances(spaces: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """Draw the share of samples, and of held-out reals, that is nearer to the training set than a distance.

    Args:
        spaces: name -> distances of samples (N,), distances of held-out reals (M,), and the 1 % quantile of the latter.

    Returns:
        (height, width, 3) uint8.
    """
    figure = Figure(figsize=(3.6 * len(spaces), 3.0), dpi=100, layout="constrained")
    for i, (name, (fake, heldout, threshold)) in enumerate(spaces.items(), 1):
        axes = figure.add_subplot(1, len(spaces), i)
        for values, colour, label in ((heldout, plots.REAL, "held-out"), (fake, plots.FAKE, "samples")):
            axes.plot(np.sort(values), np.arange(1, len(values) + 1) / len(values), color=colour, label=label)
        axes.axvline(threshold, color="#868e96", linewidth=0.8, linestyle="--", label="1 % of held-out images")
        axes.set(xlabel=f"distance to the nearest training image, {name}", xlim=(0, None), ylim=(0, 1))
        axes.xaxis.label.set_size(8)
        axes.grid(alpha=0.3)
        if i == 1:
            axes.set_ylabel("share of images that are nearer")
            axes.legend(fontsize=8)
    return plots.rendered(figure)
