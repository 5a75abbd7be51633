"""The columns of TensorBoard's HPARAMS page, which first shows five settings and five metrics.

TensorBoard sorts both by the alphabet, so it would show `critic/clip_saturation` and not the estimate. Its plots leave
out every run that lacks one of the metrics shown: those that all runs have come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

from gan_cli.config.names import GROUPS
from gan_cli.core.curves import find, is_estimate, normalised_tag

_SETTINGS = ("seed", "updates.n_critic", "optimizer.lr", "model.width", "train.steps")


class Columns(HParamsPlugin):
    """TensorBoard's plugin, with the most useful columns first."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._context = _Ordered(context)


class _Ordered(Context):
    def experiment_from_metadata(
        self, ctx: Any, experiment_id: str, include_metrics: bool, runs: Mapping[str, Any], *others: Any, **more: Any
    ) -> api_pb2.Experiment:
        """Return the experiment with its columns in our order."""
        found = super().experiment_from_metadata(ctx, experiment_id, include_metrics, runs, *others, **more)
        scalars = self.scalars_metadata(ctx, experiment_id) if include_metrics else {}
        counts = Counter(tag for run in runs for tag in scalars.get(run, ()))
        settings = sorted(found.hparam_infos, key=lambda info: (not info.differs, _setting_rank(info.name), info.name))
        metrics = sorted(
            found.metric_infos,
            key=lambda info: (counts[info.name.tag] < len(runs), _metric_rank(info.name.tag), info.name.tag),
        )
        del found.hparam_infos[:], found.metric_infos[:]
        found.hparam_infos.extend(settings)
        found.metric_infos.extend(metrics)
        return found


def _setting_rank(name: str) -> int:
    if name in GROUPS:
        return GROUPS.index(name)
    if name in _SETTINGS:
        return len(GROUPS) + _SETTINGS.index(name)
    derived = name.endswith(".class") or name.startswith(("runtime.", "log.", "checkpoint.", "evaluate."))
    return 1000 if derived else 100


def _metric_rank(tag: str) -> int:
    curve = find(tag)
    first = (
        tag == normalised_tag(tag),
        is_estimate(tag) or (curve is not None and curve.role is not None),
        tag.startswith(("quality/fid", "quality/frechet_distance", "quality/modes")),
        tag.startswith("quality/"),
        tag.startswith("distance/"),
        tag == "critic/loss",
        tag == "generator/loss",
    )
    return first.index(True) if any(first) else len(first)
