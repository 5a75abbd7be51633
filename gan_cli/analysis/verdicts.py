"""What a report's numbers mean, in plain words, with the override to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from gan_cli.analysis.correlation import FEWEST, Correlation
from gan_cli.analysis.critic_health import Further, GradientNorms
from gan_cli.analysis.quality_points import Points
from gan_cli.config.schema import RunConfig
from gan_cli.core.curves import FALLBACK, Curve, find, heldout_tag, is_maximised

RISE = 0.10  # of the estimate, from which on a critic is called not optimal
SATURATED = 0.5  # share of weights at the bound, from which on the bound decides what the critic is
OVERFITTING = 0.25  # of the estimate, above the held-out one
SLOPE = 0.25  # from the penalty's target
_LAST = 20  # rows, for means
_FEWEST_ROWS = 10  # of the filtered curve, of which a trend is told
_MOVED = 0.05  # of the estimate's range, over the last quarter


class Verdict(NamedTuple):
    """A line: `good`, `look` (something to try) or `unknown` (it could not be told)."""

    kind: Literal["good", "look", "unknown"]
    text: str


def trend(tag: str, steps: np.ndarray, filtered: np.ndarray, total_steps: int) -> list[Verdict]:
    """Say how the filtered curve ends."""
    finite = filtered[np.isfinite(filtered)]
    if len(finite) < _FEWEST_ROWS or tag == FALLBACK:
        return []
    peak, end = int(np.argmax(finite)), finite[-1]
    span = finite.max() - finite.min()
    before = finite[-max(2, len(finite) // 4)]
    more = f"train.steps={2 * total_steps}"
    if span and end < before - _MOVED * span:
        fallen = f"; it was {finite[peak]:.4g} at step {int(steps[peak])}" if peak else ""
        return [Verdict("look", f"the estimate is still falling, {end:.4g} at the end{fallen}: {more} trains on")]
    if span and end > before + _MOVED * span:
        return [
            Verdict(
                "look",
                f"the estimate is rising at the end, to {end:.4g}: the critic is still learning, or the generator has "
                f"lost ground; {more}, or a smaller optimizer.generator.lr",
            )
        ]
    curve = find(tag)
    falls = curve is not None and curve.unit == "score"  # others may rest where the samples are bad
    return [Verdict("good" if falls else "unknown", f"the estimate has come to rest at {end:.4g}")]


def quality(points: Points | None, related: Correlation | None, reason: str) -> Verdict:
    """Say whether the estimate tells the quality of the samples."""
    more = "evaluate.every_steps=100 or checkpoint.milestone_every_steps=100 gives more"
    if points is None:
        return Verdict("unknown", f"estimate and quality were not compared: {reason}")
    if related is None:
        return Verdict(
            "unknown",
            f"estimate and quality: {len(points.points)} of the at least {FEWEST} points that are needed; {more}",
        )
    sign = -1 if points.higher_is_better else 1
    told = (
        f"Spearman {related.rho:.2f}, 95 % interval {related.low:.2f} to {related.high:.2f}, over {related.n} points, "
        f"with {points.name}"
    )
    if not np.isfinite(related.rho):
        return Verdict("unknown", f"estimate and quality: one of the two does not vary over {related.n} points")
    low, high = sorted((sign * related.low, sign * related.high))
    if low > 0:
        return Verdict("good", f"the estimate falls as samples improve: {told}")
    if high < 0:
        return Verdict(
            "look",
            f"the estimate rises as samples improve: {told}; a critic that is still learning does this: "
            "updates.burst_first_steps=25, or updates.n_critic=10",
        )
    return Verdict("unknown", f"whether the estimate follows quality cannot be told: {told}; {more}")


def meaning(tag: str, own: Sequence[Curve] = ()) -> str:
    """Return what a curve means, in a line; `own`: the declarations of the run's loss."""
    if tag == FALLBACK:
        return "the critic's own loss: this objective estimates no distance, so its curve says nothing of the samples"
    curve = find(tag, own)
    return curve.meaning if curve else "as this loss reports it"


