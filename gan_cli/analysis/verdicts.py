"""Verdicts of a report: the meaning of its numbers, with an override to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from gan_cli.analysis.correlation import FEWEST, Correlation
from gan_cli.analysis.critic_health import Further, GradientNorms
from gan_cli.analysis.quality_points import Points
from gan_cli.config.schema import RunConfig
from gan_cli.core.curves import FALLBACK, OBJECTIVES, Curve, find, heldout_tag, is_maximised

RISE = 0.10  # of the estimate: with a larger rise a critic is not optimal
SATURATED = 0.5  # share of weights at the bound: from here on the clip limits the critic
OVERFITTING = 0.25  # of the estimate, above the held-out one
GRADIENT_NORM_GAP = 0.25  # from the penalty's target, as a share of it
LOG_2 = float(np.log(2))  # the largest Jensen-Shannon divergence
SEPARATED = 0.95  # of it
_LAST = 20  # rows, for means
_FEWEST_ROWS = 10  # of the filtered curve, below which there is no verdict on the trend
_MOVED = 0.05  # of the estimate's range, over the last quarter


class Verdict(NamedTuple):
    """One line with its kind: `good`, `look` (something to try) or `unknown` (not decided)."""

    kind: Literal["good", "look", "unknown"]
    text: str


def trend(tag: str, steps: np.ndarray, filtered: np.ndarray, total_steps: int) -> list[Verdict]:
    """Report how the filtered curve ends."""
    finite = filtered[np.isfinite(filtered)]
    if len(finite) < _FEWEST_ROWS or tag in OBJECTIVES:
        return []
    peak, end = int(np.argmax(finite)), finite[-1]
    span = finite.max() - finite.min()
    before = finite[-max(2, len(finite) // 4)]
    more = f"train.steps={2 * total_steps}"
    if span and end < before - _MOVED * span:
        fallen = f"; it was {finite[peak]:.4g} at step {int(steps[peak])}" if peak else ""
        return [Verdict("look", f"the estimate is still falling, {end:.4g} at the end{fallen}: train on with {more}")]
    if span and end > before + _MOVED * span:
        return [
            Verdict(
                "look",
                f"the estimate is rising at the end, to {end:.4g}: the critic is still learning, or the generator is "
                f"getting worse; try {more}, or a smaller optimizer.generator.lr",
            )
        ]
    return [Verdict("unknown", f"the estimate no longer changes, at {end:.4g}")]  # it may rest where samples are bad


def separated(tag: str, rows: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """Report a Jensen-Shannon estimate at its largest value, by the mean of the last rows."""
    values = [row[tag] for row in rows[-_LAST:] if tag in row]
    if tag != "critic/js_estimate" or not values or not np.mean(values) > SEPARATED * LOG_2:
        return []
    return [
        Verdict(
            "look",
            f"the critic wins: the JS estimate is {np.mean(values):.3g}, and {LOG_2:.3f} (log 2) is its "
            "largest value, where the critic tells every fake from the real samples: try input=noise, a smaller "
            "optimizer.critic.lr, or loss=wgan",
        )
    ]


def quality(points: Points | None, related: Correlation | None, reason: str) -> Verdict:
    """Report whether the estimate follows the quality of the samples."""
    more = "train a run with evaluate.every_steps=100 or checkpoint.milestone_every_steps=100 to get more"
    if points is None:
        return Verdict("unknown", f"estimate and quality were not compared: {reason}")
    if related is None:
        return Verdict(
            "unknown",
            f"estimate and quality: {len(points.points)} points, but at least {FEWEST} are needed; {more}",
        )
    sign = -1 if points.higher_is_better else 1
    text = (
        f"Spearman {related.rho:.2f}, 95 % interval {related.low:.2f} to {related.high:.2f}, over {related.n} points, "
        f"with {points.name}"
    )
    if not np.isfinite(related.rho):
        return Verdict("unknown", f"estimate and quality: one of the two does not vary over {related.n} points")
    low, high = sorted((sign * related.low, sign * related.high))
    if low > 0:
        return Verdict("good", f"the estimate falls as samples improve: {text}")
    if high < 0:
        return Verdict(
            "look",
            f"the estimate rises as samples improve: {text}; this happens while the critic is still learning: try "
            "updates.burst_first_steps=25 or updates.n_critic=10",
        )
    return Verdict("unknown", f"it is not clear whether the estimate follows quality: {text}; {more}")


def meaning(tag: str, own: Sequence[Curve] = ()) -> str:
    """Return the meaning of a curve in one line; `own`: the curve declarations of the run's loss."""
    if tag == FALLBACK:
        return "the critic's own loss: it does not estimate a distance, so its curve does not show sample quality"
    curve = find(tag, own)
    return curve.meaning if curve else "a curve of this loss"


