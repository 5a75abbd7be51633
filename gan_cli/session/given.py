"""What Python gives in the place of parts that a config builds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from gan_cli.config.arguments import key_of, quoted_override
from gan_cli.config.parts import GIVEN
from gan_cli.config.targets import permitted
from gan_cli.data.array_set import Arrays, as_arrays
from gan_cli.data.in_memory import InMemory
from gan_cli.errors import UserError

_VALUES = ("training", "_parameters", "_buffers", "_modules")  # of a module: compared by name, shape and type


class Given(NamedTuple):
    """Objects of Python; None where the config builds the part.

    Attributes:
        generator: z (N, size) -> samples (N, ...); a run trains a copy of it.
        critic: samples (N, ...) -> scores (N,) or (N, 1), or features (N, n_features); a run trains a copy of it.
        dataset: the samples.
    """

    generator: nn.Module | None = None
    critic: nn.Module | None = None
    dataset: Arrays | None = None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks among them."""
        return {name: m for name, m in (("generator", self.generator), ("critic", self.critic)) if m is not None}


def from_python(generator: Any = None, critic: Any = None, dataset: Any = None) -> Given:
    """Return what a call gives, checked.

    Raises:
        UserError: a network that is no module, or data that are no samples.
    """
    for name, module in (("generator", generator), ("critic", critic)):
        if module is not None and not isinstance(module, nn.Module):
            what = f"the class {module.__name__}" if isinstance(module, type) else type(module).__name__
            raise UserError(f"{name}: must be a torch.nn.Module, made already, and it is {what}")
    return Given(generator, critic, None if dataset is None else as_arrays(dataset))


def overrides_for(given: Given, words: Sequence[str]) -> list[str]:
    """Return the overrides by which a config names what Python gives, to stand behind those of the call.

    Raises:
        UserError: one of the call's that would have no effect.
    """
    found, allowed = [], permitted(words)
    for player, module in given.networks.items():
        target = f"{type(module).__module__}.{type(module).__qualname__}"
        found.append(f"~model.{player}")  # the option's own arguments are about another class
        if _builds_itself(module):
            found.append(f"+model.{player}._target_={target}")
            allowed.append(type(module).__module__)
        else:
            found += [f"+model.{player}._target_={GIVEN}", "+" + quoted_override(f"model.{player}.name", target)]
    if len(given.networks) == 2:
        found += ["++model.width=null", "++model.code_size=null"]
        _refuse(words, "model", "both networks are")
    for player in given.networks:
        _refuse(words, f"model.{player}", f"the {player} is")
    if given.dataset is not None:
        found.append(f"dataset._target_={InMemory.__module__}.{InMemory.__name__}")
        if choice := next((word for word in words if key_of(word) == "dataset"), None):
            raise UserError(f"{choice}: the data are given in Python; leave it out")
    return [*found, f"allow_targets=[{','.join(dict.fromkeys(allowed))}]"] if allowed else found


def names_of(given: Given) -> dict[str, str]:
    """Return what stands for the option of a group where Python gives its part."""
    found = {"model": type(next(iter(given.networks.values()))).__name__} if given.networks else {}
    return found | ({} if given.dataset is None else {"dataset": InMemory.name})


def _refuse(words: Sequence[str], key: str, what: str) -> None:
    for word in words:
        if f"{key_of(word)}.".startswith(f"{key}."):
            raise UserError(f"{word}: {what} given in Python; leave it out")


def _builds_itself(module: nn.Module) -> bool:
    """Return whether a module's class, found by its name and called without arguments, makes the same network."""
    kind = type(module)
    home = sys.modules.get(kind.__module__)
    if kind.__module__.startswith(("__main__", "gan_cli.")) or getattr(home, kind.__qualname__, None) is not kind:
        return False
    try:
        with torch.random.fork_rng(devices=[]):
            return _structure(kind()) == _structure(module)
    except Exception:  # it needs arguments, or holds what cannot be compared: it is given again, then
        return False


def _structure(network: nn.Module) -> list[Any]:
    """Return everything of a network but its values and its mode."""
    return [
        [
            (name, type(m), {k: v for k, v in vars(m).items() if k not in _VALUES})
            for name, m in network.named_modules()
        ],
        [(name, t.shape, t.dtype) for name, t in network.state_dict().items()],
        [p.requires_grad for p in network.parameters()],
    ]
