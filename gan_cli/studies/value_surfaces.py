"""Clipping against a gradient penalty: level sets, gradients by layer, weights (Gulrajani et al. 2017, figure 1)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from gan_cli.api.run import Run
from gan_cli.session.single_parts import dataset
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels, scores
from gan_cli.studies.measured import difference, over_seeds

SETS = ("ring", "grid", "swiss_roll")
_COUNT = 1000  # samples of each kind for distances and gradients


class ValueSurfaces(Study):
    """Reads `clip SET` and `penalty SET` for each of SETS, and deep critics: `deep C` with a clip, `deep penalty`."""

    def look(self, runs: Runs) -> Finding:
        """Draw level sets, gradient norms by layer and weights; measure how much of W1 the critics find."""
        found = {
            kind: [np.mean([_share(runs[f"{kind} {name}"][i]) for name in SETS]) for i in range(len(runs["clip ring"]))]
            for kind in ("clip", "penalty")
        }
        norms = {name: [_layer_norms(run) for run in each] for name, each in runs.items() if name.startswith("deep")}
        spread = {name: [float(np.ptp(np.log10(n))) for n in each] for name, each in norms.items()}
        clipped = min((name for name in spread if name != "deep penalty"), key=lambda name: np.mean(spread[name]))
        at_bound = [_share_at_bound(run) for run in runs["clip swiss_roll"]]
        measured = {
            "distance": difference(found["penalty"], found["clip"]),
            "depth": difference(spread[clipped], spread["deep penalty"]),
            "penalty_depth": over_seeds(spread["deep penalty"]),
            "weights": over_seeds(at_bound),
        }
        figure, axes = panels(4, 2, width=3.4, height=3.3)
        for row, kind in enumerate(("clip", "penalty")):
            for place, name in zip(axes[row], SETS, strict=False):
                _surface(place, runs[f"{kind} {name}"][0], f"{kind}, {name.replace('_', ' ')}")
        for name, each in norms.items():
            axes[0, 3].semilogy(each[0], label=name.removeprefix("deep "))
        labelled(axes[0, 3], "Gradient norm by layer, swiss roll", "layer of the critic")
        for name, colour in (("clip", "#e8590c"), ("penalty", "#1864ab")):
            weights = _weights(runs[f"{name} swiss_roll"][0])
            axes[1, 3].hist(
                weights / np.abs(weights).max(), bins=61, density=True, histtype="step", color=colour, label=name
            )
        labelled(axes[1, 3], "Critic's weights over their largest", "weight")
        lines = [
            f"share of W1 that the {kind} critics find: {', '.join(f'{v:.3f}' for v in each)}"
            for kind, each in found.items()
        ]
        lines += [
            f"{name}: gradient norms span {np.mean(each):.2f} orders of magnitude" for name, each in spread.items()
        ]
        return Finding(figure, measured, lines)


def _points(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return real points and the run's fakes."""
    data = dataset(run.config).open(_COUNT, 0, torch.device("cpu"))
    return data.fixed(_COUNT).x.double().numpy(), run.sample(_COUNT).cpu().double().numpy()


def _share(run: Run) -> float:
    """Return the critic's estimate over its largest gradient norm, as a share of the exact W1 of the same points."""
    real, fake = _points(run)
    cost = cdist(real, fake)
    exact = cost[linear_sum_assignment(cost)].mean()
    (on_real, by_real), (on_fake, by_fake) = scores(run, real), scores(run, fake)
    steepest = np.linalg.norm(np.concatenate([by_real, by_fake]), axis=1).max()
    return float((on_real.mean() - on_fake.mean()) / steepest / exact) if steepest else 0.0


def _layer_norms(run: Run) -> np.ndarray:
    """Return the mean norm of the gradient of the score by the output of each hidden layer, the first one first."""
    real, _ = _points(run)
    outputs: list[torch.Tensor] = []
    layers = [m for m in run.critic.modules() if isinstance(m, torch.nn.Linear)]
    handles = [
        layer.register_forward_hook(lambda module, given, output: outputs.append(output)) for layer in layers[:-1]
    ]
    score = run.critic(torch.as_tensor(real, dtype=torch.float32).requires_grad_())
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(score.sum(), outputs)
    return np.array([float(g.norm(dim=1).mean()) for g in gradients]) + np.finfo(np.float64).tiny


def _weights(run: Run) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in run.critic.parameters() if p.dim() > 1]).cpu().numpy()


def _share_at_bound(run: Run) -> float:
    """Return the share of weights within a hundredth of the bound c."""
    c: float = run.config.constraint.arguments["c"]
    return float((np.abs(_weights(run)) >= 0.99 * c).mean())


def _surface(place, run: Run, title: str) -> None:  # noqa: ANN001
    real, _ = _points(run)
    bound = 1.3 * np.abs(real).max()
    ticks = np.linspace(-bound, bound, 100)
    at = np.stack([axis.ravel() for axis in np.meshgrid(ticks, ticks)], axis=1)
    score, _ = scores(run, at)
    place.contour(ticks, ticks, score.reshape(100, 100), levels=15, cmap="viridis", linewidths=0.8)
    place.plot(*real.T, ".", markersize=1.5, color="#e8590c")
    labelled(place, title, "")
