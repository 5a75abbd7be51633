"""Begins runs and sweeps."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.api.kept import settings_kept
from gan_cli.api.request import arguments_of, composer_of, requested, words_of
from gan_cli.api.run import Run
from gan_cli.config.schema import RunConfig
from gan_cli.core.processes import processes
from gan_cli.core.signals import of_a_call
from gan_cli.errors import GanError, Interrupted, UserError
from gan_cli.runs.finding import find, located
from gan_cli.runs.reading import is_run

if TYPE_CHECKING:
    from torch import nn

    from gan_cli.session.own_callbacks import Callback


def compose(
    overrides: Sequence[str] = (), *, from_run: Run | str | Path | None = None, config_dir: str | Path | None = None
) -> RunConfig:
    """Return the checked config that `gan train OVERRIDES` would train; nothing is built.

    Args:
        overrides: such as ["loss=wgan_gp", "train.steps=500"].
        from_run: a run whose settings come first, as for `train`.
        config_dir: a further directory of configs, as `--config-dir` names it.

    Raises:
        UserError: the first thing that is wrong.
    """
    return requested("train", overrides, config_dir, _place(from_run)).config


@settings_kept
def train(
    overrides: Sequence[str] = (),
    *,
    generator: nn.Module | None = None,
    critic: nn.Module | None = None,
    dataset: Any = None,
    callbacks: Sequence[Callback] = (),
    from_run: Run | str | Path | None = None,
    config_dir: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Train a run, as `gan train OVERRIDES`: the same files, bit for bit.

    Args:
        overrides: such as ["loss=wgan_gp", "train.steps=500", "run_dir=runs/mine"].
        generator: a module z (N, latent.size) -> samples (N, ...), with which the run begins; it is copied.
        critic: a module samples (N, ...) -> scores (N,) or (N, 1); or one with `n_features`, which returns features
            (N, n_features), and gan adds the score. It is copied.
        dataset: an array or tensor of images (N, C, H, W) of 1 to 16 channels, uint8, uint16, or floating-point in
            [-1, 1], or of points (N, D); a pair of these and labels (N,); or a map-style Dataset, of which each item is
            read once.
        callbacks: functions f(state, logs), called after each step. `state` is a snapshot (step, total_steps,
            generator, critic, and sample(n, seed)); nothing that is done with it changes the run. A function with the
            attribute `changes_training = True` gets the live `TrainState` instead. `logs` has the step's curves, to be
            read before the function returns. A function that returns something true stops the run, which is saved
            and can be resumed.
        from_run: a run, or what `load` takes: its settings come first, and the overrides change them, as `--from RUN`
            does. Its directory, weights and step are not taken (for weights: init_from=RUN).
        config_dir: a further directory of configs, as `--config-dir` names it.
        progress: show on stderr how far it is; in a notebook, a bar.

    Returns:
        the run. It has what was given here, so it can be evaluated and resumed.

    Raises:
        UserError: a mistake in the arguments; nothing was written.
        Interrupted: Ctrl-C, after the step that it met; the run is saved.
        GanError: the run stopped early, or something beside the training failed.
    """
    from gan_cli.api.caller import caller_of
    from gan_cli.session import start
    from gan_cli.session.given import from_python, names_of, overrides_for

    words, given = words_of(overrides), from_python(generator, critic, dataset)
    request = requested("train", [*words, *overrides_for(given, words)], config_dir, _place(from_run))
    config: RunConfig = located(request.config)
    if processes().size > 1 and not config.run_dir:
        raise UserError("several processes train one run: give it a place that all of them know, run_dir=runs/NAME")
    line = request.line._replace(overrides=words, choices=request.line.choices | names_of(given))
    ended = start.train(config, line, caller_of(["gan_cli.train", *words], callbacks, progress), given)
    objects = {"generator": generator, "critic": critic, "dataset": given.dataset}
    return Run(ended.path or str(config.run_dir), allow_targets=config.allow_targets, **objects)


def sweep(
    overrides: Sequence[str], *, from_run: Run | str | Path | None = None, config_dir: str | Path | None = None
) -> list[Run]:
    """Train a sweep, as `gan train -m OVERRIDES`: each run in a process of its own, and return its runs in order.

    Args:
        overrides: such as ["loss=wgan,wgan_gp", "seed=0,1,2", "sweep.name=penalty", "sweep.jobs=2"].
        from_run: a run whose settings come first, as for `train`.
        config_dir: a further directory of configs, as `--config-dir` names it.

    Raises:
        UserError: the first cell that cannot run, and why; nothing was written.
        Interrupted: Ctrl-C; the runs are saved, and the same sweep.name continues them.
        GanError: a run did not finish; the others did.
    """
    from gan_cli.sweeps.sweep import plan, run

    words = words_of(overrides)
    arguments = arguments_of(config_dir, _place(from_run), words)
    composer = composer_of("train", arguments)
    planned = plan(composer, arguments, composer.parse(words), True)
    if planned.by_hydra:
        raise UserError(
            "hydra/launcher, hydra/sweeper: Hydra's own start jobs from the command line alone: gan train -m"
        )
    swept = run(planned, ["gan_cli.sweep", *words], of_a_call())
    text = "; ".join(swept.lines)
    if swept.code > 128:
        number = swept.code - 128
        raise Interrupted(f"{signal.Signals(number).name}: {text}", number)
    if swept.code:
        raise GanError(f"{text}; gan_cli.load({str(swept.path)!r}) returns the runs")
    return [Run(job.run_dir) for job in swept.jobs if is_run(Path(job.run_dir))]


def _place(run: Run | str | Path | None) -> Path | None:
    return run if run is None else run.path if isinstance(run, Run) else find(run)
