"""Runs a kind of exploration on a run."""

from __future__ import annotations

from typing import Any, NamedTuple

from gan_cli.analysis.explore.base import Found, Kind
from gan_cli.analysis.look import Look
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.core.text import shell_line
from gan_cli.errors import UserError
from gan_cli.session import single_parts
from gan_cli.session.given import Given
from gan_cli.session.look import look


class Explored(NamedTuple):
    """The result of an exploration.

    Attributes:
        protocol: everything that the result depends on.
        found: pictures, numbers, lines and animations.
        kind: what was run.
        run: the run.
    """

    protocol: dict[str, Any]
    found: Found
    kind: Kind
    run: Look


def explore(config: ExploreConfig, name: str, given: Given | None = None) -> Explored:
    """Explore a run's generator.

    Args:
        config: names the run and the kind.
        name: the option of the kind, for messages and the protocol.
        given: what Python gives in the place of parts; None: nothing.

    Raises:
        UserError: there is no run, no intact checkpoint, or nothing that this kind can show.
    """
    kind = single_parts.kind(config)
    run = look(config, kind.data, given=given)
    if len(run.shape) != 3:
        raise UserError(
            f"kind={name}: it shows images, but this run generates points; use {shell_line('gan', 'sample', run.path)}"
        )
    found = kind(run, config)
    protocol = run.protocol(config) | {"kind": name, "arguments": config.kind.arguments}
    if run.data is not None:
        protocol["data"] = run.data.fingerprint
    if run.lacking:
        protocol["left out"] = f"the parts that need the data or an extractor: {run.lacking}"
    return Explored(protocol, found, kind, run)
