"""The notebooks of the documentation run, on fewer steps, and have their outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
FEWER = {"train.steps=200": "train.steps=4", "train.steps=220": "train.steps=6", "train.steps=250": "train.steps=6"}
MOST_BYTES = 300_000

nbformat = pytest.importorskip("nbformat", reason="pip install nbclient")
pytest.importorskip("nbclient", reason="pip install nbclient")
pytest.importorskip("ipykernel", reason="pip install ipykernel")
pytest.importorskip("onnxscript", reason='pip install "gan_cli[onnx]"')


def kinds(notebook):
    """What each cell of code shows: the media types, apart from text on stderr."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    return [
        [sorted(output.get("data", {})) for output in cell.outputs if output.get("name") != "stderr"] for cell in cells
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_saved(path, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from execute_notebooks import executed

    text = path.read_text()
    assert len(text) < MOST_BYTES
    saved = nbformat.reads(text, as_version=4)
    for steps, fewer in FEWER.items():
        text = text.replace(steps, fewer)
    again = nbformat.reads(text, as_version=4)
    again.cells.append(nbformat.v4.new_code_cell("import sys\n\nprint(sys.executable)"))
    nbformat.write(again, tmp_path / path.name)
    again = executed(tmp_path / path.name)
    assert again.cells.pop().outputs[0].text == f"{sys.executable}\n"
    assert kinds(again) == kinds(saved)
    assert ["image/png", "text/plain"] in [kind for cell in kinds(saved) for kind in cell]


def test_both_are_there():
    assert [path.stem for path in NOTEBOOKS] == ["first_run", "own_network_and_data"]
