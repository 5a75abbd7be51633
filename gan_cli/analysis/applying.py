"""A generator that reads pictures, applied to a picture of any size: as a whole, or in overlapping tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor, nn

from gan_cli.training.game import Game
from gan_cli.training.sampling import generate

_AT_ONCE = 2  # times the values that the largest layer reads and writes: what a forward pass keeps in memory
_FLOAT_BYTES = 4


def multiple_of(network: nn.Module) -> int:
    """Return the number of which the sides of a network's pictures must be multiples, by its attribute `multiple`."""
    return max(getattr(module, "multiple", 1) for module in network.modules())


def mirrored(picture: Tensor, sides: Sequence[int]) -> Tensor:
    """Return a picture (N, C, H, W) continued by its reflection, below and on the right, to these sides at least."""
    for axis, (side, wanted) in enumerate(zip(picture.shape[2:], sides, strict=True), start=2):
        at = torch.arange(max(side, wanted), device=picture.device) % max(1, 2 * side - 2)
        picture = picture.index_select(axis, torch.minimum(at, 2 * side - 2 - at) if side > 1 else at)
    return picture


def rounded_up(sides: Sequence[int], multiple: int, least: Sequence[int] = (1, 1)) -> list[int]:
    """Return the smallest multiples that are no smaller than these sides and `least`."""
    return [math.ceil(max(side, smallest) / multiple) * multiple for side, smallest in zip(sides, least, strict=True)]


@torch.no_grad()
def bytes_per_pixel(game: Game, network: nn.Module, z: Tensor, y: Tensor | None, source: Tensor) -> float:
    """Return about how much memory a forward pass takes for each pixel of its source, measured on a small source."""
    values = [0]

    def count(module: nn.Module, read: tuple[Tensor, ...], written: Tensor) -> None:
        values.append(sum(t.numel() for t in (*read, written) if isinstance(t, Tensor)))

    hooks = [m.register_forward_hook(count) for m in network.modules() if not list(m.children())]
    try:
        list(generate(game, network, z, y, 1, source))
    finally:
        for hook in hooks:
            hook.remove()
    return _AT_ONCE * _FLOAT_BYTES * max(values) / math.prod(source.shape[2:])


def whole(game: Game, network: nn.Module, z: Tensor, y: Tensor | None, source: Tensor) -> Tensor:
    """Return what the generator makes of one source (1, C', H', W'), whose sides suit the network."""
    return next(iter(generate(game, network, z, y, 1, source)))


def tiled(game: Game, network: nn.Module, z: Tensor, y: Tensor | None, source: Tensor, side: int) -> Tensor:
    """Return what `whole` returns, computed tile by tile.

    Tiles overlap by a quarter of their side. The outer quarter of an overlap, where a tile lacks its surroundings, is
    taken from the other tile, and in between the two are blended. Where a network reads the whole picture at each place
    (instance norm, layer norm), each tile has its own statistics.

    Args:
        game: whose task and condition are used.
        network: the generator.
        z: (1, size), of every tile.
        y: label (1,), or None.
        source: (1, C', H', W'), whose sides are multiples of what the network needs.
        side: of a tile in pixels of the source; a multiple of what the network needs, at least twice that.
    """
    overlap = _overlap(side, multiple_of(network))
    found = weights = None
    axes = [_tiles(length, side, overlap) for length in source.shape[2:]]
    for rows, columns in product(*axes):
        made = whole(game, network, z, y, source[:, :, rows, columns])
        scale = made.shape[2] // (rows.stop - rows.start)
        if found is None:
            found = made.new_zeros(*made.shape[:2], *(length * scale for length in source.shape[2:]))
            weights = made.new_zeros(1, 1, *found.shape[2:])
        own = [
            _weights(part, length, overlap, scale, made.device)
            for part, length in zip((rows, columns), source.shape[2:], strict=True)
        ]
        weight = own[0][:, None] * own[1]
        place = (..., slice(rows.start * scale, rows.stop * scale), slice(columns.start * scale, columns.stop * scale))
        found[place] += weight * made
        weights[place] += weight
    return found / weights


def tiles(sides: Sequence[int], side: int, multiple: int) -> int:
    """Return the number of tiles of a source with these sides."""
    overlap = _overlap(side, multiple)
    return math.prod(len(_tiles(length, side, overlap)) for length in sides)


def _overlap(side: int, multiple: int) -> int:
    return math.ceil(side / 4 / multiple) * multiple


def _tiles(length: int, side: int, overlap: int) -> list[slice]:
    """Return the tiles along one axis; the last one ends where the picture ends."""
    last = max(0, length - side)
    starts = [*range(0, last, side - overlap), last]
    return [slice(start, min(start + side, length)) for start in starts]


def _weights(tile: slice, length: int, overlap: int, scale: int, device: torch.device) -> Tensor:
    """Return the weights of a tile's pixels along one axis: 1, falling to 0 towards a border inside the picture."""
    n, margin = (tile.stop - tile.start) * scale, overlap * scale / 4
    at = torch.arange(n, device=device) + 0.5
    ramps = [at] * (tile.start > 0) + [n - at] * (tile.stop < length)
    weight = torch.ones(n, device=device)
    for distance in ramps:
        weight = torch.minimum(weight, ((distance - margin) / (2 * margin)).clamp(0, 1))
    return weight
