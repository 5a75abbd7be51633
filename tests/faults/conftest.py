from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import Score, table
from tests.faults.harness import Bench, Tally

_TALLY = pytest.StashKey[Tally]()
_SCORES = pytest.StashKey[dict[str, Score]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Tally()
    config.stash[_SCORES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash[_TALLY]
    if tally.rows:
        terminalreporter.section("faults")
        for line in tally.lines():
            terminalreporter.line(line)
    if scores := config.stash[_SCORES]:
        terminalreporter.section("campaign")
        for line in table(scores):
            terminalreporter.line(line)


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """The table that is printed at the end."""
    return request.config.stash[_TALLY]


@pytest.fixture
def campaign_scores(request: pytest.FixtureRequest) -> dict[str, Score]:
    """The scores that are printed at the end."""
    return request.config.stash[_SCORES]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Starts runs in this test's folder."""
    return Bench(tmp_path)


@pytest.fixture
def mountable(bench: Bench) -> Path:
    """A folder over which a child may mount a file system that it alone sees."""
    folder = bench.folder / "disk"
    folder.mkdir()
    if bench.do("mounts", folder).code:
        pytest.skip("mounting a file system in a namespace of its own is not permitted here")
    return folder


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The undisturbed run."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    ended = bench.train("whole")
    assert ended.code == 0, ended.output
    return bench.folder / "whole"
