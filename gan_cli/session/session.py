"""Trains one run in this process, from an opened run directory to a finished, stopped or failed one."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import torch._dynamo  # noqa: F401  (every optimizer imports it; here it takes less time)
import yaml

from gan_cli.config.identity import leaves, listed
from gan_cli.config.names import readable
from gan_cli.core.files import replace_file
from gan_cli.core.text import one_line, shell_line
from gan_cli.data import unused
from gan_cli.data.source import RealData
from gan_cli.errors import GanError, Interrupted, UserError
from gan_cli.runs import directory
from gan_cli.runs.metrics_log import encoded
from gan_cli.session import engines, runtime
from gan_cli.session.assemble import Callbacks, Outputs, assemble, open_outputs
from gan_cli.session.job import Job
from gan_cli.session.own_callbacks import Stopped, name_of
from gan_cli.session.provenance import provenance, unlike
from gan_cli.training.phases import Logs
from gan_cli.training.state import TrainState
from gan_cli.training.state_checks import failed_in_step
from gan_cli.training.trainer import fit

_USES = {  # by what a generator reads beside z: the command that uses it, and what it does
    None: ("sample", "` draws from the generator"),
    "image": ("sample", " source=PICTURES` applies the generator to pictures"),
    "vector": ("tag", " PICTURES` finds words for pictures"),
}
_SHOWN = 20  # classes in a line


class Session(Job):
    """One process's part of a run. `open` opens its files; `train` does so too where nobody has."""

    outputs: Outputs
    callbacks: Callbacks
    _is_open = False

    def open(self) -> Session:
        """Open the run's files and put together what watches the training; from here on the directory is written.

        Raises:
            GanError: they cannot be written.
        """
        try:
            self.outputs = open_outputs(self)
            self.callbacks = assemble(self, self.outputs)
        except OSError as error:
            raise unopened(self.run, error) from error
        self._is_open = True
        return self

    def train(self) -> None:
        """Train to the end, or until a function of the user's stops it; leave the reason of such an end in run.json.

        Raises:
            GanError: the run stopped early, or something beside the training failed; its message says why.
        """
        if not self._is_open:
            self.open()
        outputs, watchers, group = self.outputs, self.callbacks, self.extras.group
        with ExitStack() as stack:
            for close in (self.run.close, self._close_board, outputs.progress.close, watchers.saver.close):
                stack.callback(close)
            stack.enter_context(watchers.stop)
            try:
                if group:
                    group.begin(self.state)
                self._describe()
                if self.plan.parts.given.networks and self.found is None:
                    watchers.checkpoints.save(self.state)  # no seed draws the weights that the run begins with
                after = [watchers.watch, watchers.curves, watchers.pictures, watchers.checkpoints, watchers.own]
                fit(self.state, self._runner(), [*after, watchers.stop])
                final = encoded(watchers.curves.last)
                self.run.write_status("finished", step=self.state.step, final=final, **outputs.incidents.facts())
            except BaseException as error:
                self._ended(error)
                if isinstance(error, Stopped):
                    outputs.progress.note(f"{error}; `{resumed(self.run.path)}` continues it")
                    return
                explained = self._explained(error)
                raise explained from (None if explained is error else error)
            command, rest = _USES[self.state.game.task.reads]
            prefixes = self.plan.config.allow_targets
            allowed = [f"allow_targets=[{','.join(prefixes)}]"] if prefixes else []
            line = shell_line("gan", command, self.run.path, *allowed)
            outputs.note(f"finished {self.state.step} steps; `{line}{rest}")
        watchers.stop.check()
        outputs.incidents.check()

    def _runner(self) -> Callable[[TrainState], list[Logs]]:
        """Return what runs a step: the engine, watched for the first steps where the config asks for a profile."""
        config, engine = self.plan.config, self.callbacks.engine
        if not config.runtime.profile:
            return engine
        from gan_cli.training import profile  # loads triton

        if (left := self.state.total_steps - self.state.step) < profile.STEPS:
            self.outputs.warn(f"runtime.profile=true: {profile.STEPS} steps are needed, {left} are left: no profile")
            return engine
        folder = self.run.inside / directory.PROFILE
        eager = engine
        if config.runtime.engine != "eager":
            eager = engines.make(config, self.plan.parts.updates, self.data, self.plan.device, engine="eager")
        return profile.Profile(engine, eager, folder, self.plan.device, config.runtime.precision, self.outputs.note)

    def _describe(self) -> None:
        """Say in run.json, train.log, TensorBoard and on the screen what begins here."""
        config, extras, outputs, warnings = self.plan.config, self.extras, self.outputs, self.callbacks.warnings
        now = provenance(self.plan.device, self.data.fingerprint)
        now |= {"precision": config.runtime.precision, "engine": config.runtime.engine}
        now["processes"] = extras.group.size if extras.group else 1
        if extras.caller.command:
            now["command"] = [*extras.caller.command]
            del now["command_line"]  # a call from Python is none
        now |= {"callbacks": list(map(name_of, extras.caller.callbacks))} if extras.caller.callbacks else {}
        before = self.run.status
        sessions = before.get("sessions", [])
        if sessions and (changes := unlike(sessions[-1], now)):
            warnings.append(changes)
        if forced := self.earlier.forced if self.earlier else {}:
            now["forced"] = {key: {"old": pair.old, "new": pair.new} for key, pair in forced.items()}
            warnings.append(f"force=true: this run continues with other settings, {listed(forced)}")
        step, known = self.state.step, before.get("choices")
        choices = dict(extras.choices or (known if isinstance(known, dict) else {}))
        here: dict[str, Any] = {"step": step, "saved_step": step or None, "sessions": [*sessions, now]}
        here |= {"choices": choices} if choices else {}
        here |= {"classes": classes} if (classes := _classes(self.data)) else {}
        here |= {"evaluation": extras.evaluation.protocol()} if extras.evaluation else {}
        here |= {"from": extras.base} if extras.base else {}
        self.run.write_status("running", reason="", **here, **outputs.incidents.facts())
        outputs.note(f"{self.run.path}: {summary(self)}")
        if extras.base:
            words = " ".join(extras.base["overrides"])
            outputs.note(f"with the settings of {extras.base['run']}" + (f", changed by {words}" if words else ""))
        for note in (*_listed(classes), *self._unused(), *self.data.notes, *self.plan.notes):
            outputs.note(note)
        if self.earlier and self.earlier.changed:
            outputs.note(f"unlike the session before: {listed(self.earlier.changed)}")
        if self.plan.engine.reason:
            outputs.note(f"runtime.engine=auto is {self.plan.engine.engine}: {self.plan.engine.reason}")
        if extras.evaluation:
            outputs.note(extras.evaluation.summary())
        for warning in warnings:
            outputs.note(f"warning: {warning}")
        plain = config.plain()
        outputs.board.describe(yaml.safe_dump(plain, sort_keys=False), flat(readable(plain, choices)))

    def _unused(self) -> list[str]:
        """Write the list of what looks like a picture and is not used, and return the line that says so, if any."""
        found, name = self.data.unused, directory.UNUSED
        if not found:
            (self.run.inside / name).unlink(missing_ok=True)
            return []
        replace_file(self.run.inside / name, [unused.listing(found)])
        return [f"not used: {unused.summary(found)} (all are listed in {self.run.path / name})"]

    def _ended(self, error: BaseException) -> None:
        """Leave the reason behind; a disk too full for that must not hide it from the user."""
        try:
            self.callbacks.saver.wait()
        except Exception as late:
            self.outputs.warn(f"a checkpoint was still being written, and failed: {late}")
        status = "interrupted" if isinstance(error, (Interrupted, Stopped)) else "failed"
        reason = str(error) or type(error).__name__
        with suppress(OSError):
            self.run.write_status(status, step=self.state.step, reason=reason, **self.outputs.incidents.facts())
            self.run.note(f"{status}: {reason}")

    def _explained(self, error: BaseException) -> BaseException:
        """Return an error of the machine's as one that names the fix; any other error as it is."""
        if isinstance(error, Exception) and (explained := runtime.out_of_memory(error, self.plan.config)):
            return explained
        if isinstance(error, OSError):
            if not self.run.is_there():
                return GanError(f"{self.run.path} was removed or replaced while the run was writing there")
            return GanError(
                f"{self.run.named(error)}; the checkpoints are intact, and `{resumed(self.run.path)}` continues from "
                f"the newest once that is fixed"
            )
        if self.found and self.state.step == self.found.meta["step"] and failed_in_step(error):
            return UserError(
                f"{self.found.path} does not fit the config beside it: the optimizer's first step from there failed "
                f"({type(error).__name__}: {one_line(error)})"
            )
        return error

    def _close_board(self) -> None:
        finished = self.state.step >= self.state.total_steps
        with suppress(OSError):  # shown already: by the row, picture or checkpoint that did not fit
            self.outputs.board.close(success=finished)


