"""The signals that end a run after its step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, NamedTuple


class Stops(NamedTuple):
    """Signals that end a run after its step.

    Attributes:
        numbers: the signals; the handlers of all others stay as they are.
        again: what a second signal does.
    """

    numbers: tuple[int, ...]
    again: Callable[..., Any] | signal.Handlers


OF_A_COMMAND = Stops((signal.SIGINT, signal.SIGTERM, signal.SIGUSR1), signal.SIG_DFL)


def of_a_call() -> Stops:
    """Return those of a call from Python: Ctrl-C, where it would be a KeyboardInterrupt; the rest is the caller's."""
    waits = threading.current_thread() is threading.main_thread()
    usual = waits and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return Stops((signal.SIGINT,) if usual else (), signal.default_int_handler)
