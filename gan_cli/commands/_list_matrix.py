"""The table of the options that can be combined, by the checks of `gan train`; no data are read."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.config.schema import RunConfig
from gan_cli.config.tree import directories_with, groups
from gan_cli.config.validate import validate
from gan_cli.core.text import columns, did_you_mean
from gan_cli.errors import UserError
from gan_cli.session import build

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
    """Every option of one group with every option of another.

    Attributes:
        rows: a group.
        columns: a group.
        refusals: (row's option, column's option) -> why the pair is refused, None if it runs.
    """

    rows: str
    columns: str
    refusals: Mapping[tuple[str, str], str | None]


class Options:
    """The configs of all options of all groups, each composed once.

    Args:
        base: overrides of every composition.
        user_dir: a directory with the user's own options (`--config-dir`).

    Attributes:
        names: group -> names of its options.
    """

    def __init__(self, base: Sequence[str] = (), user_dir: str | None = None) -> None:
        self._composer = Composer.of("train", Arguments([], {"--config-dir": user_dir} if user_dir else {}))
        self._overrides = ["runtime=cpu", *base]
        self._base = self._composed()
        self._known: dict[tuple[str, str], RunConfig] = {}
        self.names = {group: list(found) for group, found in groups(*directories_with(user_dir)).items()}

    def config(self, **chosen: str) -> RunConfig:
        """Return a run's config: a loss (or the default loss) with all its settings, and other options over it.

        Raises:
            UserError: an option that cannot be composed, or whose own values are wrong.
        """
        found = self._base
        for group, option in sorted(chosen.items(), key=lambda item: item[0] != "loss"):  # the loss first
            if (group, option) not in self._known:
                self._known[group, option] = self._composed(f"{group}={option}")
            known = self._known[group, option]
            found = known if group == "loss" else found.replace(**{group: getattr(known, group)})
        return found

    def _composed(self, *overrides: str) -> RunConfig:
        return validate("train", self._composer.compose([*self._overrides, *overrides]), [])


def tables(of: str | None = None, user_dir: str | None = None) -> list[Table]:
    """Try every pair of options of the groups in PAIRS; other groups have the option of the loss, or the default.

    Args:
        of: an option of dataset, or a shape such as 3x64x64 or 2, with labels; None: the default dataset.
        user_dir: a directory with the user's own options.

    Raises:
        UserError: there is no such dataset, or its shape is known only from its files.
    """
    is_shape = of is not None and _SHAPE.fullmatch(of) is not None
    shape = tuple(map(int, of.split("x"))) if is_shape else None
    base = [] if is_shape or of is None else [f"dataset={of}"]
    known = groups(*directories_with(user_dir))["dataset"]
    if not is_shape and of is not None and of not in known:
        hint = did_you_mean(of, known) or ";"
        raise UserError(f"--matrix {of}: no such dataset{hint} datasets: {', '.join(known)}; or a shape, as 3x64x64")
    shape = shape or _shape_of(Options([*base, f"model={ANY_SHAPE}"], user_dir), of)
    parts = Options([*base, *([f"model={ANY_SHAPE}"] if len(shape) == 1 else [])], user_dir)
    return [
        Table(
            rows,
            columns,
            {
                (row, column): _refusal(parts, shape, {rows: row, columns: column})
                for row in parts.names[rows]
                for column in parts.names[columns]
            },
        )
        for rows, columns in PAIRS
    ]


def _shape_of(parts: Options, of: str | None) -> tuple[int, ...]:
    try:
        return build.check(parts.config()).parts.dataset.expected_shape()
    except UserError as error:
        raise UserError(f"--matrix {of}: {error}; or give a shape, such as --matrix 3x64x64") from error


def _refusal(parts: Options, shape: tuple[int, ...], chosen: dict[str, str]) -> str | None:
    """Return why a choice is refused, without the names of its classes, None if it runs."""
    try:
        config = parts.config(**chosen)
    except UserError as error:
        return str(error)
    try:
        build.check(config, shape)
    except UserError as error:
        text = str(error)
        for group in chosen:
            class_name = getattr(getattr(config, group), "name", "-")
            text = re.sub(rf"\b{group}(=| \(){class_name}\b\)?", f"this {group}", text)
        return text
    return None


def render(found: list[Table], width: int) -> str:
    """Return the tables as text: + means that the pair runs, a letter refers to the reason below.

    Args:
        found: result of `tables`.
        width: width of a line, in characters.
    """
    cells = [reason for table in found for reason in table.refusals.values()]
    reasons = list(dict.fromkeys(reason for reason in cells if reason))
    signs = {reason: _SIGNS[i] if i < len(_SIGNS) else str(i) for i, reason in enumerate(reasons)}
    blocks = [block for table in found for block in _blocks(table, {None: "+"} | signs, width)]
    legend = [f"+  runs ({cells.count(None)} pairs)", *(f"{sign}  {reason}" for reason, sign in signs.items())]
    return "\n\n".join([*blocks, "\n".join(legend)])


def _blocks(table: Table, signs: Mapping[str | None, str], width: int) -> list[str]:
    """Return a table's text, divided into blocks of columns that fit the width."""
    rows = list(dict.fromkeys(row for row, _ in table.refusals))
    head = f"{table.rows} x {table.columns}"
    margin = max(len(text) for text in [head, *rows])
    pieces: list[list[str]] = [[]]
    for name in dict.fromkeys(column for _, column in table.refusals):
        if pieces[-1] and margin + sum(len(n) + 2 for n in [*pieces[-1], name]) > width:
            pieces.append([])
        pieces[-1].append(name)
    return [
        "\n".join(
            columns([[head, *piece], *([row, *(signs[table.refusals[row, name]] for name in piece)] for row in rows)])
        )
        for piece in pieces
    ]
