"""Write the table of the curves into docs/curves.md, from what `gan list curves` knows."""

from __future__ import annotations

from pathlib import Path

from gan_cli.commands._curves import rows
from gan_cli.config.tree import conf_dir

PAGE = Path(__file__).resolve().parents[1] / "docs" / "curves.md"
START, END = "<!-- curves: python scripts/curves_page.py writes this table -->", "<!-- end of curves -->"


def table() -> str:
    """Return the curves as a Markdown table."""
    lines = ["| tag | unit | better | meaning | logged by |", "|---|---|---|---|---|"]
    for curve, logged_by in rows(conf_dir()):
        meaning = curve.meaning.replace("|", "\\|")
        lines.append(f"| `{curve.tag}` | {curve.unit} | {curve.better} | {meaning} | {logged_by.replace(',', ', ')} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Return the text of the page with the table in its place."""
    before, _, rest = page.partition(START)
    return f"{before}{START}\n\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
