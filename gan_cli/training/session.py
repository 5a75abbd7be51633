"""One process's part of a run: from a plan and opened data to a finished, stopped or failed run directory."""

from __future__ import annotations

import math
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
import yaml

from gan_cli import build, hardware
from gan_cli.data.source import RealData
from gan_cli.errors import GanError, Interrupted, UserError
from gan_cli.training import checkpoint, rundir
from gan_cli.training.callbacks import Checkpoints, Curves, StopOnNonFinite, StopOnSignal
from gan_cli.training.engine import Eager
from gan_cli.training.metrics_log import MetricsLog
from gan_cli.training.pictures import ModeCoverage, Pictures
from gan_cli.training.probes import CriticProbe
from gan_cli.training.progress import Progress
from gan_cli.training.rundir import RunDirectory
from gan_cli.training.state import TrainState
from gan_cli.training.tensorboard import Board
from gan_cli.training.trainer import fit

_AVERAGES = "averages/"


class Session:
    """Trains one run in this process.

    Args:
        plan: the checked config.
        run: its directory, held by this process.
        data: the opened dataset.
        resume: continue from the newest good checkpoint of the directory.

    Raises:
        UserError: no checkpoint verifies, or it belongs to another config.
    """

    def __init__(self, plan: build.Plan, run: RunDirectory, data: RealData, resume: bool) -> None:
        self.plan, self.run, self.data = plan, run, data
        settings = plan.settings
        hardware.apply(settings["runtime"])
        self.state = build.state(settings, data.shape, plan.device)
        passed_over: list[str] = []
        found = checkpoint.load(run.checkpoints, passed_over.append) if resume else None
        if found:
            self._restore(found)
        step, every = self.state.step, settings["log"]["every_steps"]
        # The last row before a resume may be of a window that goes on: it is written again when the window closes.
        last_whole = step - 1 if step % every else step
        self.metrics = MetricsLog(run.path, last_whole if found else None)
        self.board = Board(run.path, last_whole + 1 if found else None)
        self.progress = Progress(self.state.total_steps, step, "critic/wasserstein_estimate")
        for warning in passed_over:
            self._tell(f"warning: {warning}")
        self._callbacks(found, redraw=not found or last_whole < step)

    def _callbacks(self, found: checkpoint.Checkpoint | None, redraw: bool) -> None:
        settings, device = self.plan.settings, self.plan.device
        log, seed, batch_size = settings["log"], settings["seed"], settings["train"]["batch_size"]
        every = log["every_steps"]
        self.watch = StopOnNonFinite(every if device.type == "cuda" else 1)
        probes: list[Any] = [CriticProbe(self.data.heldout, batch_size, seed, device)]
        if self.data.modes:
            probes.append(ModeCoverage(self.data, every, log["samples_every_steps"], seed, device))
        self.curves = Curves(every, batch_size, self.metrics, self.board, self.progress, probes)
        if found:
            prefix = _AVERAGES
            saved = {n.removeprefix(prefix): t for n, t in found.tensors.items() if n.startswith(prefix)}
            self.curves.averages.load(saved)
        samples = self.run.path / rundir.SAMPLES
        picture_steps, count = log["samples_every_steps"], log["sample_count"]
        self.pictures = Pictures(picture_steps, count, samples, self.data, self.board, seed, device, redraw)
        saving = settings["checkpoint"]
        self.checkpoints = Checkpoints(self._save, saving["every_steps"], saving["every_seconds"])
        self.stop = StopOnSignal(self.checkpoints.save, str(self.run.path))

    def train(self) -> None:
        """Train to the end and leave the reason of any other end in run.json.

        Raises:
            GanError: the run stopped early; its message says why.
        """
        state, settings = self.state, self.plan.settings
        engine = Eager(
            build.updates(settings),
            self.data.train,
            settings["train"]["batch_size"],
            settings["seed"],
            self.plan.device,
        )
        now = rundir.provenance(self.plan.device, self.data.fingerprint)
        changes = rundir.changes(rundir.read_status(self.run.path), now)
        self.run.write_status("running", **now, step=state.step)
        self._tell(f"{self.run.path}: {self._summary()}")
        if changes:
            self._tell(f"warning: not the machine of the first part ({changes}): the run goes on, but not bit for bit")
        for warning in self.plan.warnings:
            self._tell(f"warning: {warning}")
        with ExitStack() as stack:
            stack.push(self._close)
            stack.enter_context(self.stop)
            self.board.text("config", f"```yaml\n{yaml.safe_dump(settings, sort_keys=False)}```")
            self.board.layout()
            self.board.hparams(flat(settings))
            callbacks = [self.watch, self.curves, self.pictures, self.checkpoints, self.stop]
            try:
                fit(state, engine, callbacks)
            except Interrupted as error:
                raise self._ended("interrupted", error) from None
            except GanError as error:
                raise self._ended("failed", error) from None
            except (torch.OutOfMemoryError, RuntimeError, OSError) as error:
                raise self._ended("failed", self._explained(error)) from error
            except BaseException as error:
                self._ended("failed", error)
                raise
            self.run.write_status("finished", step=state.step, final=self.curves.last, reason="")
            self._tell(f"finished {state.step} steps; `gan sample {self.run.path}` draws from the generator")

    def _summary(self) -> str:
        runtime = self.plan.settings["runtime"]
        sizes = {player: sum(p.numel() for p in params) for player, params in self.state.params.items()}
        start = f", from step {self.state.step}" if self.state.step else ""
        return (
            f"{self.state.total_steps} steps{start} on {runtime['device']} ({runtime['precision']}, "
            f"{runtime['engine']} engine, {runtime['threads']} threads), generator {sizes['generator']:,} and critic "
            f"{sizes['critic']:,} parameters, {self._data_summary()}"
        )

    def _data_summary(self) -> str:
        sizes = [source.size for source in (self.data.train, self.data.heldout)]
        shape = " x ".join(map(str, self.data.shape))
        if sizes[0] is None:
            return f"unlimited samples of {shape}"
        return f"{sizes[0]:,} samples of {shape}, {sizes[1] or 0:,} held out"

    def _ended(self, status: str, error: BaseException) -> BaseException:
        reason = str(error) or type(error).__name__
        self.run.write_status(status, step=self.state.step, reason=reason)
        self.run.note(f"{status}: {reason}")
        return error

    def _explained(self, error: Exception) -> Exception:
        """Return an error of the machine's as one that names the mend; any other error as it is."""
        if isinstance(error, OSError):
            return GanError(
                f"{error.filename or self.run.path}: {error.strerror or error}; its checkpoints are intact, and "
                f"`gan resume {self.run.path}` continues from the newest once that is mended"
            )
        first_line = str(error).splitlines()[0] if str(error) else ""
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in first_line:
            batch_size = self.plan.settings["train"]["batch_size"]
            return GanError(f"out of memory at train.batch_size={batch_size}: halve it, or model.width ({first_line})")
        return error

    def _save(self, state: TrainState) -> None:
        self.watch.look()
        self.metrics.sync()
        self.board.flush()
        tensors = state.tensors() | {_AVERAGES + tag: t for tag, t in self.curves.averages.state().items()}
        meta = {"step": state.step, "real_batches": state.real_batches, "sample_shape": list(self.data.shape)}
        keep = self.plan.settings["checkpoint"]["keep"]
        path = checkpoint.save(self.run.checkpoints, state.step, tensors, meta, keep)
        self.run.note(f"saved {path.name}")
        self.run.write_status("running", step=state.step)

    def _restore(self, found: checkpoint.Checkpoint) -> None:
        if found.meta["sample_shape"] != list(self.data.shape):
            raise UserError(
                f"{found.path} was trained on samples of {found.meta['sample_shape']}, not {self.data.shape}"
            )
        try:
            self.state.load(found.tensors)
        except (RuntimeError, ValueError, KeyError) as error:
            raise UserError(f"{found.path} does not fit the config beside it: {str(error).splitlines()[0]}") from error
        self.state.step, self.state.real_batches = found.meta["step"], found.meta["real_batches"]

    def _tell(self, text: str) -> None:
        self.run.note(text)
        self.progress.note(text)

    def _close(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.close()
        self.metrics.close()
        self.board.close(success=error is None)
        self.run.close()


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
