"""The state of training: everything that a step changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.rng import Draws
from gan_cli.training.ema import MovingAverage
from gan_cli.training.game import Game
from gan_cli.training.state_checks import check_averages, check_finite, check_slots, check_tensors

_GAME, _OPTIMIZER, _EMA, _AVERAGES = "game/", "optimizer/", "ema/", "averages/"


class TrainState:
    """The networks, their optimizers, the moving average, and how far the run has come.

    Args:
        game: networks and loss.
        optimizers: `critic` and `generator`.
        ema: moving average of the generator, or None.
        total_steps: generator updates after which the run is finished.
    """

    def __init__(
        self,
        game: Game,
        optimizers: Mapping[str, torch.optim.Optimizer],
        ema: MovingAverage | None,
        total_steps: int,
    ) -> None:
        self.game = game
        self.optimizers = dict(optimizers)
        self.ema = ema
        self.total_steps = total_steps
        self._options = {
            player: [(_number(group["lr"]), group.get("betas")) for group in optimizer.param_groups]
            for player, optimizer in self.optimizers.items()
        }
        self.step = 0
        self.real_batches = 0
        self.critic_updates = 0
        self.params = {player: list(params.values()) for player, params in game.players().items()}
        projected = game.projected()
        self.projected, self.projected_names = list(projected.values()), frozenset(projected)

    def follow_schedule(self) -> None:
        """Give the optimizers the learning rates and betas of this step."""
        schedule = self.game.schedule
        if not (schedule.moves_rates or schedule.moves_betas):
            return
        for player, optimizer in self.optimizers.items():
            for group, (lr, betas) in zip(optimizer.param_groups, self._options[player], strict=True):
                rate = lr * schedule.rate(player, self.step)
                if isinstance(group["lr"], Tensor):  # a CUDA graph reads it from there
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
                if schedule.moves_betas and betas is not None:
                    group["betas"] = (betas[0], schedule.beta2(betas[1], self.step))

    def rate(self, player: str, draws: Draws) -> float | Tensor:
        """Return a player's learning rate at the step of these draws."""
        schedule, lr = self.game.schedule, self._options[player][0][0]
        return draws.scheduled(lambda step: lr * schedule.rate(player, step)) if schedule.moves_rates else lr

    def best_generator(self) -> nn.Module:
        """Return the generator that samples are drawn from: the moving average where one is kept."""
        return self.ema.network if self.ema else self.game.generator

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor of the state by a name that says where it belongs."""
        tensors = {_GAME + name: t for name, t in self.game.state_dict().items()}
        if self.ema:
            tensors |= {_EMA + name: t for name, t in self.ema.network.state_dict().items()}
        for player, optimizer in self.optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"{_OPTIMIZER}{player}/{index}/{slot}": torch.as_tensor(v) for slot, v in slots.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `tensors` returned.

        Raises:
            RuntimeError: names or shapes of another game.
        """
        self.game.load_state_dict(below(tensors, _GAME))
        if self.ema:
            self.ema.network.load_state_dict(below(tensors, _EMA))
        for player, optimizer in self.optimizers.items():
            slots: dict[int, dict[str, Any]] = {}
            for name, tensor in below(tensors, f"{_OPTIMIZER}{player}/").items():
                index, slot = name.split("/")
                slots.setdefault(int(index), {})[slot] = tensor
            optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
            for param, loaded in optimizer.state.items():
                loaded |= {slot: _laid_out_as(param, value) for slot, value in loaded.items()}

    def check_fit(self, tensors: Mapping[str, Tensor]) -> None:
        """Require the names, shapes and types that this state would have written; the state may be on meta.

        Raises:
            ValueError: the first difference.
        """
        ours = {name: t for name, t in self.tensors().items() if not name.startswith(_OPTIMIZER)}
        other = (_OPTIMIZER, _AVERAGES) if self.ema else (_OPTIMIZER, _AVERAGES, _EMA)
        check_tensors({name: t for name, t in tensors.items() if not name.startswith(other)}, ours)
        slots = below(tensors, _OPTIMIZER)
        for player, optimizer in self.optimizers.items():
            check_slots(below(slots, f"{player}/"), optimizer)
        if unknown := [name for name in slots if name.partition("/")[0] not in self.optimizers]:
            raise ValueError(f"there is no optimizer of {unknown[0][:80]}")
        check_averages(below(tensors, _AVERAGES))

    def check_finite(self) -> None:
        """Require that every weight and statistic of the networks is a finite number.

        Raises:
            ValueError: one is not.
        """
        check_finite(network for network in (self.game.critic, self.game.generator, self.best_generator()))


def _number(lr: float | Tensor) -> float:
    return lr if isinstance(lr, float) or lr.is_meta else float(lr)


def _laid_out_as(param: Tensor, value: Any) -> Any:
    """Return a slot in its parameter's memory format, which files do not keep and fast updates want alike."""
    if not isinstance(value, Tensor) or value.shape != param.shape:
        return value
    return torch.empty_like(param, dtype=value.dtype).copy_(value)


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
