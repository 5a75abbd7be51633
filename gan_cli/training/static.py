"""Random numbers drawn before a phase whose operations are fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.rng import Draws


class Request(NamedTuple):
    """One call of `Draws`: the method and its arguments."""

    method: str
    arguments: tuple[object, ...]


class Recording(Draws):
    """Draws as another one does, and keeps what was asked.

    Args:
        draws: answers.
        requests: what was asked is added here, in its order.
    """

    def __init__(self, draws: Draws, requests: list[Request]) -> None:
        self._answering = draws
        self._requests = requests

    def normal(self, stream: str, *shape: int) -> Tensor:
        """Return standard normal numbers."""
        return self._asked("normal", stream, *shape)

    def uniform(self, stream: str, *shape: int) -> Tensor:
        """Return numbers uniform on [0, 1)."""
        return self._asked("uniform", stream, *shape)

    def scheduled(self, value: Callable[[int], float]) -> float | Tensor:
        """Return a value that depends on the step."""
        return self._asked("scheduled", value)

    def _asked(self, method: str, *arguments: object) -> Tensor:
        self._requests.append(Request(method, arguments))
        return getattr(self._answering, method)(*arguments)


class Given(Draws):
    """Gives what was drawn before, whatever is asked, in the order of the requests.

    Args:
        values: one for each request.
    """

    def __init__(self, values: Iterable[Tensor]) -> None:
        self._values: Iterator[Tensor] = iter(values)

    def normal(self, stream: str, *shape: int) -> Tensor:
        """Return the next value."""
        return next(self._values)

    def uniform(self, stream: str, *shape: int) -> Tensor:
        """Return the next value."""
        return next(self._values)

    def scheduled(self, value: Callable[[int], float]) -> float | Tensor:
        """Return the next value, 0-d."""
        return next(self._values)


def answers(requests: Sequence[Request], draws: Draws, device: torch.device) -> list[Tensor]:
    """Return what recorded requests give from other draws, each as a tensor on the device."""
    found = (getattr(draws, request.method)(*request.arguments) for request in requests)
    return [v if isinstance(v, Tensor) else torch.full((), v, device=device) for v in found]
