"""The charts of TensorBoard's CUSTOM SCALARS page: those that a run has a curve for, each scale in its own.

Every run writes the whole layout, so that runs of different losses share one page; for most runs half of its charts
would be empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
from tensorboard.plugins.scalar.metadata import PLUGIN_NAME

from gan_cli.commands._board_scales import bare, label_of


class Charts(CustomScalarsPlugin):
    """TensorBoard's plugin, without charts that stay empty."""

    def layout_impl(self, ctx: Any, experiment: str) -> Any:
        """Return the layout as JSON, without charts of tags that no run has; {} before the first row."""
        layout = super().layout_impl(ctx, experiment)
        runs = self._data_provider.list_scalars(ctx, experiment_id=experiment, plugin_name=PLUGIN_NAME)
        tags = {tag for run in runs.values() for tag in run}
        if not layout or not tags:
            return {}
        found = json.loads(layout)
        for category in found["category"]:
            category["chart"] = [one for chart in category["chart"] for one in _with_curves(chart, tags)]
        found["category"] = [category for category in found["category"] if category["chart"]]
        return json.dumps(found)


def _with_curves(chart: dict[str, Any], tags: Iterable[str]) -> list[dict[str, Any]]:
    """Return a chart once for each scale of its curves that is there; charts of another kind than ours stay."""
    patterns = chart.get("multiline", {}).get("tag")
    if patterns is None:
        return [chart]
    scales: dict[str, list[str]] = {}
    for tag in sorted(tags):
        if any(re.match(pattern, bare(tag)) for pattern in patterns):
            scales.setdefault(label_of(tag), []).append(f"^{re.escape(tag)}$")
    return [
        {**chart, "title": f"{chart['title']}: {label}", "multiline": {"tag": of}} if label else chart
        for label, of in scales.items()
    ]
