import io
import itertools
import re
import sys
from types import SimpleNamespace

import pytest

from gan_cli.session import progress
from gan_cli.session.progress import Progress, Silent

TAG = "critic/wasserstein_estimate"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(progress.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def run(clock, stream, seconds, total, start=0):
    """The first step takes 100 seconds, each other `seconds`."""
    bar = Progress(total, start, stream)
    clock.now += 100
    for step in range(start + 1, total + 1):
        bar.show({TAG: step / 1000, "critic/loss": -1.0})
        bar.update(step)
        clock.now += seconds
    bar.close()
    return stream.getvalue().splitlines()


def test_lines_are_the_first_the_last_and_ever_fewer_between(clock):
    lines = run(clock, io.StringIO(), seconds=1.0, total=1000)
    steps = [int(re.match(r"step (\d+)/1000", line)[1]) for line in lines]
    gaps = [b - a for a, b in itertools.pairwise(steps)]
    assert steps[0] == 1
    assert steps[-1] == 1000
    assert gaps[0] == 10
    assert gaps[:-1] == sorted(gaps[:-1])
    assert 5 < len(lines) < 20


def test_speed_leaves_out_the_first_step_of_the_session(clock):
    lines = run(clock, io.StringIO(), seconds=0.5, total=550, start=500)
    assert lines[0] == f"step 501/550, {TAG} 0.501"
    assert lines[1] == f"step 521/550, 2 steps/s, 00:14 left, {TAG} 0.521"
    assert lines[-1] == f"step 550/550, 2 steps/s, 00:00 left, {TAG} 0.55"


def test_a_run_that_stops_early_shows_where(clock):
    stream = io.StringIO()
    bar = Progress(100, 0, stream)
    for step in (1, 2, 3):
        bar.update(step)
        clock.now += 1.0
    bar.close()
    bar.close()
    assert stream.getvalue().splitlines() == ["step 1/100", "step 3/100, 0.667 steps/s, 02:25 left"]


def test_the_last_line_is_printed_once(clock):
    lines = run(clock, io.StringIO(), seconds=0.1, total=3)
    assert [line.split(",")[0] for line in lines] == ["step 1/3", "step 3/3"]


def test_a_session_without_a_step_says_nothing(clock):
    stream = io.StringIO()
    Progress(10, 10, stream).close()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("row", "shown"),
    [({TAG: 0.123456, "critic/loss": 2.0}, f", {TAG} 0.1235"), ({"critic/loss": -2.0}, ", critic/loss -2"), ({}, "")],
)
def test_the_headline_or_else_the_loss_is_shown(clock, row, shown):
    stream = io.StringIO()
    bar = Progress(10, 0, stream)
    bar.show(row)
    bar.update(1)
    assert stream.getvalue() == f"step 1/10{shown}\n"


def test_a_terminal_gets_a_bar_with_step_speed_and_value():
    stream = Terminal()
    bar = Progress(10, 0, stream)
    for step in range(1, 11):
        bar.show({TAG: 0.5})
        bar.update(step)
        if step == 5:
            bar.note("saved checkpoint 5")
    bar.close()
    bar.close()
    last = stream.getvalue().rstrip("\n").rsplit("\r", 1)[1]
    assert re.match(r"100%\|.*\| 10/10 \[.*steps/s, critic/wasserstein_estimate 0\.5\]", last)
    assert "\rsaved checkpoint 5\n" in stream.getvalue().replace(" ", "").replace(
        "savedcheckpoint5", "saved checkpoint 5"
    )


def test_a_bar_stopped_early_stays_at_its_step():
    stream = Terminal()
    bar = Progress(1000, 400, stream)
    for step in range(401, 431):
        bar.update(step)
    bar.close()
    assert " 430/1000 " in stream.getvalue().rsplit("\r", 1)[1]


def test_notes_are_plain_lines_elsewhere():
    stream = io.StringIO()
    Progress(10, 0, stream).note("the critic has collapsed")
    assert stream.getvalue() == "the critic has collapsed\n"


def test_a_reader_that_went_away_does_not_end_the_run():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    progress = Progress(3, 0, Gone())
    progress.note("hello")
    for step in (1, 2, 3):
        progress.update(step)
    progress.close()


def test_a_notebook_gets_a_bar(monkeypatch, capsys):
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    bar = Progress(3, 0)
    for step in (1, 2, 3):
        bar.update(step)
    bar.note("a line")
    bar.close()
    shown = capsys.readouterr().err
    assert "100%|" in shown
    assert "a line\n" in shown


def test_nothing_is_shown_where_nobody_wants_it(capfd):
    bar = Progress(3, 0, Silent())
    bar.update(1)
    bar.note("a line")
    bar.close()
    assert capfd.readouterr() == ("", "")
