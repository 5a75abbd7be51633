"""Random numbers as a pure function of (seed, names): nothing here has a state that a resume must restore."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor


def seed_of(seed: int, *names: str | int) -> int:
    """Return the 63-bit seed of the stream called `names` in the run with this `seed`."""
    text = repr((seed, *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(device: torch.device | str, seed: int, *names: str | int) -> torch.Generator:
    """Return a generator on `device` at the start of the stream called `names`."""
    return torch.Generator(device).manual_seed(seed_of(seed, *names))


class Draws:
    """The random numbers of one phase of one step, a stream for each purpose.

    A stream's numbers depend on (seed, stream, step, phase) alone, so a new consumer never shifts another's, and
    drawing the same stream again within the phase continues it.

    Args:
        device: where the numbers are drawn and used.
        seed: the run's seed.
        step: the generator update being prepared, from 0; or a name, of numbers that are not a step's.
        phase: the update within the step, from 0.
        at: the step that schedules go by, where `step` is a name.
    """

    def __init__(
        self, device: torch.device | str, seed: int, step: int | str, phase: int | str = 0, at: int = 0
    ) -> None:
        self.device = torch.device(device)
        self.at = at if isinstance(step, str) else step
        self._key = (seed, step, phase)
        self._streams: dict[str, torch.Generator] = {}
        self._rows: tuple[int, int] | None = None

    def again(self) -> Draws:
        """Return the same numbers from the start."""
        same = Draws(self.device, *self._key, at=self.at)
        same._rows = self._rows
        return same

    def rows(self, start: int, total: int) -> Draws:
        """Return the same numbers as a batch of `total` samples draws, of its rows from `start` on alone."""
        part = self.again()
        part._rows = (start, total)
        return part

    def scheduled(self, value: Callable[[int], float]) -> float | Tensor:
        """Return what `value` gives for the step; what depends on the step must come from here, not from a counter."""
        return value(self.at)

    def _stream(self, name: str) -> torch.Generator:
        if name not in self._streams:
            seed, step, phase = self._key
            self._streams[name] = generator(self.device, seed, name, step, phase)
        return self._streams[name]

    def normal(self, stream: str, *shape: int) -> Tensor:
        """Return standard normal numbers."""
        return self._drawn(torch.randn, stream, shape)

    def uniform(self, stream: str, *shape: int) -> Tensor:
        """Return numbers uniform on [0, 1)."""
        return self._drawn(torch.rand, stream, shape)

    def _drawn(self, draw: Callable[..., Tensor], stream: str, shape: tuple[int, ...]) -> Tensor:
        if self._rows is None:
            return draw(shape, generator=self._stream(stream), device=self.device)
        start, total = self._rows
        whole = draw((total, *shape[1:]), generator=self._stream(stream), device=self.device)
        return whole[start : start + shape[0]]
