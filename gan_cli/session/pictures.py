"""Sample pictures from the same z every time."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.analysis import figures, tagging
from gan_cli.conditions.base import Unconditional
from gan_cli.data.source import Batch, RealData
from gan_cli.metrics.modes import mode_coverage
from gan_cli.rng import Draws
from gan_cli.runs.boards import Boards
from gan_cli.runs.contents import FIXED, REAL, picture_name
from gan_cli.training.game import Game
from gan_cli.training.phases import Logs
from gan_cli.training.probes import Row, buffers_kept, due
from gan_cli.training.sampling import generate, sample
from gan_cli.training.state import TrainState

POINTS = 2_000  # a scatter plot's samples where log.sample_count is auto
GRID = 64  # a grid's images there
TRANSLATED = 16  # rows of source, result and target there, where the generator reads pictures
TAGGED = 12  # images with their words there, where it writes words
LABELS = 8  # vectors, over which the mean of a conditional critic's scores of points is taken
DRAWN = 16  # real images for each of a grid whose columns have one class each
COVERAGE_SAMPLES = 2_500  # as the literature evaluates mode coverage


class Pictures:
    """A grid of images, or a plot of points over the critic's score, as PNG and in TensorBoard.

    Of a generator that reads pictures: rows of held-out sources, of what it makes of them, and of what they should be.
    Of points in more than two dimensions the first two are shown, without the score. Of a generator that writes words:
    held-out images with their tags and with the words.

    Args:
        every_steps: steps between two pictures; step 0 has one.
        count: samples a picture; `auto` is 64 images or 2,000 points.
        data: the real samples.
        board: shows them.
        seed: the run's seed.
        device: where the state lives.
        redraw: draw the first step's picture of this process again although the run was resumed there.
    """

    def __init__(
        self,
        every_steps: int,
        count: int | str,
        data: RealData,
        board: Boards,
        seed: int,
        device: torch.device,
        redraw: bool,
    ) -> None:
        self.every_steps = every_steps
        self.translated = count if isinstance(count, int) else TRANSLATED
        self.count = count if isinstance(count, int) else POINTS if len(data.shape) == 1 else GRID
        self.data = data
        self.board = board
        self.tagged = count if isinstance(count, int) else TAGGED
        self.seed = seed
        self.draws = lambda: Draws(device, seed, "fixed")
        self.redraw = redraw

    def __call__(self, state: TrainState, logs: list[Logs]) -> None:
        """Draw when it is time."""
        if state.step % self.every_steps or not (logs or self.redraw):
            return
        if state.game.task.reads == "image":
            self._keep(FIXED, state.step, self._translated(state))
            return
        if state.game.task.reads == "vector":
            with torch.no_grad():
                picture = tagging.sheet(self.data, state.game, state.best_generator(), self.tagged, self.seed)
            self._keep(FIXED, state.step, picture)
            return
        fake = torch.cat(list(sample(state.game, state.best_generator(), self.count, self.draws())))
        if len(self.data.shape) == 1:
            real, plane = self.data.fixed(self.count).x, self.data.shape[0] <= 2
            with buffers_kept(state.game), torch.no_grad():
                score = (lambda x: _score(state.game, x)) if plane else None
                picture = figures.points_figure(real[:, :2], fake[:, :2], score)
        else:
            picture = figures.image_grid(fake, columns(state.game.condition, self.count))
            if state.step == 0:
                self._keep(REAL, 0, self._real(state.game.condition))
        self._keep(FIXED, state.step, picture)

    def names(self, step: int) -> str:
        """Return the files that a step's pictures are written to."""
        names = [picture_name(FIXED, step)]
        if step == 0 and len(self.data.shape) == 3:
            names.append(picture_name(REAL, step))
        return " and ".join(names)

    def _real(self, condition: Unconditional) -> np.ndarray:
        """Return real images; where a column of the generated ones has one class, so has it here."""
        across = columns(condition, self.count)
        if across is None:
            return figures.image_grid(self.data.fixed(self.count).x)
        some = self.data.fixed(DRAWN * self.count)
        found = some.x.new_ones(self.count, *self.data.shape)  # white where a class is not among them
        for column in range(across):
            places = found[column::across]
            images = some.x[some.y == column][: len(places)]
            places[: len(images)] = images
        return figures.image_grid(found, across)

    def _translated(self, state: TrainState) -> np.ndarray:
        """Return held-out sources, what the generator makes of them, and what they should be, in rows."""
        game, heldout = state.game, self.data.heldout
        real = heldout.batch(*heldout.draw(0))
        rows = min(self.translated, len(real.x))
        real = game.read(real.head(rows - rows % 2 if game.task.twofold else rows), self.draws())
        z = game.latent.sample(len(real.x), self.draws())
        panels = panels_of(game, state.best_generator(), z, real)
        return figures.image_grid(figures.side_by_side(panels, self.data.shape), across(panels))

    def _keep(self, tag: str, step: int, picture: np.ndarray) -> None:
        self.board.image(tag, step, picture, figures.png(picture))


