"""Whether a checkpoint's tensors are those that a game, its optimizers and its curves would have written."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

MAX_TAGS = 1000
MAX_TAG = 200  # characters
_EXACT = 2**53  # whole numbers below it are exact in float64
_SLOTS: dict[type[torch.optim.Optimizer], tuple[str, ...]] = {  # `step` is a number, the others are like the parameter
    torch.optim.SGD: (),
    torch.optim.RMSprop: ("step", "square_avg"),
    torch.optim.Adam: ("step", "exp_avg", "exp_avg_sq"),
    torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"),
}
_OPTIONAL_SLOTS = {"momentum": "momentum_buffer", "centered": "grad_avg", "amsgrad": "max_exp_avg_sq"}


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
    """Require slots of the optimizer's parameters, by number and name: `0/square_avg`.

    Names, shapes and types are known of torch's usual optimizers. What any other needs shows in its first step, whose
    failure `failed_in_step` recognises.

    Raises:
        ValueError: the first difference.
    """
    groups = [(param, group) for group in optimizer.param_groups for param in group["params"]]
    known = _SLOTS.get(type(optimizer))
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in given.items():
        index, _, slot = name.partition("/")
        if index not in map(str, range(len(groups))) or not slot or "/" in slot:
            raise ValueError(f"the optimizer has no {name[:MAX_TAG]}")
        found.setdefault(int(index), {})[slot] = tensor
    for index, slots in found.items() if known is not None else ():
        param, group = groups[index]
        names = [*known, *(slot for option, slot in _OPTIONAL_SLOTS.items() if group.get(option))]
        empty = torch.empty_like(param, device="meta")
        step = empty.new_empty((), dtype=torch.float32)  # whatever the weights are
        check_tensors(slots, {name: step if name == "step" else empty for name in names})


def failed_in_step(error: BaseException) -> bool:
    """Return whether an error was raised inside an optimizer."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(isinstance(frame.f_locals.get("self"), torch.optim.Optimizer) for frame, _ in frames)


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
