"""Trains a classifier of labelled images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.api.kept import settings_kept
from gan_cli.api.request import requested, words_of
from gan_cli.core.text import say

if TYPE_CHECKING:
    from gan_cli.session.classifier import Trained


@settings_kept
def classifier(
    overrides: Sequence[str] = (),
    *,
    dataset: Any = None,
    config_dir: str | Path | None = None,
    progress: bool = True,
) -> Trained:
    """Train a classifier, as `gan classifier OVERRIDES`, and write it as an extractor for its data.

    Args:
        overrides: such as ["dataset=folder", "dataset.path=pets", "epochs=10"].
        dataset: what `gan_cli.train` takes, with labels; None: the dataset that the overrides name.
        config_dir: a further directory of configs, as `--config-dir` names it.
        progress: show on stderr how far it is.

    Returns:
        its directory (`path`, which `run.evaluate(extractor=path)` takes) and how often it is right on held-out images.

    Raises:
        UserError: no labelled images to learn from, or a directory that cannot be written.
    """
    from gan_cli.session.classifier import name_for, train_classifier
    from gan_cli.session.given import from_python, names_of, overrides_for

    words, given = words_of(overrides), from_python(dataset=dataset)
    request = requested("classifier", [*words, *overrides_for(given, words)], config_dir)
    name = name_for(request.config, request.line.choices | names_of(given))

    def show(text: str) -> None:
        if progress:
            say(text, sys.stderr)

    return train_classifier(request.config, name, show, given)
