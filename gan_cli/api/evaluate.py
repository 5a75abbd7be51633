"""Scores pictures of any origin against others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.api.kept import settings_kept
from gan_cli.api.request import override, requested, words_for

if TYPE_CHECKING:
    from gan_cli.analysis.run_scores import RunScores


@settings_kept
def evaluate(
    fakes: str | Path | Any, real: str | Path | Any, *, extractor: str | Path = "auto", **keys: Any
) -> RunScores:
    """Score pictures, as `gan evaluate fakes=... real=...`; nothing is written.

    Args:
        fakes: a directory of pictures or a file of arrays; or what `dataset` of `gan_cli.train` takes, such as images
            (N, C, H, W), uint8 or floating-point in [-1, 1], or a pair of these and labels.
        real: likewise; twice as many as are compared, since the other half has the floors.
        extractor: an option of `gan list extractor`, or the directory of a classifier.
        **keys: count, image_size, splits, within_classes and so on, as `gan evaluate --help` has them.

    Raises:
        UserError: no such pictures, too few of them, or no extractor for them.
    """
    from gan_cli.session.picture_scores import picture_scores

    given = [None if isinstance(pictures, (str, os.PathLike)) else pictures for pictures in (fakes, real)]
    names = {"fakes": fakes, "real": real}
    words = [override(k, v if isinstance(v, (str, os.PathLike)) else "given in Python") for k, v in names.items()]
    words += [word for key, value in {"extractor": extractor, **keys}.items() for word in words_for(key, value)]
    return picture_scores(requested("evaluate", words).config, *given)
