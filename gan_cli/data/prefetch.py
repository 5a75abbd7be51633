"""A thread that reads batches ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor


class Prefetcher:
    """Calls a function with 0, 1, 2, ... in one thread, a few calls ahead of their use.

    An error of the call for k is raised where k's result is needed. The thread ends with this object or with the
    interpreter, whichever comes first.

    Args:
        read: the function; it is never called twice at the same time.
        ahead: number of results kept ready, at least 1.
    """

    def __init__(self, read: Callable[[int], tuple[Tensor, ...]], ahead: int) -> None:
        self._read, self._ahead = read, ahead
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: deque[tuple[int, Future[tuple[Tensor, ...]]]] = deque()

    def __call__(self, k: int) -> tuple[Tensor, ...]:
        """Return read(k); a k that does not follow the last one restarts the reading at k."""
        if not self._pending or self._pending[0][0] != k:
            for _, future in self._pending:
                future.cancel()
            self._pending.clear()
            self._submit(k)
        _, result = self._pending.popleft()
        last = self._pending[-1][0] if self._pending else k
        for following in range(last + 1, k + 1 + self._ahead):
            self._submit(following)
        return result.result()

    def _submit(self, k: int) -> None:
        self._pending.append((k, self._pool.submit(self._read, k)))
