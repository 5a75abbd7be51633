"""What a stranger wrote is shown as text, and what is made of it goes where the user said."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from gan_cli.cli import main
from gan_cli.core.places import place
from gan_cli.core.text import columns, visible
from gan_cli.errors import UserError
from tests.hostile.conftest import everything

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u2066"
CONTROLS = [chr(i) for i in (*range(9), *range(11, 32), *range(127, 160))] + ["\u202e", "\u2066"]
COMMANDS = [
    *(("runs",), ("compare",), ("doctor",), ("report", "--updates", "1", "--count", "20")),
    *(("sample", "count=4"), ("evaluate", "count=20", "w1_count=20"), ("export",), ("resume", "train.steps=4")),
]


@pytest.fixture
def escaping(here, trained):
    """A run full of escapes: in its name, its status, its config and its tags."""
    folder = here / "runs"
    run = folder / f"run{ESCAPES}"
    shutil.copytree(trained, run)
    shutil.copytree(trained, folder / "plain")
    status = json.loads((run / "run.json").read_text())
    warning = {"number": 1, "step": 1, "what": f"what{ESCAPES}", "reason": f"why{ESCAPES}\nand\tso on"}
    status |= {"reason": f"reason{ESCAPES}", "warnings": [warning], "failures": [warning]}
    status["choices"]["loss"] = f"wgan{ESCAPES}"
    status["sessions"][0] |= {"host": f"host{ESCAPES}", "command": ["gan", "train", f"seed{ESCAPES}=0"]}
    (run / "run.json").write_text(json.dumps(status))
    rows = (run / "metrics.jsonl").read_text()
    for tag in ("critic/loss", "critic/wasserstein_estimate", "critic/wasserstein_normalised"):
        rows = rows.replace(json.dumps(tag), json.dumps(f"critic/$x^{ESCAPES}_{tag[-8:]}"))
    (run / "metrics.jsonl").write_text(rows)
    (run / "checkpoints" / "step_0000000003" / "meta.json").write_bytes(b"damaged")
    return folder, run


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_passes_escapes_on(escaping, capfd, command):
    folder, run = escaping
    before = everything(folder)
    name, *words = command
    code = main([name, str(folder if name in ("runs", "compare") else run), *words])
    message = capfd.readouterr()
    assert "Traceback" not in message.err
    assert code in (0, 1, 2, 3), message
    shown = message.out + message.err
    assert [control for control in CONTROLS if control in shown] == []
    made = {path: content for path, content in everything(folder).items() if before.get(path) != content}
    for path, content in made.items():
        if path.endswith((".html", ".csv")):
            assert [control for control in CONTROLS if control in content.decode()] == [], path


@pytest.mark.parametrize(("command", "name"), [("compare", "compare"), ("report", "report"), ("export", "exports")])
def test_a_link_where_the_files_go_is_not_followed(here, trained, canary, capfd, command, name):
    run = here / "runs" / "a"
    shutil.copytree(trained, run)
    read = run.parent if command == "compare" else run
    link = read / name
    link.symlink_to(canary.parent)
    assert main([command, str(read)]) == 2
    assert f"{link} is a link" in capfd.readouterr().err
    assert os.listdir(canary.parent) == ["canary"]
    if command == "compare":  # which the user may name all the same
        assert main([command, str(read), "--out", str(link)]) == 0
        assert len(os.listdir(canary.parent)) > 3


def test_a_link_among_the_files_that_are_made_is_replaced(here, trained, canary):
    run = here / "runs" / "a"
    shutil.copytree(trained, run)
    (run.parent / "compare").mkdir()
    for name in ("index.html", "runs.csv", f".index.html.{os.getpid()}.tmp"):
        (run.parent / "compare" / name).symlink_to(canary)
    assert main(["compare", str(run.parent)]) == 0
    assert canary.read_text() == "alive"


def test_a_place(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert place(None, tmp_path, "a", "b.json") == tmp_path / "a" / "b.json"
    assert place(str(tmp_path / "link" / "x"), tmp_path, "a") == tmp_path / "link" / "x"
    assert place(None, tmp_path / "link", "a") == tmp_path / "link" / "a"
    for parts in (("link",), ("link", "a")):
        with pytest.raises(UserError, match="is a link"):
            place(None, tmp_path, *parts)


def test_visible_text():
    assert visible("plain \u00e9 \u4e2d\nline") == "plain \u00e9 \u4e2d\nline"
    assert visible("\x1b[0m\x07\x9b\u202e\ud800\t") == r"\x1b[0m\x07\x9b\u202e\ud800\t"
    assert columns([["a\n\x1bb", "c"], ["d", "e"]]) == ["a b  c", "d    e"]
