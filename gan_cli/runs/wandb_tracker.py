"""Weights & Biases. Its own settings apply: WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, `wandb login`."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import wandb

from gan_cli.runs.directory import sweep_of
from gan_cli.runs.trackers import Settings

_INIT_SECONDS, _FINISH_SECONDS = 30, 120


class Tracker:
    """A run of W&B's, its files in `wandb/` beside the run; with WANDB_MODE=offline `wandb sync` uploads them later."""

    def begin(self, run: Path, identity: str | None, settings: Settings) -> str:
        """Open the run `identity`, or a new one.

        Raises:
            wandb.Error: no key, or no network.
        """
        identity = identity or secrets.token_hex(4)
        quiet = {"silent": True, "console": "off", "x_disable_stats": True, "x_save_requirements": False}
        here = {"disable_git": True, "disable_code": True}
        waits = {"init_timeout": _INIT_SECONDS, "finish_timeout": _FINISH_SECONDS, "finish_timeout_raises": True}
        with _no_questions():
            self._run = wandb.init(
                id=identity,
                resume="allow",
                name=run.absolute().name,
                group=sweep_of(run),
                project=os.environ.get("WANDB_PROJECT", "gan_cli"),
                dir=os.environ.get("WANDB_DIR", run.parent),  # beside the run, which holds no links as W&B leaves
                config=dict(settings),
                allow_val_change=True,
                settings=wandb.Settings(**quiet, **here, **waits),
            )
        return identity

    def scalars(self, step: int, row: Mapping[str, float]) -> None:
        """Keep one value a tag."""
        self._run.log(dict(row), step=step)

    def image(self, tag: str, step: int, image: np.ndarray) -> None:
        """Keep a picture."""
        self._run.log({tag: wandb.Image(image)}, step=step)

    def end(self, success: bool) -> None:
        """Close the run once all of it is sent.

        Raises:
            TimeoutError: that takes too long; `wandb sync` sends the rest.
        """
        self._run.finish(exit_code=0 if success else 1)


@contextmanager
def _no_questions() -> Iterator[None]:
    """Have W&B fail where it has no key, rather than ask for one in the midst of a job."""
    before = sys.stdin
    with open(os.devnull) as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
