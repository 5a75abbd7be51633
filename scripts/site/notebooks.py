"""The pages of the notebooks: their text, code and outputs as Markdown, their pictures as files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[2] / "docs" / "notebooks"


def pages() -> dict[str, str | bytes]:
    """Return a page and pictures for each notebook."""
    found: dict[str, str | bytes] = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        parts = []
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
            for output in cell.get("outputs", []):
                parts.append(_output(output, path.stem, found))
        found[f"notebooks/{path.stem}.md"] = "\n\n".join(parts) + "\n"
    return found


def _output(output: dict[str, Any], stem: str, found: dict[str, str | bytes]) -> str:
    """Return an output of a cell as Markdown; a picture is added to the files that are found."""
    data = output.get("data", {})
    if "image/png" in data:
        name = f"{stem}_{len(found)}.png"
        found[f"notebooks/{name}"] = base64.b64decode("".join(data["image/png"]))
        return f"![output of the cell]({name})"
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>'
    return f"```text\n{''.join(output.get('text') or data['text/plain']).rstrip()}\n```"
