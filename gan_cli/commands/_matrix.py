"""Which options run together and which are refused, decided by the checks that `gan train` makes; no data are read."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gan_cli.config import validate
from gan_cli.config.compose import Composer
from gan_cli.config.tree import conf_dir, groups
from gan_cli.core.text import did_you_mean
from gan_cli.errors import UserError
from gan_cli.session import build

Settings = dict[str, Any]

PAIRS = (
    ("loss", "constraint"),
    ("loss", "updates"),
    ("loss", "model"),
    ("loss", "condition"),
    ("loss", "latent"),
    ("constraint", "model"),
)
ANY_SHAPE = "toy_mlp"  # a model for images and for points
_SHAPE = re.compile(r"\d+(x\d+x\d+)?")
_SIGNS = string.ascii_lowercase + string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Table:
    """Two groups, every option of one with every option of the other.

    Attributes:
        rows: a group.
        columns: a group.
        refusals: (row's option, column's option) -> why it is refused, None where it runs.
    """

    rows: str
    columns: str
    refusals: Mapping[tuple[str, str], str | None]


class Parts:
    """Every option's settings, each read once.

    A file that says no more than its block, or which options a loss brings, is read as it is: Hydra takes a tenth of a
    second to compose a config, and there are dozens.

    Args:
        base: overrides under which options are composed.
        user_dir: a directory with options of the user's own, as `--config-dir` names it.

    Attributes:
        options: group -> its options' names.
    """

    def __init__(self, base: Sequence[str] = (), user_dir: str | None = None) -> None:
        self._composer = Composer.create("train", conf_dir(), "train", user_dir)
        self._directories = [*([Path(user_dir)] if user_dir else []), conf_dir()]
        self._overrides = ["runtime=cpu", *base]
        self._base = self._composed()
        self._known: dict[tuple[str, str], Settings] = {}
        self.options = {group: list(found) for group, found in groups(*self._directories).items()}

    def settings(self, **chosen: str) -> Settings:
        """Return a run's settings: a loss, or the default one, with all that it brings, and other options over it.

        Raises:
            UserError: an option that cannot be composed, or whose own values are wrong.
        """
        settings = dict(self._base)
        for group, option in sorted(chosen.items(), key=lambda item: item[0] != "loss"):  # the loss first
            settings |= self._of(group, option)
        return settings

    def _of(self, group: str, option: str) -> Settings:
        """Return what an option sets: its group's block, and those of the options that it brings."""
        if (group, option) not in self._known:
            content = self._content(group, option)
            brought = _brought(content) if group == "loss" else {}
            if brought is None or (group != "loss" and "defaults" in content):
                keys = self._base if group == "loss" else [group]
                composed = self._composed(f"{group}={option}")
                found = {key: composed[key] for key in keys}
            else:
                blocks = {name: self._of(name, choice)[name] for name, choice in brought.items()}
                block = content["loss"] if group == "loss" else content
                plain = OmegaConf.to_container(OmegaConf.create(self._base | blocks | {group: block}), resolve=True)
                found = blocks | {group: validate.check_settings("train", plain)[group]}
            self._known[group, option] = found
        return self._known[group, option]

    def _content(self, group: str, option: str) -> Settings:
        paths = (directory / group / f"{option}{end}" for directory in self._directories for end in (".yaml", ".yml"))
        return OmegaConf.to_container(OmegaConf.load(next(path for path in paths if path.is_file())), resolve=False)

    def _composed(self, *overrides: str) -> Settings:
        cfg = self._composer.compose([*self._overrides, *overrides])
        return validate.validate(cfg, [])


def _brought(content: Settings) -> dict[str, str] | None:
    """Return the options that a loss's file chooses, None where the file says more than that and its block."""
    entries = content.get("defaults", [])
    if set(content) - {"defaults"} != {"loss"} or not all(isinstance(e, dict) and len(e) == 1 for e in entries):
        return None
    pairs = [next(iter(entry.items())) for entry in entries]
    if not all(key.startswith("override /") and isinstance(value, str) for key, value in pairs):
        return None
    return {key.removeprefix("override /"): value for key, value in pairs}


