"""Charts of the declared curves, by category, as TensorBoard's CUSTOM SCALARS page has them."""

from __future__ import annotations

from gan_cli.core.curves import Curve, declared, heldout_tag, is_estimate, normalised_tag

# The order of the categories of the CUSTOM SCALARS page; others follow.
_CATEGORIES = ("Wasserstein distance", "Losses", "Other distances", "Health", "Quality", "Modes", "Speed")
_OTHERS = _CATEGORIES[2]  # of estimates that name no chart; each has one of its own, because their units differ


def layout() -> dict[str, dict[str, list[str]]]:
    """Return the CUSTOM SCALARS page: category -> title of a chart -> regular expressions of tags.

    It has all curves that the package declares: TensorBoard would lose charts that only some runs have.
    """
    found: dict[str, dict[str, list[str]]] = {category: {} for category in _CATEGORIES}
    for curve in sorted(declared(), key=_rank):
        own = (_OTHERS, curve.tag.partition("/")[2].replace("_", " "))
        chart = curve.chart or (own if curve.role or is_estimate(curve.tag) else None)
        if chart is not None:
            category, title = chart
            found.setdefault(category, {}).setdefault(title, []).append(f"^{_with_twin(curve)}$")
    return found


def _rank(curve: Curve) -> int:
    """Return the place of a curve's chart in its category: first what can be compared between runs."""
    return 0 if curve.tag == normalised_tag(curve.tag) else 1 if is_estimate(curve.tag) else 2


def _with_twin(curve: Curve) -> str:
    """Return the regular expression of a curve's tags, and of its held-out twin's where it is an estimate."""
    if not is_estimate(curve.tag):
        return curve.pattern
    start, _, kind = curve.pattern.rpartition("_")
    return f"{start}_({kind}|{heldout_tag(curve.pattern).rpartition('_')[2]})"
