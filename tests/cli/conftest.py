from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gan_cli.cli import main
from gan_cli.config import sources
from tests.helpers import alone


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def gan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    sources.load.cache_clear()

    def run(*argv: str) -> Ended:
        capsys.readouterr()
        code = main(list(argv))
        return Ended(code, *capsys.readouterr())

    yield run
    sources.load.cache_clear()


@pytest.fixture
def refused(gan: Callable[..., Ended], tmp_path: Path) -> Callable[..., str]:
    """Run a command line that must end in one line and exit code 2, with nothing written; return the line."""

    def run(*argv: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        ended = gan(*argv)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert ended.err.startswith("gan: ")
        assert ended.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return ended.err.removeprefix("gan: ").removesuffix("\n")

    return run


SMALL = ("runtime=cpu", "runtime.threads=1", "train.steps=1", "train.batch_size=8", "log.sample_count=4")
IMAGES = ("model=mlp", "model.width=4", "dataset.image_size=28")
RUNS = {
    "clothes": ("loss=wgan", *IMAGES, "train.ema_halflife_images=8"),
    "classes": ("loss=wgan_gp", "condition=concat", *IMAGES),
    "codes": ("loss=infogan", *IMAGES),
    "memorised": ("loss=wgan", *IMAGES, "dataset.limit=50"),
    "ring": ("loss=wgan_gp", "model=toy_mlp", "model.width=4", "dataset=ring"),
    "line": ("loss=nonsaturating", "model=toy_tanh", "dataset=gaussian_mixture_1d"),
    "stacked": ("loss=wgan", "model=mlp", "model.width=4", "dataset=stacked", "dataset.image_size=28"),
}


@pytest.fixture
def run_of(shared: Path, tmp_path: Path) -> Callable[[str], str]:
    """Copy one of RUNS, of one step; it is trained when it is first asked for."""

    def copied(name: str) -> str:
        with alone(shared / f"{name}.lock"):
            if not (shared / name).exists():
                assert main(["train", *SMALL, *RUNS[name], f"run_dir={shared / name}"]) == 0
        return str(shutil.copytree(shared / name, tmp_path / name))

    return copied
