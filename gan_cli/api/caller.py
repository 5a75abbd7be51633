"""What a call from Python adds to a session."""

from __future__ import annotations

from collections.abc import Sequence

from gan_cli.core.processes import processes
from gan_cli.core.signals import of_a_call
from gan_cli.errors import UserError
from gan_cli.session.job import Caller
from gan_cli.session.own_callbacks import Callback


def caller_of(command: Sequence[str], callbacks: Sequence[Callback], progress: bool) -> Caller:
    """Return the caller of a run.

    Args:
        command: the call, for run.json.
        callbacks: functions f(state, logs), called after each step.
        progress: show on stderr how far the run is.

    Raises:
        UserError: callbacks that cannot be called, or of one of several processes.
    """
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise UserError("callbacks: must be a list of functions f(state, logs)")
    if callbacks and processes().size > 1:
        raise UserError("callbacks: are called in one process, and several train this run: leave them out")
    return Caller(command, callbacks, of_a_call(), progress)
