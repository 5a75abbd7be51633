"""What mkdocs calls while it builds the site: adds the pages that are made, and refuses files from elsewhere."""

from __future__ import annotations

import logging
import re
from pathlib import PurePosixPath
from typing import Any

import notebooks
import options
import reference
from mkdocs.structure.files import File, Files

log = logging.getLogger("mkdocs.hooks")
# What a browser would load: a script, a style, a font, a picture. A link to read is none of these.
ELSEWHERE = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?https?:[^>]*|<link\b[^>]*\bhref=\"?https?:[^>]*")


def pages() -> dict[str, str | bytes]:
    """Return every file of the site that is made, by its path."""
    return options.pages() | reference.pages() | notebooks.pages()


def on_config(config: Any) -> Any:
    """Put the pages of the groups into the navigation."""
    (entries,) = (part["Reference"] for part in config.nav if "Reference" in part)
    (place,) = (entry for entry in entries if "Options" in entry)
    index, *groups = options.pages()
    place["Options"] = [index, *({PurePosixPath(page).stem: page} for page in groups)]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_env(env: Any, config: Any, files: Files) -> Any:
    """Say how many pages there are."""
    log.info(f"{len(files.documentation_pages())} pages")
    return env


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Warn of a page that would load something from elsewhere; with --strict the build fails."""
    for found in ELSEWHERE.findall(output):
        log.warning(f"{page.file.src_uri} loads {found}")
    return output
