"""What travels in the wheel, and that it works from any directory."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from tests.children import fresh

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    fresh("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", out, ROOT)
    (path,) = out.glob("*.whl")
    return path


def test_every_yaml_and_the_images_are_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"gan_cli/conf/{path.relative_to(ROOT / 'conf')}" for path in (ROOT / "conf").rglob("*.yaml")}
    files = ROOT / "gan_cli" / "data" / "files"
    data = {str(path.relative_to(ROOT)) for path in files.rglob("*") if path.is_file()}
    assert len(configs) > 30
    assert any(name.endswith("t10k-images-idx3-ubyte.gz") for name in data)
    assert any(name.endswith("LICENSE") for name in data)
    pages = {f"gan_cli/analysis/page.{kind}" for kind in ("css", "js")}
    assert configs | data | pages <= names
    assert not {name for name in names if name.startswith(("tests", "scripts", "docs"))}


def test_it_trains_from_another_directory(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    code = "import sys, gan_cli; from gan_cli.cli import main; print(gan_cli.__file__)"
    train = ["train", "train.steps=1", "train.batch_size=8", "model.width=4", "log.sample_count=4", "run_dir=here"]
    code += f"; sys.exit(main({train}) or main(['sample', 'here', 'count=4']))"
    done = fresh("-c", code, folder=elsewhere, environment=environment)
    assert done.stdout.startswith(str(site))
    assert (elsewhere / done.stdout.splitlines()[-1].strip()).stat().st_size > 0
