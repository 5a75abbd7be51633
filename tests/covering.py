"""Cells of a product of options such that every pair of options of any two axes is in at least one cell."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

Cell = dict[str, str]
Option = tuple[str, str]  # axis, option
Pair = frozenset  # of two options
_TRIES = 4


def pairs_of(cell: Mapping[str, str]) -> set[Pair]:
    """Return every pair of options in a cell."""
    return {Pair(two) for two in combinations(cell.items(), 2)}


def covering_array(
    axes: Mapping[str, Sequence[str]], plain: Callable[[Cell], Cell], refusal: Callable[[Cell], str | None]
) -> tuple[list[Cell], dict[Pair, str]]:
    """Return cells that run, and the pairs that no cell can have with the reason.

    Greedy: a cell begins with a pair that is missing, and takes for each further axis the option that brings the most
    missing pairs. The same arguments give the same cells.

    Args:
        axes: name -> options.
        plain: completes a part of a cell with the options least likely to be refused.
        refusal: why a cell is refused; None where it runs.
    """
    order = [Pair([(a, x), (b, y)]) for a, b in combinations(axes, 2) for x in axes[a] for y in axes[b]]
    missing, refused = dict.fromkeys(order), {}
    known: set[Pair] = set()
    cells: list[Cell] = []
    rng = random.Random(0)

    def judge(pair: Pair) -> None:
        if pair not in known:
            known.add(pair)
            if (reason := refusal(plain(dict(sorted(pair))))) is not None:
                refused[pair] = reason
                missing.pop(pair, None)

    def complete(pair: Pair) -> Cell | None:
        for _ in range(_TRIES):
            cell = _filled(dict(sorted(pair)), axes, missing, refused, rng)
            if refusal(cell) is None:
                return cell
            for other in pairs_of(cell):
                judge(other)
            if pair in refused:
                return None
        return plain(dict(sorted(pair)))

    while missing:
        pair = next(iter(missing))
        cell = complete(pair)
        if cell is not None:
            cells.append(cell)
            for covered in pairs_of(cell):
                known.add(covered)
                missing.pop(covered, None)
    return cells, refused


def _filled(
    cell: Cell,
    axes: Mapping[str, Sequence[str]],
    missing: Mapping[Pair, None],
    refused: Mapping[Pair, str],
    rng: random.Random,
) -> Cell:
    for axis in axes:
        if axis in cell:
            continue
        options = rng.sample(list(axes[axis]), len(axes[axis]))
        pairs = {option: [Pair([(axis, option), other]) for other in cell.items()] for option in options}
        allowed = [option for option in options if not any(pair in refused for pair in pairs[option])] or options
        cell = cell | {axis: max(allowed, key=lambda option: sum(pair in missing for pair in pairs[option]))}
    return {axis: cell[axis] for axis in axes}
