"""scripts/emoji.py: which emoji become pictures with tags, from archives as npm packs them."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "emoji.py"
EMOJI = [
    {"label": "grapes", "hexcode": "1F347", "tags": ["fruit", "grape"]},
    {"label": "keycap: #", "hexcode": "0023-FE0F-20E3", "tags": ["key"]},
    {"label": "Keycap #", "hexcode": "2615", "tags": ["other"]},
    {"label": "flag: Andorra", "hexcode": "1F1E6-1F1E9", "tags": ["AD", "flag"]},
    {"label": "regional indicator A", "hexcode": "1F1E6"},
    {"label": "new", "hexcode": "1FFFF", "tags": ["new"]},
]
PICTURES = {"1f347": b"grapes", "0023-20e3": b"key", "2615-fe0f": b"other", "1f1e6-1f1e9": b"flag", "1f1e6": b"a"}


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("emoji", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(path, **files):
    with tarfile.open(path, "w:gz") as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))


def test_pictures_with_keywords_are_written_without_the_flags_of_countries(script, tmp_path, monkeypatch, capsys):
    asked = []

    def pack(command, cwd, **_):
        asked.append(command)
        name = f"{len(asked)}.tgz"
        images = {f"package/img/google/64/{code}.png": content for code, content in PICTURES.items()}
        archive(Path(cwd) / name, **images, **{"package/en/data.json": json.dumps(EMOJI).encode()})
        return subprocess.CompletedProcess(command, 0, stdout=f"{name}\n")

    monkeypatch.setattr(subprocess, "run", pack)
    monkeypatch.setattr(sys, "argv", ["emoji.py", str(tmp_path / "out"), "--registry", "https://npm.example"])
    script.main()
    tags = json.loads((tmp_path / "out" / "tags.json").read_text())
    assert tags == {"grapes.png": ["fruit", "grape"], "keycap.png": ["key"], "keycap_2615.png": ["other"]}
    contents = {path.name: path.read_bytes() for path in (tmp_path / "out" / "pictures").iterdir()}
    assert contents == {"grapes.png": b"grapes", "keycap.png": b"key", "keycap_2615.png": b"other"}
    assert [command[-3:] for command in asked] == [
        [package, "--registry", "https://npm.example"] for package in (script.PICTURES, script.KEYWORDS)
    ]
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 3 pictures with 4 different tags\n"


def test_without_npm_it_ends_in_a_line(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="npm is not installed; it comes with Node"):
        script.packed(script.PICTURES, tmp_path, None)