def resumed(path: Path) -> str:
    """Return the command that continues a run."""
    return shell_line("gan", "resume", path)


def unopened(run: directory.RunDirectory, error: OSError) -> GanError:
    """Return an error of the machine's that kept a run from being continued as one that says what to do."""
    return GanError(f"{run.named(error)}; no checkpoint is changed, and the same command continues once that is fixed")


def summary(job: Job) -> str:
    """Return in one line how long a run trains, on what, and on how much."""
    state, data, group = job.state, job.data, job.extras.group
    of = job.plan.config.runtime
    sizes = {player: sum(p.numel() for p in params) for player, params in state.params.items()}
    start = f", from step {state.step}" if state.step else ""
    threads = f"{of.threads} threads"
    workers = f"{group.size} processes of {threads}" if group else threads
    shape = " x ".join(map(str, data.shape))
    if data.train.size is None:
        samples = f"unlimited samples of {shape}"
    else:
        samples = f"{data.train.size:,} samples of {shape}, {data.heldout.size or 0:,} held out"
    return (
        f"{state.total_steps} steps{start} on {of.device} ({of.precision}, {of.engine} engine, {workers}), generator "
        f"{sizes['generator']:,} and critic {sizes['critic']:,} parameters, {samples}"
    )


def _classes(data: RealData) -> list[dict[str, Any]]:
    """Return the classes as run.json has them: each name, and how many samples it has, where they are counted."""
    names = data.class_names or ()
    if data.class_sizes is None:
        return [{"name": name} for name in names]
    return [{"name": name, "samples": size} for name, size in zip(names, data.class_sizes, strict=True)]


def _listed(classes: list[dict[str, Any]]) -> list[str]:
    """Return a line with the classes and how many samples each has; [] without classes."""
    words = [f"{one['name']} ({one['samples']:,})" if "samples" in one else one["name"] for one in classes[:_SHOWN]]
    more = f", and {len(classes) - _SHOWN} more in run.json" if len(classes) > _SHOWN else ""
    heading = "class and its samples" if len(classes) == 1 else "classes and their samples"
    return [f"{len(classes)} {heading}: {', '.join(words)}{more}"] if classes else []


def flat(plain: dict[str, Any]) -> dict[str, str | float | int | bool]:
    """Return nested values as one level of dotted keys, lists, None and numbers that are not finite as text."""
    return {
        key: value if isinstance(value, (int, str)) or (type(value) is float and math.isfinite(value)) else str(value)
        for key, value in leaves(plain).items()
        if value != {}
    }
