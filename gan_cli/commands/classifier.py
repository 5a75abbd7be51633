"""Train a classifier of your own labelled images, an extractor for them."""

from __future__ import annotations

from gan_cli.config.arguments import CommandLine, override_of
from gan_cli.config.command_schemas import ClassifierConfig
from gan_cli.core.text import columns, say, shell_line
from gan_cli.session.classifier import Trained, name_for, train_classifier


def classifier(config: ClassifierConfig, line: CommandLine) -> None:
    """Train, print the accuracy on held-out images, and write weights and description into a directory.

    Raises:
        UserError: no labelled images to learn from, or a directory that cannot be written.
    """
    found = train_classifier(config, name_for(config, line.choices), say)
    say("\n".join(_lines(found)))


def _lines(found: Trained) -> list[str]:
    count = sum(n for _, n in found.of_classes.values())
    most = max(n for _, n in found.of_classes.values()) / count
    rows = columns([(f"  {name}", f"{share:.3f}", f"of {n:,}") for name, (share, n) in found.of_classes.items()])
    return [
        f"right on {found.accuracy:.3f} of {count:,} held-out images (always the most common class: {most:.3f})",
        *rows,
        "",
        str(found.path),
        shell_line("gan", "evaluate", "RUN", "extractor=classifier", override_of("extractor.path", str(found.path))),
    ]
