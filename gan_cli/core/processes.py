"""The place of this process among those that torchrun started; needs no torch."""

from __future__ import annotations

import os
from typing import NamedTuple

from gan_cli.errors import UserError


class Processes(NamedTuple):
    """The processes that train one run together.

    Attributes:
        rank: this one, from 0.
        size: how many there are.
        local_rank: this one among those of its machine.
        local_size: how many this machine has.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int


def processes() -> Processes:
    """Return this process's place; (0, 1, 0, 1) where nothing started several.

    Raises:
        UserError: the environment holds what torchrun would not write.
    """
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    given = {name: os.environ[name] for name in names if name in os.environ}
    if "WORLD_SIZE" not in given or "MASTER_ADDR" not in os.environ:
        return Processes(0, 1, 0, 1)
    if not (len(given) == len(names) and all(value.isdecimal() for value in given.values())):
        found = ", ".join(f"{name}={value}" for name, value in given.items())
        raise UserError(f"{found}: an environment of several processes, but not torchrun's; start them with torchrun")
    return Processes(*map(int, given.values()))


def rank() -> int:
    """Return this process's rank; 0 where the environment holds no such number."""
    try:
        return processes().rank
    except UserError:
        return 0


def restarts() -> int:
    """Return how often torchrun may start the processes again after one has failed."""
    text = os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")
    return int(text) if text.isdecimal() else 0