def tables(of: str | None = None, user_dir: str | None = None) -> list[Table]:
    """Try every pair of options of the groups in PAIRS; each other group is as the loss, or the default, has it.

    Args:
        of: a dataset's option, or a shape such as 3x64x64 or 2, taken to have labels; None: the default dataset.
        user_dir: a directory with options of the user's own.

    Raises:
        UserError: there is no such dataset, or only its files tell its shape.
    """
    is_shape = of is not None and _SHAPE.fullmatch(of) is not None
    shape = tuple(map(int, of.split("x"))) if is_shape else None
    base = [] if is_shape or of is None else [f"dataset={of}"]
    known = groups(*([Path(user_dir)] if user_dir else []), conf_dir())["dataset"]
    if not is_shape and of is not None and of not in known:
        hint = did_you_mean(of, known) or ";"
        raise UserError(f"--matrix {of}: neither a dataset{hint} datasets: {', '.join(known)}, nor a shape as 3x64x64")
    shape = shape or _shape_of(Parts([*base, f"model={ANY_SHAPE}"], user_dir), of)
    parts = Parts([*base, *([f"model={ANY_SHAPE}"] if len(shape) == 1 else [])], user_dir)
    return [
        Table(
            rows,
            columns,
            {
                (row, column): _refusal(parts, shape, {rows: row, columns: column})
                for row in parts.options[rows]
                for column in parts.options[columns]
            },
        )
        for rows, columns in PAIRS
    ]


def _shape_of(parts: Parts, of: str | None) -> tuple[int, ...]:
    try:
        return build.check(parts.settings()).dataset.expected_shape()
    except UserError as error:
        raise UserError(f"--matrix {of}: {error}; or give a shape, as in --matrix 3x64x64") from error


def _refusal(parts: Parts, shape: tuple[int, ...], chosen: dict[str, str]) -> str | None:
    """Return why a choice is refused, without its classes' own names, None where it runs."""
    try:
        settings = parts.settings(**chosen)
    except UserError as error:
        return str(error)
    try:
        build.check(settings, shape)
    except UserError as error:
        text = str(error)
        for group in chosen:
            class_name = settings[group].get("_target_", "").rpartition(".")[2] or "-"
            text = re.sub(rf"\b{group}(=| \(){class_name}\b\)?", f"this {group}", text)
        return text
    return None


def render(found: list[Table], width: int) -> str:
    """Return the tables as text: + runs, a letter is the reason below them.

    Args:
        found: what `tables` returned.
        width: of a line, in characters.
    """
    reasons = list(dict.fromkeys(r for table in found for r in table.refusals.values() if r))
    signs = {reason: _SIGNS[i] if i < len(_SIGNS) else str(i) for i, reason in enumerate(reasons)}
    blocks = [block for table in found for block in _blocks(table, signs, width)]
    cells = [reason for table in found for reason in table.refusals.values()]
    refused = sum(reason is not None for reason in cells)
    legend = [f"+  runs ({len(cells) - refused} pairs)", *(f"{sign}  {reason}" for reason, sign in signs.items())]
    return "\n\n".join([*blocks, "\n".join(legend)])


def _blocks(table: Table, signs: Mapping[str, str], width: int) -> list[str]:
    """Return a table's text, in as many pieces side by side as the width asks for."""
    rows = list(dict.fromkeys(row for row, _ in table.refusals))
    names = list(dict.fromkeys(column for _, column in table.refusals))
    head = f"{table.rows} x {table.columns}"
    margin = max(len(text) for text in [head, *rows])
    pieces: list[list[str]] = [[]]
    for name in names:
        if pieces[-1] and margin + sum(len(n) + 2 for n in [*pieces[-1], name]) > width:
            pieces.append([])
        pieces[-1].append(name)
    return ["\n".join(_lines(table, signs, head, margin, rows, piece)) for piece in pieces]


def _lines(
    table: Table, signs: Mapping[str, str], head: str, margin: int, rows: list[str], columns: list[str]
) -> Iterator[str]:
    yield "  ".join([f"{head:{margin}}", *columns])
    for row in rows:
        reasons = [table.refusals[row, column] for column in columns]
        cells = [f"{signs[reason] if reason else '+':^{len(c)}}" for c, reason in zip(columns, reasons, strict=True)]
        yield "  ".join([f"{row:{margin}}", *cells]).rstrip()
