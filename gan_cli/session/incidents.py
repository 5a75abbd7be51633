"""Failures and warnings beside the training: reported and recorded while the training continues."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from gan_cli.core.text import one_line
from gan_cli.errors import FinishedWithFailures, Interrupted, NonFiniteError
from gan_cli.runs.directory import RunDirectory
from gan_cli.training.state import TrainState

KEPT = 20  # of each kind, in run.json; train.log has them all
FAILURES, WARNINGS = "failures", "warnings"

Given = TypeVar("Given")
Result = TypeVar("Result")
Incident = dict[str, Any]


class Incidents:
    """Failures beside the training, and warnings about it: reported at once, numbered, kept in run.json.

    A report never ends a run: on a disk too full for a line there is still the screen.

    Args:
        run: the run's directory.
        show: prints a line on the screen.
        step: where this session begins; reports of later steps are dropped, since they come again.
    """

    def __init__(self, run: RunDirectory, show: Callable[[str], None], step: int) -> None:
        self.run = run
        self.show = show
        self._kept = {kind: _earlier(run.status.get(kind), step) for kind in (FAILURES, WARNINGS)}
        lasting = [entry for entry in self._kept[FAILURES] if entry.get("lasting", True)]
        self._failed = len(lasting)
        self._first = _text(lasting[0]) if lasting else ""

    def failed(self, step: int, what: str, error: Exception | str, lasting: bool = True) -> None:
        """Report that something beside the training failed, and that the training continues.

        Args:
            step: when.
            what: failed.
            error: or the reason.
            lasting: False: the next session makes up for it.
        """
        reason = error if isinstance(error, str) else self._reason(error)
        self._failed += 1
        self._add(FAILURES, step, what, reason, {} if lasting else {"lasting": False})
        self._first = self._first or _text(self._kept[FAILURES][-1])
        self._report(f"failed at step {step}: {what}: {reason}; the training continues")

    def warn(self, step: int, what: str, reason: str) -> None:
        """Report a problem that does not change how the run ends."""
        self._add(WARNINGS, step, what, reason)
        self._report(f"warning at step {step}: {what}: {reason}")

    def facts(self) -> dict[str, list[Incident]]:
        """Return what run.json says of them: the newest of each kind, numbered from 1."""
        return {kind: list(kept) for kind, kept in self._kept.items()}

    def check(self) -> None:
        """Report a finished run's failures by its exit code.

        Raises:
            FinishedWithFailures: something failed in this session, or in an earlier one.
        """
        if self._failed:
            more = f", and {self._failed - 1} more" if self._failed > 1 else ""
            raise FinishedWithFailures(
                f"{self.run.path} has finished its training, but something else failed: {self._first}{more}; "
                f"run.json lists the newest failures, train.log all of them"
            )

    def recovered(self, step: int, name: str, reason: str, lost: bool) -> None:
        """Report a file of the run's that was damaged, as `recovery.back_to` does."""
        (self.failed if lost else self.warn)(step, name, reason)

    def _add(self, kind: str, step: int, what: str, reason: str, more: Mapping[str, bool] = {}) -> None:
        kept = self._kept[kind]
        number = kept[-1]["number"] + 1 if kept else 1
        kept.append({"number": number, "step": step, "what": what, "reason": reason, **more})
        del kept[:-KEPT]

    def _report(self, text: str) -> None:
        self.show(text)
        self.run.note(text)
        with suppress(OSError):
            self.run.write_status(self.run.status.get("status", "running"), **self.facts())

    def _reason(self, error: Exception) -> str:
        """Return the error in one line; of the machine's errors the file, of others the place that raised it."""
        if isinstance(error, OSError) and error.strerror:
            return one_line(self.run.named(error) if error.filename else error.strerror)
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        return one_line(text)[:500] + place


def beside(
    part: Callable[[TrainState, Given], Result],
    what: Callable[[int], str],
    incidents: Incidents,
    otherwise: Callable[[], Result],
) -> Callable[[TrainState, Given], Result]:
    """Return a callback or probe that cannot end the training by failing.

    Args:
        part: moves nothing of the state, or puts it back when it fails.
        what: names what it was making, given the step.
        incidents: records each failure.
        otherwise: makes what is returned instead.
    """

    def guarded(state: TrainState, given: Given) -> Result:
        try:
            return part(state, given)
        except (NonFiniteError, Interrupted):  # about the training itself
            raise
        except Exception as error:
            incidents.failed(state.step, what(state.step), error)
            return otherwise()

    return guarded


def _text(incident: Incident) -> str:
    return f"{incident['what']} at step {incident['step']}: {incident['reason']}"


def _earlier(content: object, step: int) -> list[Incident]:
    """Return an earlier session's incidents up to a step; what is not of this form goes."""
    kept = [
        {key: entry[key] for key in ("number", "step", "what", "reason", "lasting") if key in entry}
        for entry in (content if isinstance(content, list) else [])
        if isinstance(entry, dict)
        and all(type(entry.get(key)) is int for key in ("number", "step"))
        and all(type(entry.get(key)) is str for key in ("what", "reason"))
        and entry["step"] <= step
    ]
    return kept[-KEPT:]
