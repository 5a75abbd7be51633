"""Reads the scores that `gan evaluate` has kept of runs, and finds those that were measured alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gan_cli.analysis.score import Score
from gan_cli.core import untrusted

EVALUATIONS = "evaluations"  # a run's folder of results
_BYTES = 2**20  # of one file
_OF_A_RUN = ("run", "step", "weights")  # what a protocol says of the run, and not of how it was measured


class Evaluated(NamedTuple):
    """Scores of several runs that were measured by one protocol, each run at the step that is compared.

    Attributes:
        protocol: how they were measured: the samples, the real ones, the extractor.
        scores: run -> the tag of each score's curve -> its value.
    """

    protocol: Mapping[str, Any]
    scores: Mapping[Path, Mapping[str, float]]

    @property
    def text(self) -> str:
        """The protocol in one line."""
        shown = [f"{name}: {self.protocol[name]}" for name in ("fake", "real") if name in self.protocol]
        if "extractor" in self.protocol:
            shown.append(f"extractor {str(self.protocol['extractor']).partition(',')[0]}")
        return "; ".join(shown)


def measured_alike(steps: Mapping[Path, int]) -> Evaluated:
    """Return the scores by the protocol that most runs were measured with at their step, the first of several by name.

    Args:
        steps: run -> the step at which it is compared.
    """
    found: dict[str, tuple[dict[str, Any], dict[Path, dict[str, float]]]] = {}
    for run, step in steps.items():
        for protocol, scores in _of_run(run, step):
            _, alike = found.setdefault(json.dumps(protocol, sort_keys=True), (protocol, {}))
            alike.setdefault(run, scores)
    return Evaluated(*max(found.values(), key=lambda one: len(one[1]), default=({}, {})))


def _of_run(run: Path, step: int) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Yield the protocol and the scores of each evaluation of a run at a step; what cannot be read is skipped."""
    for path in sorted((run / EVALUATIONS).glob(f"step_{step:010d}_*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            content = untrusted.parse_json(untrusted.read(path, _BYTES))
            protocol = {name: value for name, value in content["protocol"].items() if name not in _OF_A_RUN}
            scores = [Score(**entry) for entry in content["scores"].values()]
            yield protocol, {score.tag: float(score.value) for score in scores}
