"""Opens a run's files and puts together what watches its training: curves, pictures, checkpoints, signals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from gan_cli.runs import checkpoint, directory
from gan_cli.runs.boards import Boards
from gan_cli.runs.contents import contents_of
from gan_cli.runs.recovery import back_to
from gan_cli.runs.saver import Saver
from gan_cli.session import engines
from gan_cli.session.incidents import Incidents, beside
from gan_cli.session.job import Job
from gan_cli.session.own_callbacks import OwnCallbacks
from gan_cli.session.pictures import ModeCoverage, Pictures
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
        board: takes rows and pictures.
        progress: the screen.
        incidents: what failed beside the training.
    """

    run: directory.RunDirectory
    board: Boards
    progress: Progress
    incidents: Incidents

    def note(self, text: str) -> None:
        """Write a line to train.log and the screen."""
        self.run.note(text)
        self.progress.note(text)

    def warn(self, text: str) -> None:
        """Write a warning to train.log and the screen."""
        self.note(f"warning: {text}")

    def write_row(self, step: int, row: Row, timing: Row) -> None:
        """Write a row and its times to where the run can be watched, and to the screen."""
        self.board.row(step, row, timing)
        self.progress.show(row)


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
    """Open the files of the run, after they are brought back to where the state is.

    Raises:
        OSError: a full disk, for one.
    """
    config, run, step = job.plan.config, job.run, job.state.step
    run.write_config(config.replace(run_dir=str(run.path)).plain())
    first, kept = _first_row(job)
    progress = Progress(job.state.total_steps, step, None if job.extras.caller.progress else Silent())
    incidents = Incidents(run, progress.note, step)
    if job.earlier:
        back_to(run, contents_of(job.found.meta) if job.found else {}, kept, partial(incidents.recovered, step))
    board = Boards(run, first if job.earlier else None, config.log.to, partial(incidents.failed, lasting=False))
    return Outputs(run, board, progress, incidents)


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
    drawn = Pictures(picture_every, log.sample_count, data, outputs.board, config.seed, device, redraw)
    pictures = beside(drawn, drawn.names, outputs.incidents, lambda: None)
    warnings = [*(job.earlier.warnings if job.earlier else ()), *job.plan.warnings]
    best = _best(job, curves, outputs, warnings) if saving.best else None

    def saved(step: int) -> None:
        job.run.note(f"saved step {step}")
        try:
            job.run.write_status("running", step=step, saved_step=step)
        except OSError as error:
            outputs.warn(f"the checkpoint is safe, {job.run.named(error)}")

    milestones = saving.milestone_every_steps
    saver = Saver(job.run, saving.keep, milestones, saving.background, saved, outputs.warn)

    def save(state: TrainState) -> None:
        watch.look()
        tensors = state.tensors() | {_AVERAGES + tag: t for tag, t in curves.averages.state().items()}
        saver.save(state.step, tensors, _meta(job, _kept(state.step, tensors)) | (best.meta() if best else {}))

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
    kept = _kept(step, job.found.tensors if job.found else {})
    return (0 if step == 0 else kept + 1), kept


def _kept(step: int, tensors: Mapping[str, Any]) -> int:
    return step - 1 if below(tensors, _AVERAGES) else step


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


def _meta(job: Job, kept: int) -> dict[str, Any]:
    """Return what a checkpoint holds beside tensors.

    Args:
        job: about to save its state.
        kept: the last step whose rows and pictures stay where the run continues from here.
    """
    state, contents = job.state, job.run.contents(kept)
    finished = state.step == state.total_steps
    last = {name: entry for name, entry in job.run.contents().items() if entry != contents.get(name)}
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
        "run": {"status": dict(job.run.status), "contents": contents, "at_end": last if finished else {}},
    }
