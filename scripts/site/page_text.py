"""Tables and text of the pages, in Markdown."""

from __future__ import annotations

import re


def table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def plain(text: str) -> str:
    """Return text whose characters mean nothing to Markdown, except in backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_>\[\]{}])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)
