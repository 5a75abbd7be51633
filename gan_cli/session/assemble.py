"""Opens a run's files and puts together what watches its training: curves, pictures, checkpoints, signals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gan_cli.runs import checkpoint, directory
from gan_cli.runs.boards import Boards
from gan_cli.runs.metrics_log import MetricsLog
from gan_cli.runs.saver import Saver
from gan_cli.session import engines
from gan_cli.session.incidents import Incidents, beside
from gan_cli.session.job import Job
from gan_cli.session.own_callbacks import OwnCallbacks
from gan_cli.session.pictures import ModeCoverage, Pictures, picture_name
from gan_cli.session.progress import Progress, Silent
from gan_cli.training.best import Best
from gan_cli.training.callbacks import Checkpoints, Curves, StopOnNonFinite, StopOnSignal
from gan_cli.training.eager import Eager
from gan_cli.training.health import CriticWatch
from gan_cli.training.probes import CriticProbe, Row, rates
from gan_cli.training.state import TrainState, below

_AVERAGES = "averages/"


@dataclass
class Outputs:
    """The open files of a run, and the screen.

    Attributes:
        run: the run's directory.
        metrics: metrics.jsonl and timing.jsonl.
        board: TensorBoard and trackers.
        progress: the screen.
        incidents: what failed beside the training.
    """

    run: directory.RunDirectory
    metrics: MetricsLog
    board: Boards
    progress: Progress
    incidents: Incidents

    def note(self, text: str) -> None:
        """Write a line to train.log and the screen."""
        self.run.note(text)
        self.progress.note(text)

    def warn(self, text: str) -> None:
        """Write a warning to train.log and the screen; one that the disk is full is shown all the same."""
        with suppress(OSError):
            self.run.note(f"warning: {text}")
        self.progress.note(f"warning: {text}")

    def write_row(self, step: int, row: Row, timing: Row) -> None:
        """Write a row to metrics.jsonl, its times to timing.jsonl, and both to TensorBoard and the screen."""
        self.metrics.scalars(step, row)
        self.metrics.timing(step, timing)
        speeds = {f"speed/{name}": value for name, value in timing.items() if name != "wall_seconds"}
        self.board.scalars(step, row | speeds)
        self.progress.show(row)

    def sync(self) -> None:
        """Return once everything written so far is on the disk."""
        self.metrics.sync()
        self.board.flush()


@dataclass
class Callbacks:
    """What runs the steps, and what is called after each of them.

    Attributes:
        engine: runs a step.
        watch: stops a run that is no longer finite.
        curves: writes the rows.
        pictures: draws samples.
        checkpoints: saves.
        own: calls the user's functions.
        saver: writes what they save.
        stop: ends the run on a signal.
        warnings: to be shown as the session begins.
    """

    engine: Eager
    watch: StopOnNonFinite
    curves: Curves
    pictures: Callable[..., None]
    checkpoints: Checkpoints
    own: OwnCallbacks
    saver: Saver
    stop: StopOnSignal
    warnings: list[str]


def open_outputs(job: Job) -> Outputs:
    """Open the files of the run, and cut what was written after the checkpoint.

    Raises:
        OSError: a full disk, for one.
        UserError: files of another run, or damaged ones.
    """
    config, run, step = job.plan.config, job.run, job.state.step
    run.write_config(config.replace(run_dir=str(run.path)).plain())
    first, kept = _first_row(job)
    metrics = MetricsLog(run.path, kept if job.earlier else None)
    progress = Progress(job.state.total_steps, step, None if job.extras.caller.progress else Silent())
    status = directory.read_status(run.path) if job.earlier else {}
    incidents = Incidents(run, progress.note, status, step)
    board = Boards(run.path, first if job.earlier else None, config.log.to, incidents.failed)
    return Outputs(run, metrics, board, progress, incidents)


def assemble(job: Job, outputs: Outputs) -> Callbacks:
    """Return what runs and watches the training."""
    config, data, device, state = job.plan.config, job.data, job.plan.device, job.state
    log, saving, extras = config.log, config.checkpoint, job.extras
    every, picture_every = log.every_steps, log.samples_every_steps
    engine = engines.make(config, job.plan.parts.updates, data, device, extras.group)
    watch = StopOnNonFinite.every(every, device)
    probes: list[Any] = [CriticProbe(data.heldout, engine.next_real, config.seed, device)]
    if data.modes:
        probes.append(ModeCoverage(data, every, picture_every, config.seed, device))
    if state.game.schedule.moves_rates:
        probes.append(rates)
    if extras.evaluation:
        probes.append(extras.evaluation)
    guarded = [beside(p, lambda step, p=p: type(p).__name__, outputs.incidents, dict) for p in probes]
    health = CriticWatch(outputs.incidents.warn, config.constraint.arguments.get("c"))
    batch_size = config.train.batch_size
    curves = Curves(every, batch_size, [*guarded, health], outputs.write_row, outputs.progress.update)
    if job.found:
        curves.averages.load(below(job.found.tensors, _AVERAGES))
    redraw = _first_row(job)[0] <= state.step
    folder = job.run.path / directory.SAMPLES
    drawn = Pictures(picture_every, log.sample_count, folder, data, outputs.board, config.seed, device, redraw)
    pictures = beside(drawn, _picture_path, outputs.incidents, lambda: None)
    warnings = [*(job.earlier.warnings if job.earlier else ()), *job.plan.warnings]
    best = _best(job, curves, outputs, warnings) if saving.best else None

    def saved(step: int) -> None:
        job.run.note(f"saved step {step}")
        job.run.write_status("running", step=step, saved_step=step)

    milestones = saving.milestone_every_steps
    saver = Saver(job.run.checkpoints, saving.keep, milestones, saving.background, outputs.sync, saved, outputs.warn)

    def save(state: TrainState) -> None:
        watch.look()
        tensors = state.tensors() | {_AVERAGES + tag: t for tag, t in curves.averages.state().items()}
        saver.save(state.step, tensors, _meta(job) | (best.meta() if best else {}))

    checkpoints = Checkpoints(save, saver, saving.every_steps, saving.every_seconds, milestones, best)
    agreed = extras.group.agreed if extras.group else None
    stop = StopOnSignal(checkpoints.save_and_wait, str(job.run.path), agreed, extras.caller.stops)
    own = OwnCallbacks(extras.caller.callbacks, checkpoints.save_and_wait)
    return Callbacks(engine, watch, curves, pictures, checkpoints, own, saver, stop, warnings)


def _first_row(job: Job) -> tuple[int, int]:
    """Return the first step whose rows are written again, and the last whose rows stay.

    A checkpoint with averages was saved inside a window of the log, which continues to the next multiple of
    log.every_steps as it is now; the row that the end of the run cut short there goes.
    """
    step = job.state.step
    kept = step - 1 if job.found and below(job.found.tensors, _AVERAGES) else step
    return (0 if step == 0 else kept + 1), kept


def _best(job: Job, curves: Curves, outputs: Outputs, warnings: list[str]) -> Best:
    saving, log = job.plan.config.checkpoint, job.plan.config.log
    evaluation = job.extras.evaluation
    seldom = max(log.samples_every_steps, evaluation.every_steps if evaluation else 0)
    best = Best(saving.best, saving.best_is, log.every_steps, seldom, lambda: curves.last, outputs.warn)
    if job.found:
        best.load(job.found.meta)
    if best.step is not None and best.step not in checkpoint.steps(job.run.checkpoints):
        warnings.append(f"the best checkpoint, of step {best.step}, is missing; the next better one will be kept")
    return best


def _meta(job: Job) -> dict[str, Any]:
    """Return what a checkpoint holds beside tensors."""
    state = job.state
    return {
        "step": state.step,
        "real_batches": state.real_batches,
        "critic_updates": state.critic_updates,
        "sample_shape": list(job.data.shape),
        **({} if job.data.source_shape is None else {"source_shape": list(job.data.source_shape)}),
        **({"task": of_task} if (of_task := state.game.task.meta()) else {}),
        "settings": job.plan.config.plain(),
        "data": job.data.fingerprint,
        "n_classes": state.game.condition.n_classes,
    }


def _picture_path(step: int) -> str:
    """Return a step's picture, from the run's directory on."""
    return f"{directory.SAMPLES}/{picture_name(step)}"
