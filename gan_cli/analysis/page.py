"""One HTML page that needs no other file and no network: text, tables, pictures and charts."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from gan_cli.core.text import visible

# Nothing is fetched, whatever the page holds.
_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def beside(name: str) -> str:
    """Return the content of a file of this folder."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def document(title: str, body: str, end: str = "") -> str:
    """Return a complete page.

    Args:
        title: plain text.
        body: HTML.
        end: HTML behind it, such as the library of its charts.
    """
    return visible(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title><style>{beside('page.css')}</style></head><body>{body}{end}</body></html>\n"
    )


def top(title: str, kind: str, facts: Mapping[str, str], contents: Mapping[str, str]) -> str:
    """Return the top of a page.

    Args:
        title: plain text.
        kind: one line below it, plain text.
        facts: plain text -> HTML.
        contents: id of a section -> its heading, plain text.
    """
    return (
        f"<header><h1>{html.escape(title)}</h1><p class=kind>{html.escape(kind)}</p>{pairs(facts)}</header>"
        f"<nav>{''.join(link(heading, f'#{name}') for name, heading in contents.items())}</nav>"
    )


def pairs(facts: Mapping[str, str]) -> str:
    """Return names and what there is to say, plain text -> HTML, as a list; names without a value are left out."""
    shown = (f"<dt>{html.escape(name)}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    return f"<dl>{''.join(shown)}</dl>"


def section(name: str, heading: str, body: str, level: int = 2) -> str:
    """Return a section with a heading, to which the contents lead."""
    return f'<section id="{name}"><h{level}>{html.escape(heading)}</h{level}>{body}</section>'


def link(text: str, address: str) -> str:
    """Return a link; text and address are plain."""
    return f'<a href="{html.escape(address)}">{html.escape(text)}</a>'


def links(paths: Mapping[str, Path], out: Path) -> str:
    """Return links from a page in the directory `out` to files: plain text -> path."""
    there = {text: os.path.relpath(path, out) for text, path in paths.items()}
    return ", ".join(link(text, quote(os.fsencode(path))) for text, path in there.items())


def code(text: str) -> str:
    """Return plain text as code."""
    return f"<code>{html.escape(text)}</code>"


def details(summary: str, body: str) -> str:
    """Return HTML that is folded away below a line of plain text."""
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>"


def image(alt: str, png: bytes, kind: str = "") -> str:
    """Return a picture embedded in the page."""
    data = base64.b64encode(png).decode()
    return f'<img{kind and f" class={kind}"} alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], bold: Iterable[Sequence[bool]] = ()) -> str:
    """Return a table of plain texts, which scrolls by itself where it is wider than the page.

    Args:
        heads: headings of the columns; they may break after / and _.
        rows: as many texts in each row.
        bold: for each row, which of its cells are bold; if left out, no cell is.
    """
    weights = list(bold)
    lines = []
    for i, row in enumerate(rows):
        marks = weights[i] if weights else [False] * len(row)
        cells = (f"<td{' class=best' if b else ''}>{html.escape(c)}</td>" for c, b in zip(row, marks, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(f"<th>{_broken(text)}</th>" for text in heads)
    return f"<div class=table><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _broken(text: str) -> str:
    """Return plain text that may break after / and _."""
    return re.sub("([/_])", r"\1<wbr>", html.escape(text))