def panels_of(game: Game, network: nn.Module, z: Tensor, real: Batch, batch_size: int = 256) -> list[Tensor]:
    """Return what a picture shows side by side, (N, ...) each: sources, what a network makes of them, the targets.

    Args:
        game: its generator reads pictures.
        network: the generator or its moving average.
        z: (N, size).
        real: N real samples with their sources.
        batch_size: samples at a time.
    """

    def again(source: Tensor) -> Tensor:
        return torch.cat(list(generate(game, network, z, real.y, batch_size, source)))

    fake = Batch(again(real.source), real.y, None, real.source)
    return game.task.panels(fake, real, again)


def across(panels: list[Tensor]) -> int:
    """Return how many images a row of panels side by side has, so that all of them are about square."""
    return len(panels) * max(1, round(math.sqrt(len(panels[0]) / len(panels))))


def columns(condition: Unconditional, count: int) -> int | None:
    """Return how many columns a grid has: one a class where there are classes; None: as near a square as may be."""
    return min(condition.n_classes, count) if condition.needs_labels and not condition.reads_vectors else None


def _score(game: Game, x: Tensor) -> Tensor:
    """Return the critic's scores (N,) of points; of a conditional critic, their mean over classes or label vectors."""
    condition = game.condition
    if not condition.needs_labels:
        return game.ask(game.input.alone(x)).score
    some = condition.in_turn(LABELS if condition.reads_vectors else condition.n_classes, x.device)
    return torch.stack([game.ask(x, y.expand(len(x), *y.shape)).score for y in some]).mean(dim=0)


class ModeCoverage:
    """How many of a mixture's modes the generator reaches, measured in the rows that follow a picture's step.

    Args:
        data: real samples with known modes.
        log_every_steps: steps a row.
        every_steps: steps between two measurements.
        seed: the run's seed.
        device: where the state lives.
    """

    def __init__(self, data: RealData, log_every_steps: int, every_steps: int, seed: int, device: torch.device) -> None:
        self.centres, self.std = data.modes
        self.log_every_steps = log_every_steps
        self.every_steps = every_steps
        self.seed = seed
        self.device = device

    def __call__(self, state: TrainState, row: Row) -> Row:
        """Return `quality/modes`, `quality/high_quality_share` and `quality/kl_to_uniform` when it is time."""
        if not due(state.step, self.log_every_steps, self.every_steps):
            return {}
        draws = Draws(self.device, self.seed, state.step, "coverage")
        fake = torch.cat(list(sample(state.game, state.best_generator(), COVERAGE_SAMPLES, draws)))
        found = mode_coverage(fake, self.centres.to(fake.device), self.std)
        return {
            "quality/modes": float(found.captured),
            "quality/high_quality_share": found.high_quality_share,
            "quality/kl_to_uniform": found.kl_to_uniform,
        }
