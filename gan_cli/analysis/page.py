"""One HTML page that needs no other file: text, tables, and embedded pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

from gan_cli.core.text import visible

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}td,th{padding:.3em .8em;text-align:left;"
    "border-bottom:1px solid #ddd;white-space:nowrap}th{border-bottom:2px solid #888}.best{font-weight:700}"
    "img{max-width:100%}li{margin:.2em 0}figure{margin:1.2em 0}figcaption{color:#555;max-width:60em}"
    "section+section{border-top:1px solid #ddd;margin-top:2.5em}.verdicts{list-style:none;padding:0}"
    ".verdicts li{margin:.5em 0;padding:.4em .8em;border-left:5px solid #999;background:#f6f6f6}"
    ".verdicts li.good{border-color:#2b8a3e}.verdicts li.look{border-color:#e8590c;background:#fff4ec}"
    "code{font:13px/1.4 ui-monospace,monospace}.facts{color:#555}"
)


def document(title: str, body: str) -> str:
    """Return a complete page.

    Args:
        title: plain text.
        body: HTML.
    """
    return visible(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def image(alt: str, png: bytes) -> str:
    """Return a picture embedded in the page."""
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'


def figure(title: str, png: bytes, caption: str) -> str:
    """Return a picture with a heading above it and a caption below it."""
    return (
        f"<h3>{html.escape(title)}</h3><figure>{image(title, png)}"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], bold: Iterable[Sequence[bool]] = ()) -> str:
    """Return a table of plain texts.

    Args:
        heads: headings of the columns.
        rows: as many texts in each row.
        bold: for each row, which of its cells are bold; if left out, no cell is.
    """
    weights = list(bold)
    lines = []
    for i, row in enumerate(rows):
        marks = weights[i] if weights else [False] * len(row)
        cells = (f"<td{' class=best' if b else ''}>{html.escape(c)}</td>" for c, b in zip(row, marks, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
