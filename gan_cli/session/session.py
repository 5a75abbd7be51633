"""One process's part of a run: from a plan and opened data to a finished, stopped or failed run directory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import yaml

from gan_cli.config.identity import Change, listed, unlike
from gan_cli.config.names import readable
from gan_cli.core import hardware
from gan_cli.data.source import RealData
from gan_cli.errors import GanError, Interrupted
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.boards import Boards
from gan_cli.runs.checkpoint import Checkpoint
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import MetricsLog
from gan_cli.runs.saver import Saver
from gan_cli.session import build, engines
from gan_cli.session.incidents import Incidents, beside
from gan_cli.session.pictures import ModeCoverage, Pictures, picture_name
from gan_cli.session.progress import Progress
from gan_cli.training.best import Best
from gan_cli.training.callbacks import Checkpoints, Curves, StopOnNonFinite, StopOnSignal
from gan_cli.training.distributed import Team
from gan_cli.training.health import CriticWatch
from gan_cli.training.phases import Logs
from gan_cli.training.probes import CriticProbe
from gan_cli.training.state import TrainState, below
from gan_cli.training.trainer import fit

if TYPE_CHECKING:
    from gan_cli.session.periodic_evaluation import Evaluation

_AVERAGES = "averages/"


class Session:
    """Trains one run in this process; from here on the run's directory is written.

    Args:
        plan: the checked config.
        run: the run's directory, held by this process.
        data: the opened dataset.
        state: built from the plan, and restored from `found` where there is one.
        found: the checkpoint that the session continues from.
        resumed: the directory holds an earlier session's files.
        warnings: to be told as the session begins.
        forced: what the user made differ from the sessions before although it makes another run of it.
        choices: the option chosen of each group, for names; None: as an earlier session has it.
        evaluation: scores the generator now and then; None: never.
        team: the processes that train together, of which this one leads; None: it trains alone.
    """

    def __init__(
        self,
        plan: build.Plan,
        run: RunDirectory,
        data: RealData,
        state: TrainState,
        found: Checkpoint | None = None,
        resumed: bool = False,
        warnings: Sequence[str] = (),
        forced: Mapping[str, Change] | None = None,
        choices: Mapping[str, str] | None = None,
        evaluation: Evaluation | None = None,
        team: Team | None = None,
    ) -> None:
        self.choices = choices
        self.evaluation = evaluation
        self.team = team
        self.forced = dict(forced or {})
        self.plan, self.run, self.data, self.state = plan, run, data, state
        self.warnings = [*warnings, *plan.warnings]
        try:
            self._open(found, resumed)
        except OSError as error:
            raise GanError(
                f"{error.filename or run.path}: {error.strerror or error}; no checkpoint is touched, and the same "
                "command goes on once that is mended"
            ) from error

    def _open(self, found: Checkpoint | None, resumed: bool) -> None:
        """Open the files of the run."""
        plan, run, step = self.plan, self.run, self.state.step
        run.write_config({**plan.settings, "run_dir": str(run.path)})
        # A checkpoint with averages was saved inside a window of the log, which goes on to the next multiple of
        # log.every_steps as it is now; the row that the end of the run cut short there goes.
        kept = step - 1 if found and below(found.tensors, _AVERAGES) else step
        first = 0 if step == 0 else kept + 1
        self.metrics = MetricsLog(run.path, kept if resumed else None)
        to = plan.settings["log"]["to"]
        self.board = Boards(run.path, first if resumed else None, to, lambda *told: self.incidents.failed(*told))
        self.progress = Progress(self.state.total_steps, step)
        self.incidents = Incidents(run, self.progress.note, directory.read_status(run.path) if resumed else {}, step)
        self._callbacks(found, redraw=first <= step)

    def _callbacks(self, found: Checkpoint | None, redraw: bool) -> None:
        settings, data, device = self.plan.settings, self.data, self.plan.device
        log, saving = settings["log"], settings["checkpoint"]
        seed, batch_size = settings["seed"], settings["train"]["batch_size"]
        every, picture_every = log["every_steps"], log["samples_every_steps"]
        self.engine = engines.make(self.plan, build.updates(settings), data, self.team)
        self.watch = StopOnNonFinite.every(every, device)
        probes: list[Any] = [CriticProbe(data.heldout, self.engine.next_real, seed, device)]
        if data.modes:
            probes.append(ModeCoverage(data, every, picture_every, seed, device))
        if self.evaluation:
            probes.append(self.evaluation)
        guarded = [beside(p, lambda step, p=p: type(p).__name__, self.incidents, dict) for p in probes]
        health = CriticWatch(self.incidents.warn, settings["constraint"])
        self.curves = Curves(every, batch_size, self.metrics, self.board, self.progress, [*guarded, health])
        if found:
            self.curves.averages.load(below(found.tensors, _AVERAGES))
        folder = self.run.path / directory.SAMPLES
        pictures = Pictures(picture_every, log["sample_count"], folder, data, self.board, seed, device, redraw)
        self.pictures = beside(pictures, picture_path, self.incidents, _nothing)
        self.best = self._best(found) if saving["best"] else None
        keep, milestones, background = (saving[key] for key in ("keep", "milestone_every_steps", "background"))
        self.saver = Saver(self.run.checkpoints, keep, milestones, background, self._sync, self._saved, self._warn)
        self.checkpoints = Checkpoints(
            self._save, self.saver, saving["every_steps"], saving["every_seconds"], milestones, self.best
        )
        agreed = self.team.agreed if self.team else None
        self.stop = StopOnSignal(self.checkpoints.save_and_wait, str(self.run.path), agreed)

    def _best(self, found: Checkpoint | None) -> Best:
        saving, log = self.plan.settings["checkpoint"], self.plan.settings["log"]
        every, picture_every = log["every_steps"], log["samples_every_steps"]
        seldom = max(picture_every, self.evaluation.every_steps if self.evaluation else 0)
        best = Best(saving["best"], saving["best_is"], every, seldom, lambda: self.curves.last, self._warn)
        if found:
            best.load(found.meta)
        if best.step is not None and best.step not in checkpoint.steps(self.run.checkpoints):
            self.warnings.append(f"the best checkpoint, of step {best.step}, is not there; a better one will be kept")
        return best

    def train(self) -> None:
        """Train to the end and leave the reason of any other end in run.json.

        Raises:
            GanError: the run stopped early, or something beside the training failed; its message says why.
        """
        with ExitStack() as stack:
            for close in (
                self.run.close,
                self._close_board,
                self.metrics.close,
                self.progress.close,
                self.saver.close,
            ):
                stack.callback(close)
            stack.enter_context(self.stop)
            try:
                if self.team:
                    self.team.begin(self.state)
                self._describe()
                fit(self.state, self._runner(), [self.watch, self.curves, self.pictures, self.checkpoints, self.stop])
                final = encoded(self.curves.last)
                self.run.write_status("finished", step=self.state.step, final=final, **self.incidents.facts())
            except BaseException as error:
                self._ended(error)
                explained = self._explained(error)
                raise explained from (None if explained is error else error)
            self._tell(f"finished {self.state.step} steps; `gan sample {self.run.path}` draws from the generator")
        self.stop.check()
        self.incidents.check()

    def _runner(self) -> Callable[[TrainState], list[Logs]]:
        """Return what runs a step: the engine, watched for the first steps where the config asks for a profile."""
        runtime = self.plan.settings["runtime"]
        if not runtime["profile"]:
            return self.engine
        from gan_cli.training import profile  # loads triton

        if (left := self.state.total_steps - self.state.step) < profile.STEPS:
            self._warn(f"runtime.profile=true: {profile.STEPS} steps are needed, {left} are left: no profile")
            return self.engine
        folder = self.run.path / directory.PROFILE
        eager = self.engine
        if runtime["engine"] != "eager":
            eager = engines.make(self.plan, build.updates(self.plan.settings), self.data, engine="eager")
        return profile.Profile(self.engine, eager, folder, self.plan.device, runtime["precision"], self._tell)

    def _describe(self) -> None:
        """Say in run.json, train.log, TensorBoard and on the screen what begins here."""
        settings = self.plan.settings
        now = directory.provenance(self.plan.device, self.data.fingerprint)
        now |= {key: settings["runtime"][key] for key in ("precision", "engine")}
        now["processes"] = self.team.size if self.team else 1
        before = directory.read_status(self.run.path)
        sessions = before.get("sessions", [])
        if sessions and (changes := unlike(sessions[-1], now)):
            self.warnings.append(changes)
        if self.forced:
            now["forced"] = {key: {"old": pair.old, "new": pair.new} for key, pair in self.forced.items()}
            self.warnings.append(f"force=true: this run goes on as another one, {listed(self.forced)}")
        step = self.state.step
        here = {"step": step, "saved_step": step or None, "sessions": [*sessions, now]}
        known = before.get("choices")
        choices = dict(self.choices or (known if isinstance(known, dict) else {}))
        here |= {"choices": choices} if choices else {}
        here |= {"evaluation": self.evaluation.protocol()} if self.evaluation else {}
        self.run.write_status("running", reason="", **here, **self.incidents.facts())
        self._tell(f"{self.run.path}: {self._summary()}")
        if self.plan.engine.reason:
            self._tell(f"runtime.engine=auto is {self.plan.engine.engine}: {self.plan.engine.reason}")
        if self.evaluation:
            self._tell(self.evaluation.summary())
        for warning in self.warnings:
            self._tell(f"warning: {warning}")
        self.board.describe(yaml.safe_dump(settings, sort_keys=False), flat(readable(settings, choices)))

    def _summary(self) -> str:
        runtime = self.plan.settings["runtime"]
        sizes = {player: sum(p.numel() for p in params) for player, params in self.state.params.items()}
        start = f", from step {self.state.step}" if self.state.step else ""
        return (
            f"{self.state.total_steps} steps{start} on {runtime['device']} ({runtime['precision']}, "
            f"{runtime['engine']} engine, {self._workers()}), generator {sizes['generator']:,} and critic "
            f"{sizes['critic']:,} parameters, {self._data_summary()}"
        )

    def _workers(self) -> str:
        threads = f"{self.plan.settings['runtime']['threads']} threads"
        return f"{self.team.size} processes of {threads}" if self.team else threads

    def _data_summary(self) -> str:
        sizes = [source.size for source in (self.data.train, self.data.heldout)]
        shape = " x ".join(map(str, self.data.shape))
        if sizes[0] is None:
            return f"unlimited samples of {shape}"
        return f"{sizes[0]:,} samples of {shape}, {sizes[1] or 0:,} held out"

    def _ended(self, error: BaseException) -> None:
        """Leave the reason behind; a disk too full for that must not hide it from the user."""
        try:
            self.saver.wait()
        except Exception as late:
            self._warn(f"a checkpoint was still being written, and failed: {late}")
        status = "interrupted" if isinstance(error, Interrupted) else "failed"
        reason = str(error) or type(error).__name__
        with suppress(OSError):
            self.run.write_status(status, step=self.state.step, reason=reason, **self.incidents.facts())
            self.run.note(f"{status}: {reason}")

    def _explained(self, error: BaseException) -> BaseException:
        """Return an error of the machine's as one that names the mend; any other error as it is."""
        if isinstance(error, FileNotFoundError) and not (self.run.path / directory.CONFIG).exists():
            return GanError(f"{self.run.path} is gone: something removed it while the run wrote there")
        if isinstance(error, OSError):
            return GanError(
                f"{error.filename or self.run.path}: {error.strerror or error}; the checkpoints are intact, and "
                f"`gan resume {self.run.path}` continues from the newest once that is mended"
            )
        if isinstance(error, RuntimeError):
            return hardware.out_of_memory(error, self.plan.settings) or error
        return error

    def _save(self, state: TrainState) -> None:
        self.watch.look()
        tensors = state.tensors() | {_AVERAGES + tag: t for tag, t in self.curves.averages.state().items()}
        meta = {
            "step": state.step,
            "real_batches": state.real_batches,
            "critic_updates": state.critic_updates,
            "sample_shape": list(self.data.shape),
            "settings": self.plan.settings,
            "data": self.data.fingerprint,
            "n_classes": state.game.condition.n_classes,
        }
        self.saver.save(state.step, tensors, meta | (self.best.meta() if self.best else {}))

    def _sync(self) -> None:
        self.metrics.sync()
        self.board.flush()

    def _saved(self, step: int) -> None:
        self.run.note(f"saved step {step}")
        self.run.write_status("running", step=step, saved_step=step)

    def _warn(self, text: str) -> None:
        with suppress(OSError):  # a warning that the disk is full is shown all the same
            self.run.note(f"warning: {text}")
        self.progress.note(f"warning: {text}")

    def _tell(self, text: str) -> None:
        self.run.note(text)
        self.progress.note(text)

    def _close_board(self) -> None:
        finished = self.state.step >= self.state.total_steps
        with suppress(OSError):  # told already: by the row, picture or checkpoint that did not fit
            self.board.close(success=finished)


def picture_path(step: int) -> str:
    """Return a step's picture, from the run's directory on."""
    return f"{directory.SAMPLES}/{picture_name(step)}"


def _nothing() -> None:
    """What a picture that could not be drawn leaves."""


def encoded(row: Mapping[str, float]) -> dict[str, float | str]:
    """Return values as strict JSON has them: a NaN or infinity as text."""
    return {tag: value if math.isfinite(value) else str(value) for tag, value in row.items()}


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, str | float | int | bool]:
    """Return nested settings as one level of dotted keys, lists and None as text."""
    result: dict[str, str | float | int | bool] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, float) and not math.isfinite(value):
            result[prefix + key] = str(value)
        else:
            result[prefix + key] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return result
