"""Whether a checkpoint's tensors are those that a game, its optimizers and its curves would have written."""

from __future__ import annotations

import collections
import copy
import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from gan_cli.training import stepping

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
    """Require what a step of the optimizer leaves: by parameter's number and slot, `0/square_avg`.

    Raises:
        ValueError: the first difference.
    """
    params = [param for group in optimizer.param_groups for param in group["params"]]
    expected = _slots_after_a_step(optimizer)
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in given.items():
        index, _, slot = name.partition("/")
        if str(index) not in map(str, range(len(params))) or not slot:
            raise ValueError(f"the optimizer has no {name[:MAX_TAG]}")
        found.setdefault(int(index), {})[slot] = tensor
    for index, slots in found.items():
        if expected is not None:
            check_tensors(slots, expected[index])
            continue
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


def _slots_after_a_step(optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]] | None:
    """Return each parameter's slots, of the right shapes and empty: a copy of the optimizer steps small parameters.

    None: the copy cannot, as an optimizer that needs a closure; its slots are checked by their shapes alone.
    """
    trial = copy.copy(optimizer)
    trial.state = collections.defaultdict(dict)
    trial.param_groups, small, full = [], [], []
    for group in optimizer.param_groups:
        params = [nn.Parameter(torch.zeros([min(size, 2) for size in p.shape])) for p in group["params"]]
        for param, original in zip(params, group["params"], strict=True):
            param.grad = torch.ones_like(param)
            slots = optimizer.state.get(original, {})  # made before the first step
            if slots:
                small_slots = {k: torch.zeros([min(n, 2) for n in v.shape], dtype=v.dtype) for k, v in slots.items()}
                trial.state[param] = small_slots
        plain = {name: False for name in ("foreach", "fused", "capturable") if name in group}
        trial.param_groups.append({**group, **plain, "params": params})
        small += params
        full += group["params"]
    try:
        stepping.step(trial)
    except Exception:
        return None
    return [
        {slot: _grown(torch.as_tensor(value), param.shape, p.shape) for slot, value in trial.state[param].items()}
        for param, p in zip(small, full, strict=True)
    ]


def _grown(slot: Tensor, small: torch.Size, full: torch.Size) -> Tensor:
    """Return a slot of a small parameter as the full one's: each size that was the parameter's is so again."""
    if slot.dim() != len(full):
        return slot
    sizes = [new if size == old else size for size, old, new in zip(slot.shape, small, full, strict=True)]
    return torch.empty(sizes, dtype=slot.dtype, device="meta")
