"""Small runs to look into, and what `gan explore` leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.cli import conftest as cli

gan, refused, run_of, _runs = cli.gan, cli.refused, cli.run_of, cli._runs


class Seen(NamedTuple):
    """Files by the last part of their names, the JSON's content, what was printed."""

    files: list[Path]
    json: dict[str, Any]
    out: str

    def picture(self, ending: str = ".png") -> np.ndarray:
        (path,) = (path for path in self.files if path.name.endswith(ending))
        return np.asarray(Image.open(path))


@pytest.fixture
def explore(gan: Callable[..., Any]) -> Callable[..., Seen]:
    """Look into a run, which must succeed."""

    def run(*argv: str) -> Seen:
        ended = gan("explore", *argv)
        assert ended.code == 0, ended.err
        files = [Path(line) for line in ended.out[ended.out.rindex("\n\n") :].split()]
        assert all(path.is_file() for path in files)
        return Seen(files, json.loads(files[-1].read_text()), ended.out)

    return run
