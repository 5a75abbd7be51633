"""Puts back what a run sets of torch for the whole process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_CUDNN = ("deterministic", "benchmark", "allow_tf32")
_MATMUL = ("allow_tf32", "allow_bf16_reduced_precision_reduction")


@contextmanager
def _settings_kept() -> Iterator[None]:
    import torch

    threads, cudnn, matmul = torch.get_num_threads(), torch.backends.cudnn, torch.backends.cuda.matmul
    flags = [(of, name, getattr(of, name)) for of, names in ((cudnn, _CUDNN), (matmul, _MATMUL)) for name in names]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        torch.set_num_threads(threads)
        for of, name, value in flags:
            setattr(of, name, value)


def settings_kept(function: Callable[P, T]) -> Callable[P, T]:
    """Leave torch's threads, random numbers and precision to the caller of a function."""

    @wraps(function)
    def kept(*args: P.args, **kwargs: P.kwargs) -> T:
        with _settings_kept():
            return function(*args, **kwargs)

    return kept
