"""Reads the pages that commands write, and refuses what no page may have."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

_VOID = {"meta", "img", "input", "br", "hr", "wbr"}


class Page(HTMLParser):
    """A page's structure.

    Attributes:
        title: of the document.
        contents: ids that the contents lead to.
        files: addresses of the files that it links to.
        charts: titles of its charts.
        specs: what each chart draws.
        images: number of embedded pictures.
        text: what a reader sees.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.title, self.text, self.images = "", "", 0
        self.contents: list[str] = []
        self.charts: list[str] = []
        self.specs: list[dict] = []
        self.files: set[str] = set()
        self.ids: list[str] = []
        self._open: list[tuple[str, dict]] = []
        self._folder = path.parent
        self.feed(path.read_text(encoding="utf-8"))
        assert self._open == []
        assert len(self.ids) == len(set(self.ids))
        assert set(self.contents) <= set(self.ids)
        assert self.contents

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in _VOID:
            self._open.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        if tag == "img":
            assert found["src"].startswith("data:image/png;base64,")
            assert found["alt"]
            self.images += 1
        if tag == "a" and found["href"].startswith("#"):
            self.contents.append(found["href"][1:])
        elif tag == "a":
            assert (self._folder / unquote(found["href"])).exists(), found["href"]
            self.files.add(found["href"])
        assert "src" not in found or tag == "img"
        assert not [name for name in found if name.startswith("on")]
        assert tag != "link"

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        tag, attributes = self._open[-1] if self._open else ("", {})
        if attributes.get("type") == "application/json":
            self.specs.append(json.loads(data))
        elif tag == "title":
            self.title = data
        elif tag == "h4":
            self.charts.append(data)
        if tag not in ("script", "style"):
            self.text += data


def read_page(path: Path) -> Page:
    """Return a page; a link that leads nowhere, an element that is not closed, or a file from elsewhere fails."""
    content = path.read_text(encoding="utf-8")
    assert '<meta name="viewport"' in content
    assert "default-src 'none'" in content
    return Page(path)
