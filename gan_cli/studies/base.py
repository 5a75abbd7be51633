"""The role of a study: what it trains, what it claims, and how finished runs become a figure and numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import NonNegativeInt, PositiveFloat

from gan_cli.studies.measured import Claim, Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_cli.api.run import Run
    from gan_cli.training.state import TrainState

Runs = Mapping[str, Sequence["Run"]]  # the runs of each name, one for each seed


class Finding(NamedTuple):
    """What a study found.

    Attributes:
        figure: in the style of the paper's.
        measured: the number of each claim, by the claim's name.
        lines: what else there is to say, for people.
        numbers: further values, for study.json.
    """

    figure: Figure
    measured: Mapping[str, Measured]
    lines: Sequence[str] = ()
    numbers: Mapping[str, Any] = {}


class Study(ABC):
    """A claim of a paper and the runs that test it. A YAML in conf/study gives the arguments.

    Args:
        runs: overrides of each run, by its name; each is trained once for each seed. `init_from=@NAME` begins with the
            weights of the run NAME of the same seed. Empty: nothing is trained.
        each: further overrides by name: every run is trained with each of them, and is called `RUN NAME`.
        claims: by name.
        common: overrides of every run.
        quick: further overrides of every run in the quick form.
        full: likewise in the full form.
        seeds: of the quick form.
        full_seeds: of the full form.
        minutes: that the quick form takes on two CPU cores.
        notes: what differs from the paper, and how the numbers are measured.
    """

    def __init__(
        self,
        *,
        runs: dict[str, list[str]],
        claims: dict[str, Claim],
        minutes: PositiveFloat,
        each: dict[str, list[str]] | None = None,
        common: list[str] | None = None,
        quick: list[str] | None = None,
        full: list[str] | None = None,
        seeds: list[NonNegativeInt] | None = None,
        full_seeds: list[NonNegativeInt] | None = None,
        notes: str = "",
    ) -> None:
        further = each or {"": []}
        self.runs = {f"{run} {name}".strip(): [*a, *b] for run, a in runs.items() for name, b in further.items()}
        self.claims = {name: Claim.model_validate(claim) for name, claim in claims.items()}
        self.minutes = minutes
        self.notes = notes
        self._overrides = {False: [*(common or []), *(quick or [])], True: [*(common or []), *(full or [])]}
        self._seeds = {False: seeds or [0], True: full_seeds or seeds or [0]}

    def seeds(self, full: bool) -> list[int]:
        """Return the seeds of the quick or of the full form."""
        return self._seeds[full]

    def words(self, name: str, full: bool) -> list[str]:
        """Return the overrides of a run in the quick or in the full form."""
        return [*self._overrides[full], *self.runs[name]]

    def watch(self, state: TrainState, logs: Mapping[str, float]) -> Mapping[str, float]:
        """Return values to keep after a step, which `running.watched` reads; {}: none after this one.

        Args:
            state: as it is after the step; it must not be changed.
            logs: the step's curves.
        """
        return {}

    @abstractmethod
    def look(self, runs: Runs) -> Finding:
        """Turn finished runs into a figure and a number for each claim.

        Args:
            runs: by name, as in the YAML, one for each seed.
        """
