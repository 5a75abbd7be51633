"""Adversarial (GAN) experiments: `gan` on the command line, and the same from Python.

    import gan_cli

    run = gan_cli.train(["loss=wgan_gp", "train.steps=500"])
    x = run.sample(64, seed=0)

`train`, `sweep` and `compose` take overrides as the command line does; `load` and `list_runs` find runs that exist;
`evaluate` scores pictures of any origin, `classifier` trains an extractor for them; `study` reruns a claim of a paper.
Mistakes are raised as `gan_cli.errors.UserError`, everything else that ends a run as another `gan_cli.errors.GanError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_cli.api.begin import compose, sweep, train
    from gan_cli.api.classifier import classifier
    from gan_cli.api.evaluate import evaluate
    from gan_cli.api.find import list_runs, load
    from gan_cli.api.run import Run
    from gan_cli.studies.running import study

__all__ = ["Run", "classifier", "compose", "evaluate", "list_runs", "load", "study", "sweep", "train"]
_HOMES = {
    "Run": "api.run",
    "classifier": "api.classifier",
    "compose": "api.begin",
    "evaluate": "api.evaluate",
    "list_runs": "api.find",
    "load": "api.find",
    "study": "studies.running",
    "sweep": "api.begin",
    "train": "api.begin",
}


def __getattr__(name: str) -> Any:  # so that the command line pays for nothing of it
    if name not in __all__:
        raise AttributeError(f"module 'gan_cli' has no attribute {name!r}")
    return getattr(importlib.import_module(f"gan_cli.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
