"""Flags and the bare argument."""

from __future__ import annotations

import pytest

from gan_cli.config.arguments import parse, split_positional
from gan_cli.errors import UserError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=1 -m b=2", "a=1 b=2 --multirun"),
        ("-c job a=1", "a=1 --cfg job"),
        ("--info a=1", "a=1 --info all"),
        ("a=1 -i plugins", "a=1 --info plugins"),
        ("--multi --config-d=x", "--multirun --config-dir x"),
        ("-cd x -cn y ~a", "~a --config-dir x --config-name y"),
        ("a=1 -- -m", "a=1 -m"),
    ],
)
def test_flags_stand_anywhere(line, expected):
    assert parse(line.split()).argv() == expected.split()


@pytest.mark.parametrize("line", ["--fast", "--cfg", "--cfg x", "-m --cfg job", "--resolve", "--multirun=3"])
def test_wrong_flags_are_refused(line):
    with pytest.raises(UserError):
        parse(line.split())


@pytest.mark.parametrize(
    ("words", "run"),
    [
        (["count=3", "runs/x"], "runs/x"),
        (["runs/lr=0.1", "count=3"], "runs/lr=0.1"),
        (["hydra/launcher=x", "a b", "count=3"], "a b"),
        (["run", "count=3"], "run"),
        (["run=x"], None),
        (["+count=3", "~seed", "cuont=3"], None),
        (["lr=1", "count=2"], "lr=1"),  # a path that exists
    ],
)
def test_bare_argument(words, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=1").mkdir()
    assert split_positional(words) == (run, [w for w in words if w != run])
