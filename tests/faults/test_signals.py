"""Signals: the first saves and stops, the second ends at once."""

from __future__ import annotations

import functools
import re
import signal
from pathlib import Path

import pytest

from gan_cli.runs import directory
from tests.faults import faults
from tests.faults.harness import STEPS, differences, good_step, recovered

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138}


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