def maximised(tag: str, own: Sequence[Curve] = ()) -> str:
    """Return the tag if it is what the critic makes as large as it can, else that of its loss; `own` as above."""
    return tag if is_maximised(tag, own) else FALLBACK


def after_peak(points: Points, related: Correlation | None) -> list[Verdict]:
    """Say how it is once the critic has learnt to see: from the estimate's peak on, which it rises to before.

    Args:
        points: from the peak on.
        related: theirs.
    """
    if related is None or not np.isfinite(related.rho):
        return []
    sign = -1 if points.higher_is_better else 1
    low, _ = sorted((sign * related.low, sign * related.high))
    told = (
        f"from the estimate's peak at step {points.points[0].step} on, before which the critic is still learning: "
        f"Spearman {related.rho:.2f}, 95 % interval {related.low:.2f} to {related.high:.2f}, over {related.n} points"
    )
    return [Verdict("good" if low > 0 else "unknown", told)]


def optimal(tag: str, further: Further, config: RunConfig) -> Verdict:
    """Say whether the critic is as good as it can be against this generator."""
    n, rise = further.updates[-1], further.rise
    what = "its objective" if tag == FALLBACK else "the estimate"
    if not np.isfinite(further.values).all():
        return Verdict("look", "the critic's scores become NaN or infinite when it is trained on: optimizer.critic.lr")
    told = f"{_change(further)} after {n} more updates ({further.values[0]:.4g} to {further.values[-1]:.4g})"
    if rise > 2 * further.error and not further.relative < RISE:
        return Verdict("look", f"the critic is not optimal: {told}: {_more_critic(config)}")
    return Verdict("good", f"the critic is near its best against these samples: {what} {told}")


def saturation(share: float, bound: float) -> Verdict:
    """Say whether the clip decides what the critic is."""
    if share >= SATURATED:
        return Verdict(
            "look",
            f"{100 * share:.0f} % of the critic's weights are at ±{bound:g}: the clip shapes the critic more than the "
            f"data do: constraint=gradient_penalty optimizer=adam_wgan_gp, or constraint.c={2 * bound:g}",
        )
    return Verdict("good", f"{100 * share:.0f} % of the critic's weights are at ±{bound:g}: the clip leaves it room")


def slope(norms: GradientNorms, target: float) -> Verdict:
    """Say whether a penalty reaches the gradient norm that it asks for."""
    mean = float(norms.between.mean())
    if abs(mean - target) > SLOPE * target:
        return Verdict(
            "look",
            f"the critic's gradient between real and fake has the norm {mean:.2g} where the penalty asks for "
            f"{target:g}: more updates (updates.n_critic), or another constraint.weight",
        )
    return Verdict("good", f"the critic's gradient between real and fake has the norm {mean:.2g}, as the penalty asks")


def overfitting(tag: str, rows: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """Say whether the critic knows its training samples by heart, by the means of the last rows.

    Args:
        tag: of the estimate.
        rows: of the run; [] is returned where they have no held-out twin, or an estimate that is nothing but noise.
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
        return [Verdict("look", f"the critic over-fits: {text}: more data, or input=diffaugment")]
    return [Verdict("good", f"the critic does not over-fit: {text}")]


def told(status: Mapping[str, Any]) -> list[Verdict]:
    """Repeat what the run itself warned of."""
    warnings = status.get("warnings")
    found = warnings if isinstance(warnings, Sequence) else []
    return [Verdict("look", f"at step {w.get('step')}: {w.get('what')}: {w.get('reason')}") for w in found[-3:]]


def _change(further: Further) -> str:
    """Return how the estimate changed: `+38 %`, `5.2 times as high`, or a difference where it was not above 0."""
    if not further.values[0] > 0:
        return f"{further.rise:+.3g}"
    if further.relative > 2:
        return f"{further.relative + 1:.1f} times as high"
    return f"{100 * further.relative:+.0f} %"


def _more_critic(config: RunConfig) -> str:
    n_critic = config.updates.arguments.get("n_critic")
    return f"updates.n_critic={2 * n_critic}" if isinstance(n_critic, int) else "updates=alternating_5"