def maximised(tag: str, own: Sequence[Curve] = ()) -> str:
    """Return the tag if the critic maximises this curve, else the tag of its loss; `own` as for `meaning`."""
    return tag if is_maximised(tag, own) else FALLBACK


def after_peak(points: Points, related: Correlation | None) -> list[Verdict]:
    """Report the correlation from the peak of the estimate on; before it the critic is still learning.

    Args:
        points: the points from the peak on.
        related: their correlation.
    """
    if related is None or not np.isfinite(related.rho):
        return []
    sign = -1 if points.higher_is_better else 1
    low, _ = sorted((sign * related.low, sign * related.high))
    text = (
        f"from the peak of the estimate at step {points.points[0].step} on (before it the critic is still learning): "
        f"Spearman {related.rho:.2f}, 95 % interval {related.low:.2f} to {related.high:.2f}, over {related.n} points"
    )
    return [Verdict("good" if low > 0 else "unknown", text)]


def optimal(tag: str, further: Further, config: RunConfig) -> Verdict:
    """Report whether the critic is optimal against this generator."""
    n, rise = further.updates[-1], further.rise
    what = "its objective" if tag == FALLBACK else "the estimate"
    if not np.isfinite(further.values).all():
        return Verdict("look", "the critic's scores become NaN or infinite if it trains on: reduce optimizer.critic.lr")
    text = f"{what}: {_change(further)} after {n} more updates, {further.values[0]:.4g} to {further.values[-1]:.4g}"
    if rise > 2 * further.error and not further.relative < RISE:
        return Verdict("look", f"the critic is not optimal ({text}): try {_more_critic(config)}")
    return Verdict("good", f"the critic is nearly optimal against these samples ({text})")


def saturation(share: float, bound: float) -> Verdict:
    """Report whether the clip limits the critic."""
    if share >= SATURATED:
        return Verdict(
            "look",
            f"{100 * share:.0f} % of the critic's weights are at ±{bound:g}: the clip limits the critic more than the "
            f"data do: try constraint=gradient_penalty optimizer=adam_wgan_gp, or constraint.c={2 * bound:g}",
        )
    return Verdict("good", f"{100 * share:.0f} % of the critic's weights are at ±{bound:g}: the clip limits it little")


def gradient_norm(norms: GradientNorms, target: float) -> Verdict:
    """Report whether the gradient norm reaches the target of the penalty."""
    mean = float(norms.between.mean())
    if abs(mean - target) > GRADIENT_NORM_GAP * target:
        return Verdict(
            "look",
            f"the critic's mean gradient norm between real and fake is {mean:.2g}, but the penalty's target is "
            f"{target:g}: try more updates (updates.n_critic), or another constraint.weight",
        )
    return Verdict("good", f"the critic's mean gradient norm between real and fake is {mean:.2g}, near the target")


def overfitting(tag: str, rows: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """Report whether the critic overfits to its training samples, by the means of the last rows.

    Args:
        tag: tag of the estimate.
        rows: rows of the run; without the held-out estimate, or with an estimate that is only noise, [] is returned.
    """
    twin = heldout_tag(tag)
    pairs = np.array([(row[tag], row[twin]) for row in rows[-_LAST:] if tag in row and twin in row])
    if len(pairs) < 2 or not np.isfinite(pairs).all():
        return []
    (mean, heldout), gap = pairs.mean(axis=0), pairs[:, 0] - pairs[:, 1]
    error = 2 * np.std(pairs[:, 0], ddof=1) / np.sqrt(len(pairs))
    if abs(mean) <= error:
        return []
    text = f"{mean:.4g} on training samples, {heldout:.4g} on held-out ones, over the last {len(pairs)} rows"
    beyond_chance = gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap))
    if beyond_chance and gap.mean() > OVERFITTING * abs(mean):
        return [Verdict("look", f"the critic overfits: {text}: try more data, or input=diffaugment")]
    return [Verdict("good", f"the critic does not overfit: {text}")]


def from_warnings(status: Mapping[str, Any]) -> list[Verdict]:
    """Repeat the last warnings of the run itself."""
    warnings = status.get("warnings")
    found = warnings if isinstance(warnings, Sequence) else []
    return [Verdict("look", f"at step {w.get('step')}: {w.get('what')}: {w.get('reason')}") for w in found[-3:]]


def _change(further: Further) -> str:
    """Return how the estimate changed: `+38 %`, `5.2 times as high`, or a difference if it was not above 0."""
    if not further.values[0] > 0:
        return f"{further.rise:+.3g}"
    if further.relative > 2:
        return f"{further.relative + 1:.1f} times as high"
    return f"{100 * further.relative:+.0f} %"


def _more_critic(config: RunConfig) -> str:
    n_critic = config.updates.arguments.get("n_critic")
    return f"updates.n_critic={2 * n_critic}" if isinstance(n_critic, int) else "updates=alternating_5"
