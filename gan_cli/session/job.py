"""What one process trains: a checked config, its data, its state, and what an earlier session left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gan_cli.config.identity import Change
from gan_cli.core.signals import OF_A_COMMAND, Stops
from gan_cli.data.source import RealData
from gan_cli.runs.checkpoint_files import Checkpoint
from gan_cli.runs.directory import RunDirectory
from gan_cli.session.build import Plan
from gan_cli.session.own_callbacks import Callback
from gan_cli.session.periodic_evaluation import Evaluation, TagEvaluation
from gan_cli.training.distributed import ProcessGroup
from gan_cli.training.state import TrainState


class Earlier(NamedTuple):
    """What earlier sessions of the run left.

    Attributes:
        found: the checkpoint that the session continues from; None: they were stopped before the first.
        warnings: to be shown as the session begins.
        forced: what the user made differ from them although it makes another run of it.
        changed: what else differs from them, and may.
    """

    found: Checkpoint | None = None
    warnings: Sequence[str] = ()
    forced: Mapping[str, Change] = {}
    changed: Mapping[str, Change] = {}


class Caller(NamedTuple):
    """Who asks for a session.

    Attributes:
        command: what run.json says of it; None: the process's own command line.
        callbacks: functions of the user's, called after each step.
        stops: signals that end the session after the step.
        progress: show on stderr how far the run is.
    """

    command: Sequence[str] | None = None
    callbacks: Sequence[Callback] = ()
    stops: Stops = OF_A_COMMAND
    progress: bool = True


class Extras(NamedTuple):
    """What a session may have besides.

    Attributes:
        choices: the option chosen of each group, for names; None: as an earlier session has it.
        evaluation: scores the generator now and then; None: never.
        group: the processes that train together, of which this is the main one; None: it trains alone.
        caller: who asks for it.
        base: the run whose settings a new one begins with, and what the command line changes of them.
    """

    choices: Mapping[str, str] | None = None
    evaluation: Evaluation | TagEvaluation | None = None
    group: ProcessGroup | None = None
    caller: Caller = Caller()
    base: Mapping[str, Any] | None = None


@dataclass
class Job:
    """Everything that a session needs.

    Attributes:
        plan: the checked config.
        run: the run's directory, held by this process.
        data: the opened dataset.
        state: built from the plan, and restored where there was a checkpoint.
        earlier: None: a new run.
        extras: see there.
    """

    plan: Plan
    run: RunDirectory
    data: RealData
    state: TrainState
    earlier: Earlier | None = None
    extras: Extras = field(default_factory=Extras)

    @property
    def found(self) -> Checkpoint | None:
        """The checkpoint that the session continues from."""
        return self.earlier.found if self.earlier else None
