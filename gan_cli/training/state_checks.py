"""Whether a checkpoint's tensors are those that a game, its optimizers and its curves would have written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

MAX_TAGS = 1000
MAX_TAG = 200  # characters
_EXACT = 2**53  # whole numbers below it are exact in float64


def check_tensors(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Require the same names, shapes and types.

    Raises:
        ValueError: the first difference.
    """
    if missing := [name for name in expected if name not in given]:
        raise ValueError(f"{missing[0]} is missing")
    for name, tensor in given.items():
        if name not in expected:
            raise ValueError(f"there is no {name[:MAX_TAG]}")
        _same_kind(name, tensor, expected[name].shape, expected[name].dtype)


def check_slots(given: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Require slots of the optimizer's parameters, by number and name, `0/square_avg`, each of its parameter's shape.

    Raises:
        ValueError: the first difference.
    """
    params = [param for group in optimizer.param_groups for param in group["params"]]
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in given.items():
        index, _, slot = name.partition("/")
        if str(index) not in map(str, range(len(params))) or not slot:
            raise ValueError(f"the optimizer has no {name[:MAX_TAG]}")
        found.setdefault(int(index), {})[slot] = tensor
    names = {frozenset(slots) for slots in found.values()}
    if len(names) > 1:
        raise ValueError("the optimizer's parameters have different slots")
    for index, slots in found.items():
        for slot, tensor in slots.items():
            if tensor.dim() and not _broadcasts(tensor.shape, params[index].shape):
                _same_kind(slot, tensor, params[index].shape, tensor.dtype)


def check_averages(given: Mapping[str, Tensor]) -> None:
    """Require what `Averages.state` returns: for each tag its position, sum and count.

    Raises:
        ValueError: the first difference.
    """
    if len(given) > MAX_TAGS:
        raise ValueError(f"{len(given)} curves, {MAX_TAGS} are the most there can be")
    for tag, row in given.items():
        if len(tag) > MAX_TAG or not tag.isprintable() or not {"", ".", ".."}.isdisjoint(tag.split("/")):
            raise ValueError(f"{tag[:MAX_TAG]!r} is not the name of a curve")
        _same_kind(tag, row, torch.Size([3]), torch.float64)
        position, _, count = row.tolist()
        if not all(math.isfinite(n) and n == int(n) and 0 <= n < _EXACT for n in (position, count)) or not count:
            raise ValueError(f"{tag} counts {count} values at {position}")


def check_finite(networks: Iterable[nn.Module]) -> None:
    """Require that every weight and statistic is a finite number.

    Raises:
        ValueError: one is not.
    """
    for network in networks:
        for name, tensor in network.state_dict().items():
            if not bool(tensor.isfinite().all()):
                raise ValueError(f"{name} holds values that are not finite")


def _same_kind(name: str, tensor: Tensor, shape: torch.Size, dtype: torch.dtype) -> None:
    if (tensor.shape, tensor.dtype) != (shape, dtype):
        raise ValueError(
            f"{name} is {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}, "
            f"{str(dtype).removeprefix('torch.')} {list(shape)} here"
        )


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    return len(shape) == len(to) and all(size in (1, full) for size, full in zip(shape, to, strict=True))
