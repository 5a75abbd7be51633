"""Small runs to look into, and what `gan explore` leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from gan_cli.commands.explore import explore as command
from gan_cli.errors import UserError
from tests.command_arguments import arguments_for


class Seen(NamedTuple):
    """Files by the last part of their names, the JSON's content, what was printed."""

    files: list[Path]
    json: dict[str, Any]
    out: str

    def picture(self, ending: str = ".png") -> np.ndarray:
        (path,) = (path for path in self.files if path.name.endswith(ending))
        return np.asarray(Image.open(path))


@pytest.fixture
def explore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Seen]:
    """Look into a run, as `gan explore RUN WORDS` does; what it writes must be there."""
    monkeypatch.chdir(tmp_path)

    def look(run: str, *words: str) -> Seen:
        config, line = arguments_for("explore", run, *words)
        capsys.readouterr()
        command(config, line)
        out = capsys.readouterr().out
        files = [Path(line) for line in out[out.rindex("\n\n") :].split()]
        assert all(path.is_file() for path in files)
        return Seen(files, json.loads(files[-1].read_text()), out)

    return look


@pytest.fixture
def declined(explore: Callable[..., Seen], tmp_path: Path) -> Callable[..., str]:
    """Look into a run in vain, with nothing written; return why."""

    def look(run: str, *words: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as caught:
            explore(run, *words)
        assert sorted(tmp_path.rglob("*")) == before
        return str(caught.value)

    return look
