"""Text for the terminal: one line, columns, values as a user types them, close matches, errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from gan_cli.core.processes import rank
from gan_cli.errors import GanError, UserError

MAX_SHOWN = 80
_FAR, _LONG = 99, 8  # a distance of words that are unlike; letters of a word that may have two errors
# A mistake in a user's code shows in these files too, and is not there.
_INSTALLED = (*dict.fromkeys(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")), "<frozen")


def one_line(text: object) -> str:
    r"""Return the text with every run of white space and unprintable characters as one space, foreign bytes as \xe9."""
    return " ".join("".join(c if c.isprintable() else _byte(c) or " " for c in str(text)).split())


def visible(text: object) -> str:
    r"""Return text with every character that a terminal could obey, or not encode, as its escape, such as \x1b.

    Line breaks stay; where they may be foreign too, `one_line` is for.
    """
    return "".join(c if c.isprintable() or c == "\n" else _byte(c) or repr(c)[1:-1] for c in str(text))


def _byte(c: str) -> str:
    r"""Return a byte that is not UTF-8, which Python keeps as half of a surrogate pair, as \xe9; '' for all else."""
    return f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else ""


def is_text(text: str) -> bool:
    """Return whether a name or an argument is UTF-8: Python keeps other bytes of it as halves of surrogate pairs."""
    return not any("\ud800" <= c <= "\udfff" for c in text)


def say(text: object, stream: TextIO | None = None) -> None:
    """Print lines in which foreign text (of a run, a file, a name) may stand; it reaches no terminal as control."""
    print(visible(text), file=sys.stdout if stream is None else stream, flush=True)


def described(error: BaseException) -> str:
    """Return an error of a user's own code in one line: its type, its text, and the place in that code."""
    text = one_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    places = [
        f"{frame.f_code.co_filename}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_globals.get("__name__", "").startswith("gan_cli.")
        and not frame.f_code.co_filename.startswith(_INSTALLED)
    ]
    return f"{text} ({places[-1]})" if places else text


def shell_word(text: object) -> str:
    r"""Return a text as one word of a command line of bash or zsh, as it is where nothing in it means more there.

    In double quotes only where it holds single ones, as an override with a quoted value does; and what a terminal could
    obey as an escape: $'caf\xe9'.
    """
    word = str(text)
    if re.fullmatch(r"[\w@%+:,./-][\w@%+=:,./-]*", word, re.ASCII):
        return word
    if not word.isprintable():
        encoded = "".join(c if c.isprintable() and c not in "\\'" else _ansi_c(c) for c in word)
        return f"$'{encoded}'"
    if "'" in word and not re.search(r'["$`!]|\\\\|\\$', word):
        return f'"{word}"'
    return "'" + word.replace("'", "'\"'\"'") + "'"  # also where shlex.quote would not: zsh takes =ls for a program


def shell_line(*words: object) -> str:
    """Return a command line of bash or zsh."""
    return " ".join(map(shell_word, words))


def _ansi_c(c: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(c))


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines whose columns are aligned."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def terminal_width() -> int:
    """Return how many characters a line of the terminal holds; without a terminal there is no limit."""
    return shutil.get_terminal_size((0, 0)).columns or sys.maxsize


def show(value: Any) -> str:
    """Return a value as it is typed in an override: null, true, 5e-05, [0.5, 0.9]; cut where long."""
    plain = isinstance(value, (str, float))
    text = one_line(value if plain else json.dumps(value, default=str).replace('"', ""))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def did_you_mean(
    word: str, known: Iterable[str], prefix: str = "", suffix: str = "", shown: Callable[[str], str] = str
) -> str:
    """Return '; did you mean X?' for the known word that is meant, with what stands before and after it, or ''."""
    found = meant(word, known)
    return f"; did you mean {shown(f'{prefix}{found}{suffix}')}?" if found else ""


def meant(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a typing error leads to; None where there is none, or where several are as near.

    Upper case, `-` and `_` make no difference. Else one letter is missing, too many, another one or exchanged with the
    next, of long words two; the first letter is right, and so are numbers: `cifar100` does not mean `cifar10`.
    """
    near: dict[int, list[str]] = {}
    for name in known:
        distance = _distance(folded(word), folded(name))
        near.setdefault(distance, []).append(name)
    best = min(near, default=_FAR)
    if best > (2 if len(word) >= _LONG else 1):
        return None
    exact = [name for name in near[best] if name.casefold() == word.casefold()]
    return (exact or near[best])[0] if len(exact or near[best]) == 1 else None


def folded(name: str) -> str:
    """Return a name without what is typed in several ways: upper case, `-` and `_`."""
    return name.casefold().replace("-", "").replace("_", "")


def _distance(a: str, b: str) -> int:
    """Return the letters that differ (optimal string alignment), _FAR where the first one or a number does."""
    if a == b:
        return 0
    if a[:1] != b[:1] or re.findall(r"\d+", a) != re.findall(r"\d+", b) or abs(len(a) - len(b)) > 2:
        return _FAR
    before, row = [], list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and (x, a[i - 2]) == (b[j - 2], y):
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]


def print_error(error: GanError, where: str = "") -> None:
    """Print an error; one that every process of a run meets, by the first of them alone."""
    if rank():
        if isinstance(error, UserError) or error.reported:
            return
        where = f"process {rank()}: {where}"
    with suppress(OSError):  # the terminal was closed
        print(f"gan: {where}{one_line(error)}", file=sys.stderr, flush=True)
