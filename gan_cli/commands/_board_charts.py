"""The charts of TensorBoard's CUSTOM SCALARS page: those that a run has a curve for.

Every run writes the whole layout, so that runs of different losses share one page; for most runs half of its charts
would be empty.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
from tensorboard.plugins.scalar.metadata import PLUGIN_NAME


class Charts(CustomScalarsPlugin):
    """TensorBoard's plugin, without charts that stay empty."""

    def layout_impl(self, ctx: Any, experiment: str) -> Any:
        """Return the layout as JSON, without charts of tags that no run has; all of them before the first row."""
        layout = super().layout_impl(ctx, experiment)
        runs = self._data_provider.list_scalars(ctx, experiment_id=experiment, plugin_name=PLUGIN_NAME)
        tags = {tag for run in runs.values() for tag in run}
        if not layout or not tags:
            return layout
        found = json.loads(layout)
        for category in found["category"]:
            category["chart"] = [chart for chart in category["chart"] if _has_one(chart, tags)]
        found["category"] = [category for category in found["category"] if category["chart"]]
        return json.dumps(found)


def _has_one(chart: dict[str, Any], tags: set[str]) -> bool:
    """Return whether a chart shows one of the tags; charts of another kind than ours stay."""
    patterns = chart.get("multiline", {}).get("tag")
    return patterns is None or any(re.match(pattern, tag) for pattern in patterns for tag in tags)
