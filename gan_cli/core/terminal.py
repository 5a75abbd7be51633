"""Errors as one line on standard error."""

from __future__ import annotations

import sys

from gan_cli.core.processes import rank
from gan_cli.core.text import one_line
from gan_cli.errors import GanError, UserError


def print_error(error: GanError, where: str = "") -> None:
    """Print an error; one that every process of a run meets, by the first of them alone."""
    if rank():
        if isinstance(error, UserError) or error.reported:
            return
        where = f"process {rank()}: {where}"
    print(f"gan: {where}{one_line(error)}", file=sys.stderr, flush=True)
