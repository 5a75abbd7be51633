"""`gan evaluate` of a run whose generator writes tags."""

from __future__ import annotations

from gan_cli.analysis import tagging
from gan_cli.analysis.evaluated import EVALUATIONS
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import AUTO_COUNT
from gan_cli.commands._results import JSON, as_json, write
from gan_cli.config.arguments import CommandLine, key_of
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.core.places import place
from gan_cli.core.text import columns, say
from gan_cli.errors import UserError

_UNUSED = {
    "split": "the words of task=tag are always compared on held-out images",
    "w1_count": "words of task=tag have no exact Wasserstein distance",
    "extractor": "task=tag uses the extractor that the run was trained with",
    "splits": "words of task=tag have no classes of an extractor",
    "within_classes": "words of task=tag have no classes",
    "classification_epochs": "a classifier learns from images, not from words of task=tag",
    "path_length": "words of task=tag are made for an image, not from z alone",
    "statistics": "task=tag uses the batch-norm statistics of the run",
}


def evaluate_tags(run: Look, config: EvaluateConfig, line: CommandLine) -> None:
    """Print precision and recall of the generator's words beside those of other methods, and write them as JSON.

    Raises:
        UserError: an option that has no meaning here, or a file that cannot be written.
    """
    for word in line.overrides:
        if (key := key_of(word).partition("@")[0]) in _UNUSED:
            raise UserError(f"{word}: {_UNUSED[key]}; leave it out")
    task, data = run.state.game.task, run.data
    count = min(data.heldout.size, AUTO_COUNT if config.count == "auto" else config.count)
    found = tagging.comparison(data, run.state.game, run.network, count, config.seed)
    protocol = run.protocol(config) | {
        "real": f"{count} held-out images, {data.train.size} to learn from, data {data.fingerprint}",
        "words": f"{len(task.vocabulary)}, with vectors of {data.shape[0]} numbers",
        "vote": f"{task.draws} vectors for an image, each names its {task.nearest} nearest words",
    }
    say("\n".join([*(f"{key}: {value}" for key, value in protocol.items()), "", table(found)]))
    scores = {name: judged.named() for name, judged in found.items()}
    name = f"step_{protocol['step']:010d}_{protocol['weights']}_tags_count_{count}_seed_{config.seed}.json"
    out = place(config.out, run.path, EVALUATIONS, name, suffixes=JSON)
    write(out.parent, {out.name: as_json({"protocol": protocol, "scores": scores})})
    say(f"\n{out}")


def table(found: dict[str, tagging.Judged]) -> str:
    """Return precision and recall of each method as a table of text."""
    heads = [name.replace("_", " ") for name in next(iter(found.values())).named()]
    rows = [("words of", *heads)]
    rows += [(name, *(f"{value:.3f}" for value in judged.named().values())) for name, judged in found.items()]
    return "\n".join(columns(rows))
