"""What is measured of the critic beside its own objective, without moving anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gan_cli.constraints.gradient_penalty import gradient_norms
from gan_cli.core.curves import Curve, heldout_tag, is_estimate, normalised_tag
from gan_cli.data.source import Batch, Source
from gan_cli.rng import Draws
from gan_cli.training.state import TrainState

Row = dict[str, float]
PROBED = 32  # samples at most: a row is to cost less than a hundredth of the steps between two
CURVES = (
    Curve(
        "critic/<name>_heldout",
        "that of the estimate",
        "lower",
        "the estimate minus the critic's overfitting: by how much it scores a training batch above a held-out one, at "
        "the end of the interval",
    ),
    Curve(
        "critic/lipschitz",
        "score/distance",
        "neither",
        "the largest gradient norm of the critic at sampled points between real and fake samples",
        chart=("Wasserstein distance", "Lipschitz constant"),
    ),
    Curve(
        "critic/<name>_normalised",
        "distance",
        "lower",
        "estimate / lipschitz: comparable between clips, widths and losses, where the estimate is K times a distance",
        chart=("Wasserstein distance", "normalised by the Lipschitz constant"),
    ),
    Curve("optimizer/lr_critic", "1", "neither", "the critic's learning rate, where a schedule changes it"),
    Curve("optimizer/lr_generator", "1", "neither", "the generator's learning rate, where a schedule changes it"),
)


def due(step: int, log_every_steps: int, every_steps: int) -> bool:
    """Return whether the row of a step is the first since a multiple of `every_steps`.

    Whether the step is the run's last says nothing: a run may be continued.
    """
    before = (step - 1) // log_every_steps * log_every_steps
    return before // every_steps != step // every_steps


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Restore every buffer on exit: a forward in train mode moves batch-norm statistics even without gradients."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


def rates(state: TrainState, row: Row) -> Row:
    """Return the learning rates of the last step, where a schedule changes them."""
    return {
        f"optimizer/lr_{player}": float(optimizer.param_groups[0]["lr"])
        for player, optimizer in state.optimizers.items()
    }


class CriticProbe:
    """The critic on one held-out batch, and how steep it is; the networks stay in train mode, as they are trained.

    Args:
        heldout: real samples that the critic never learns from.
        next_real: the training batch that the critic reads next.
        seed: the run's seed.
        device: where the state lives.
    """

    def __init__(
        self, heldout: Source, next_real: Callable[[TrainState], Batch], seed: int, device: torch.device
    ) -> None:
        self.heldout = heldout
        self.next_real = next_real
        self.seed = seed
        self.device = device

    def __call__(self, state: TrainState, row: Row) -> Row:
        """Return further curves for a row of means.

        `critic/<name>_heldout` is the row's estimate less the critic's over-fitting: what the same critic, on the same
        fakes, estimates for a training batch above what it estimates for a held-out one. `critic/lipschitz` is the
        largest gradient norm among one random point on each of PROBED real-fake segments, a lower bound of the
        critic's Lipschitz constant K; with batch norm it is the gradient of the batch's summed score. For losses whose
        estimate is K times a distance, `critic/<name>_normalised` is their ratio.
        """
        game = state.game
        draws = Draws(self.device, self.seed, state.step, "probe")
        curves = {}
        with buffers_kept(game):
            with torch.no_grad():
                real = game.read(self.heldout.batch(*self.heldout.draw(state.step)).head(PROBED), draws)
                fake = game.shown(game.fake(len(real.x), real, draws), "fake", draws)
                real = game.shown(real, "heldout", draws)
                on_fake, on_real = game.ask(*fake), game.ask(*real)
                trained = game.read(self.next_real(state).head(PROBED), draws)
                on_trained = game.ask(*game.shown(trained, "real", draws))
                trained, heldout = (game.estimates(output, on_fake) for output in (on_trained, on_real))
                heldout = {name: value for name, value in heldout.items() if is_estimate(f"critic/{name}")}
                curves |= {heldout_tag(f"critic/{name}"): trained[name] - heldout[name] for name in heldout}
                between = draws.uniform("segment", len(real.x), *[1] * (real.x.dim() - 1))
                points = torch.lerp(fake.x, real.x, between)
            f = game.penalised_function(real, on_real, on_fake)
            norms = gradient_norms(f, points.requires_grad_())
            curves["critic/lipschitz"] = norms.max()
        with torch.no_grad():
            curves |= {f"critic/{name}": value for name, value in game.constraint.curves(state.projected).items()}
            curves |= {f"critic/{name}": value.clone() for name, value in game.input.curves().items()}
        values = dict(zip(curves, torch.stack(list(curves.values())).tolist(), strict=True))
        for tag in (f"critic/{name}" for name in heldout):
            values[heldout_tag(tag)] = row[tag] - values[heldout_tag(tag)]
            if game.loss.integral_probability_metric and values["critic/lipschitz"] > 0:
                values[normalised_tag(tag)] = row[tag] / values["critic/lipschitz"]
        return values
