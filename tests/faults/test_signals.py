"""Signals: the first saves and stops, the second ends at once."""

from __future__ import annotations

import functools
import os
import re
import signal
from pathlib import Path

import pytest

from gan_cli.core.signals import OF_A_COMMAND, handled
from gan_cli.runs import directory
from gan_cli.training.callbacks import StopOnSignal
from tests.faults import faults
from tests.faults.harness import STEPS, differences, good_step, recovered

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138, signal.SIGHUP: 129}


def handles(child, number):
    """Whether a signal has a handler there, not its default."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> number - 1 & 1)


@pytest.mark.parametrize("number", CODES)
def test_the_first_saves_and_stops(bench, whole, tally, number):
    with tally(f"{number.name}") as trial:
        running = bench.start("run", fault=functools.partial(faults.slow_steps, 0.2))
        running.wait_for(lambda child: child.step >= 3)
        running.signal(number)
        ended = running.end()
        assert ended.code == CODES[number], ended
        status = directory.read_status(bench.folder / "run")
        assert status["status"] == "interrupted"
        assert status["reason"].startswith(f"{number.name}: stopped after step {ended.step}; `gan resume ")
        assert good_step(bench.folder / "run") == ended.step
        recovered(bench, "run", whole, ended, trial)


@pytest.fixture
def hangup():
    """Sets how SIGHUP is taken as a command starts."""
    before = signal.getsignal(signal.SIGHUP)
    yield lambda handler: signal.signal(signal.SIGHUP, handler)
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("watch", ["run", "sweep"])
def test_under_nohup_a_closed_terminal_changes_nothing(hangup, watch):
    hangup(signal.SIG_IGN)
    received = []
    if watch == "run":
        with StopOnSignal(lambda state: None, "run") as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.received is None
            stop._receive(signal.SIGTERM, None)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    else:
        before = handled(OF_A_COMMAND, lambda number, frame: received.append(number))
        os.kill(os.getpid(), signal.SIGHUP)
        for number, handler in before.items():
            signal.signal(number, handler)
    assert received == []
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_terminal_that_is_closed_sends_two_and_the_run_still_saves(hangup):
    hangup(signal.SIG_DFL)
    with StopOnSignal(lambda state: None, "run") as stop:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.received == signal.SIGHUP
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_a_step_that_hangs_ends_at_the_second(bench, whole, tally):
    with tally("SIGTERM twice in a step that hangs") as trial:
        running = bench.start("run", fault=functools.partial(faults.hang_at, 4, bench.folder / "cell"))
        running.wait_for(lambda child: child.events == 1)
        assert handles(running, signal.SIGTERM)
        running.signal(signal.SIGTERM)
        running.wait_for(lambda child: not handles(child, signal.SIGTERM))  # it has taken the first, and lives
        running.signal(signal.SIGTERM)
        ended = running.end()
        assert ended.code == -signal.SIGTERM, ended
        recovered(bench, "run", whole, ended, trial)


def test_a_signal_in_the_last_step_finishes_the_run(bench, whole, tally):
    with tally("SIGTERM in the last step"):
        ended = bench.train("run", fault=functools.partial(faults.signal_in, STEPS, signal.SIGTERM))
        assert ended.code == 143, ended
        assert "had finished" in ended.output
        assert differences(bench.folder / "run", whole) == []
