"""The model card of an exported generator, as Hugging Face's hub shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from gan_cli.analysis.run_scores import RunScores
from gan_cli.runs.exported import About
from gan_cli.training.norm_statistics import IN_WORDS

_USE = """\
```python
import gan_cli
from huggingface_hub import snapshot_download

run = gan_cli.load(snapshot_download("OWNER/NAME", local_dir="NAME"){allowed})  # or the path of this directory
x = run.sample(64, seed=0)  # {made}{held_out}
x  # a notebook shows the samples
```
"""


def model_card(
    name: str,
    about: About,
    choices: Mapping[str, str],
    reads_image: bool,
    foreign: Sequence[str],
    found: RunScores | None,
    lacking: Iterable[str],
    picture: str | None,
) -> str:
    """Return a model card, Markdown under a header in YAML.

    Args:
        name: of the run.
        about: what is exported.
        choices: each group's chosen option.
        reads_image: its generator reads pictures.
        foreign: modules of the user's own that the generator is built with.
        found: its scores; None: there are none.
        lacking: what is not there, and why, a line each.
        picture: name of the file that shows samples, or None.
    """
    images = len(about.sample_shape) == 3
    shape = ", ".join(map(str, about.sample_shape))
    parts = [choices[group] for group in ("loss", "model", "dataset") if group in choices]
    header: dict[str, Any] = {"library_name": "gan_cli", "tags": list(dict.fromkeys(["gan", *parts]))}
    if images:
        header["pipeline_tag"] = "image-to-image" if reads_image else "unconditional-image-generation"
    made = f"float32 (64, {shape})" + (", images in [-1, 1]" if images else "")
    held_out = ", made of held-out pictures of its data" if reads_image else ""
    allowed = f", allow_targets={list(foreign)}" if foreign else ""
    average = "the moving average of its weights" if about.weights == "ema" else "its last weights"
    if about.statistics == "whole":
        average += f", with statistics of batch norm {IN_WORDS},"
    lines = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {name}",
        f"A generator trained with gan_cli: {average} after {about.step} steps. Its samples are "
        f"{'images' if images else 'points'} ({shape}). Parts: {', '.join(f'{k}={v}' for k, v in choices.items())}.",
        *([f"![samples]({picture})"] if picture else []),
        "## Use",
        _USE.format(made=made, held_out=held_out, allowed=allowed),
        *(["It has code of its own, which must be importable: " + ", ".join(foreign)] if foreign else []),
        *(["Its classes: " + ", ".join(about.class_names)] if about.class_names else []),
        "## Scores",
        *([_scores(found)] if found else []),
        *lacking,
        "## Settings",
        f"```yaml\n{yaml.safe_dump(about.trained_with, sort_keys=False)}```",
    ]
    return "\n\n".join(lines) + "\n"


def _scores(found: RunScores) -> str:
    """Return the scores as a table, and the protocol that they depend on."""
    heads, *rows = found.table()
    cells = [heads, ("---",) * len(heads), *((f"`{name}`", *rest) for name, *rest in rows)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    protocol = (f"- {key}: {value}" for key, value in found.protocol.items())
    return "\n".join([table, "", "The floor is the score of other real samples. How it was measured:", "", *protocol])
