"""Schedules: what changes with the steps besides the weights."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

Unit = Annotated[float, Field(ge=0, lt=1)]


class Schedule:
    """Learning rates, the weight of penalties, the half-life of the moving average and Adam's second beta by the step.

    All of them follow one curve s, which is 0 until hold_share of until_step, then rises to 1 at until_step, linearly
    or as half a cosine, and stays 1. Every value is a function of the step alone, so that a run resumes exactly.

    Args:
        shape: of s; `constant` is 0 throughout.
        until_step: the first step at which s is 1, counted from 0; without effect if the shape is constant.
        hold_share: share of until_step before s rises.
        lr_end: the learning rates are multiplied by 1 + s (lr_end - 1).
        players: whose learning rate changes.
        warmup_steps: the learning rates, of both players, are multiplied by (step + 1) / warmup_steps at first.
        penalty_end: the constraint's penalty is multiplied by 1 + s (penalty_end - 1).
        ema_start: the half-life of the moving average is multiplied by ema_start + s (1 - ema_start); 0 follows the
            weights at first.
        beta2_end: Adam's second beta goes to this with s; null: it stays.
    """

    def __init__(
        self,
        shape: Literal["constant", "linear", "cosine"] = "constant",
        until_step: PositiveInt = 1,
        hold_share: Unit = 0.0,
        lr_end: NonNegativeFloat = 1.0,
        players: Literal["both", "critic", "generator"] = "both",
        warmup_steps: NonNegativeInt = 0,
        penalty_end: NonNegativeFloat = 1.0,
        ema_start: Annotated[float, Field(ge=0, le=1)] = 1.0,
        beta2_end: Unit | None = None,
    ) -> None:
        self.shape, self.until_step, self.hold_share = shape, until_step, hold_share
        self.lr_end, self.players, self.warmup_steps = lr_end, players, warmup_steps
        self.penalty_end, self.ema_start, self.beta2_end = penalty_end, ema_start, beta2_end

    def progress(self, step: int) -> float:
        """Return s in [0, 1] at a step, counted from 0."""
        if self.shape == "constant":
            return 0.0
        begin = self.hold_share * self.until_step
        share = min(1.0, max(0.0, (step - begin) / (self.until_step - begin)))
        return share if self.shape == "linear" else (1 - math.cos(math.pi * share)) / 2

    @property
    def moves_rates(self) -> bool:
        """Whether a learning rate ever changes."""
        return self.warmup_steps > 0 or (self.shape != "constant" and self.lr_end != 1)

    @property
    def moves_penalty(self) -> bool:
        """Whether the weight of the penalty ever changes."""
        return self.shape != "constant" and self.penalty_end != 1

    @property
    def moves_average(self) -> bool:
        """Whether the half-life of the moving average ever changes."""
        return self.shape != "constant" and self.ema_start != 1

    @property
    def moves_betas(self) -> bool:
        """Whether Adam's second beta ever changes."""
        return self.shape != "constant" and self.beta2_end is not None

    def rate(self, player: str, step: int) -> float:
        """Return the factor of a player's learning rate at a step."""
        warmth = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        if self.players not in ("both", player):
            return warmth
        return warmth * (1 + self.progress(step) * (self.lr_end - 1))

    def penalty(self, step: int) -> float:
        """Return the factor of the constraint's penalty at a step."""
        return 1 + self.progress(step) * (self.penalty_end - 1)

    def halflife(self, step: int) -> float:
        """Return the factor of the moving average's half-life at a step."""
        return self.ema_start + self.progress(step) * (1 - self.ema_start)

    def beta2(self, start: float, step: int) -> float:
        """Return Adam's second beta at a step, from what the optimizer's options say."""
        return start + self.progress(step) * (self.beta2_end - start)
