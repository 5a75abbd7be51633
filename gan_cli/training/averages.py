"""Means over a window of steps, without waiting for the device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


class Averages:
    """Means of 0-d tensors over a window of steps, summed where the tensors live; nothing waits for the device.

    Sums are float64. A tag counts only the steps that report it.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start a new window; the order of the tags starts again too."""
        self._position: dict[str, int] = {}
        self._count: list[int] = []
        self._sum = torch.zeros(0, dtype=torch.float64)

    @torch.no_grad()
    def add(self, logs: Mapping[str, Tensor]) -> None:
        """Add one step's values, each a 0-d tensor, all on one device; they may be overwritten afterwards.

        Raises:
            ValueError: a tensor that is not 0-d.
        """
        if not logs:
            return
        values = torch.stack(list(logs.values()))
        if values.dim() != 1:
            raise ValueError(f"values of shape {tuple(values.shape[1:])}; averages are kept of 0-d tensors")
        self._make_room(logs, values.device)
        places = [self._position[tag] for tag in logs]
        if places == list(range(places[0], places[0] + len(places))):  # tags that appear together: one addition
            self._sum[places[0] : places[-1] + 1] += values
        else:
            for place, value in zip(places, values.unbind(), strict=True):
                self._sum[place] += value
        for place in places:
            self._count[place] += 1

    def read(self) -> dict[str, float]:
        """Means since the last `clear`, tags in the order of their first appearance; one transfer to the host."""
        sums = self._sum.tolist()
        return {tag: sums[i] / self._count[i] for tag, i in self._position.items()}

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: for each tag a (3,) float64 tensor of position, sum and count."""
        device = self._sum.device
        places = torch.arange(len(self._count), dtype=torch.float64, device=device)
        counts = torch.tensor(self._count, dtype=torch.float64, device=device)
        rows = torch.stack([places, self._sum, counts], dim=1)
        return {tag: rows[i].clone() for tag, i in self._position.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue the window that `state` described, bit for bit; the tensors may be on any device."""
        rows = sorted((row.tolist(), tag) for tag, row in state.items())
        self._position = {tag: i for i, (_, tag) in enumerate(rows)}
        self._sum = torch.tensor([total for (_, total, _), _ in rows], dtype=torch.float64)
        self._count = [int(count) for (_, _, count), _ in rows]

    def _make_room(self, tags: Iterable[str], device: torch.device) -> None:
        for tag in tags:
            if tag not in self._position:
                self._position[tag] = len(self._count)
                self._count.append(0)
        missing = len(self._count) - len(self._sum)
        if missing or self._sum.device != device:
            self._sum = torch.cat([self._sum.to(device), torch.zeros(missing, dtype=torch.float64, device=device)])
