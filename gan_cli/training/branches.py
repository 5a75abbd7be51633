"""Independent work of a step, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

_MOST = 2**20  # numbers in a batch, such as 85 images of 64 x 64 x 3


class Branches:
    """Work that runs side by side in the CUDA graph that is being captured; elsewhere one after the other.

    A small batch fills a fraction of a GPU, so that two passes of a network take little more time than one. A large
    one gains 4 % and costs memory, which branches do not share. Backward passes run on the stream of their forward
    pass, and so in the same branch. Figures are in docs/benchmarks.md.

    Args:
        numbers: in a batch.
    """

    def __init__(self, numbers: int) -> None:
        small = numbers <= _MOST
        self._capturing = small and torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()
        self._apart: list[torch.cuda.Stream] = []

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Inside, work waits for what came before it and for no other branch."""
        if not self._capturing:
            yield
            return
        stream = _stream(torch.cuda.current_device(), len(self._apart))
        stream.wait_stream(torch.cuda.current_stream())
        self._apart.append(stream)
        with torch.cuda.stream(stream):
            yield

    def join(self) -> None:
        """Let what follows wait for every branch."""
        for stream in self._apart:
            torch.cuda.current_stream().wait_stream(stream)


@cache
def _stream(device: int, number: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
