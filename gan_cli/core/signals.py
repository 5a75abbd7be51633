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


OF_A_COMMAND = Stops((signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP), signal.SIG_DFL)


def handled(stops: Stops, handler: Callable[..., Any]) -> dict[int, Any]:
    """Install a handler of the signals that end a run, and return the former handlers.

    `nohup` starts a command with SIGHUP ignored, so that it goes on when its terminal is closed: that stays so.
    """
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    numbers = [number for number in stops.numbers if not (number == signal.SIGHUP and ignored)]
    return {number: signal.signal(number, handler) for number in numbers}


def after_the_first(number: int, stops: Stops) -> Any:
    """Return what a second signal does: a terminal that is closed sends SIGHUP twice, and the run is still saving."""
    return signal.SIG_IGN if number == signal.SIGHUP else stops.again


def of_a_call() -> Stops:
    """Return those of a call from Python: Ctrl-C, where it would be a KeyboardInterrupt; the rest is the caller's."""
    waits = threading.current_thread() is threading.main_thread()
    usual = waits and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return Stops((signal.SIGINT,) if usual else (), signal.default_int_handler)
