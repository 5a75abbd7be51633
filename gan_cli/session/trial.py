"""One pass through networks of the user's own before a run begins, so that their mistakes leave nothing behind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.schema import RunConfig
from gan_cli.core.text import described
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.session.networks import is_foreign, name_of
from gan_cli.training.game import Game
from gan_cli.training.probes import buffers_kept

SAMPLES = 2  # batch norm of features needs two


def try_networks(config: RunConfig, game: Game, data: RealData) -> None:
    """Run each network that is not of this package forwards and backwards on two samples; the game stays as it is.

    Raises:
        UserError: one that fails, with the exception and its place, or that does not make what it should.
    """
    if not (is_foreign(config.model.generator) or is_foreign(config.model.critic)):
        return
    task, n = game.task, 2 * SAMPLES if game.task.twofold else SAMPLES
    real = data.fixed(n)
    device = real.x.device
    draws = Draws(device, config.seed, "trial")
    real = game.read(real, draws)
    z = game.latent.sample(n, draws)
    generator, critic = (
        network.a if task.twofold else network for network in (game.generator, game.critic)
    )  # each half of two domains reads SAMPLES
    with buffers_kept(game), torch.random.fork_rng([device] if device.type == "cuda" else []):
        if is_foreign(config.model.generator):
            inputs = task.generator_input(real.source, *game.condition.generator_input(z, real.y))
            read = f"{'z' if task.reads is None else 'sources'} {(SAMPLES, *inputs[0].shape[1:])}"
            more = inputs[0].shape[1] - z.shape[1] if task.reads is None else 0
            read += f" (latent.size={game.latent.size}" + f", and {more} of condition={config.condition.name}" * (
                more > 0
            )
            read += ")"
            shown = f"model.generator ({name_of(config.model.generator)})"
            make = lambda: game.generate(z, real.y, source=real.source)  # noqa: E731
            _try(shown, read, generator, make, [(SAMPLES, *data.shape)])
        if is_foreign(config.model.critic):
            seen = game.condition.critic_input(task.critic_input(real.x, real.source), real.y)
            read = f"samples {(SAMPLES, *seen.shape[1:])}"
            shown = f"model.critic ({name_of(config.model.critic)})"
            features = getattr(critic.trunk, "n_features", None)
            expected = [(SAMPLES,), (SAMPLES, 1)] if features is None else [(SAMPLES, features)]
            ask = lambda: game.ask(game.input.alone(real.x), real.y, None, real.source)  # noqa: E731
            _try(shown, read, critic.trunk, ask, expected)


def _try(shown: str, read: str, network: nn.Module, ask: Callable[[], Any], expected: list[tuple[int, ...]]) -> None:
    """Run a network.

    Args:
        shown: names it.
        read: what it reads.
        network: what is run.
        ask: runs it, and what follows it.
        expected: shapes of which its output must have one.
    """
    seen: list[Any] = []
    versions: list[int] = []  # of what it reads: torch counts the changes in place
    hooks = [
        network.register_forward_pre_hook(lambda module, inputs: versions.append(inputs[0]._version)),
        network.register_forward_hook(lambda module, inputs, output: seen.append((output, inputs[0]._version))),
    ]
    failure = None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Casting complex values to real")  # refused below
            ask()
    except Exception as error:
        failure = error
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise UserError(f"{shown}: its forward fails for {read}: {described(failure)}") from failure
    (output, version), shapes = seen[-1], " or ".join(map(str, expected))
    if not isinstance(output, Tensor):
        raise UserError(f"{shown}: its forward returns {type(output).__name__}, and must return a tensor {shapes}")
    if tuple(output.shape) not in expected:
        raise UserError(f"{shown}: its forward returns {tuple(output.shape)} for {read}, and must return {shapes}")
    if not output.is_floating_point():
        kind = str(output.dtype).removeprefix("torch.")
        raise UserError(f"{shown}: its forward returns {kind}, and must return floating-point numbers")
    if not bool(output.isfinite().all()):
        raise UserError(f"{shown}: its forward returns numbers that are not finite for {read}")
    if version != versions[-1]:
        raise UserError(f"{shown}: its forward changes what it reads in place; others read it too: use a copy")
    try:
        torch.autograd.grad(
            output.float().sum(), [p for p in network.parameters() if p.requires_grad], allow_unused=True
        )
    except RuntimeError as error:
        raise UserError(f"{shown}: its output has no gradient: {described(error)}") from error
