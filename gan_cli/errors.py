"""The errors that end a command, and their exit codes."""

from __future__ import annotations

import errno

MISTAKE = 2  # the exit code
_OF_THE_MACHINE = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.ESTALE}


class GanError(Exception):
    """An error that is reported in one line, without a traceback.

    Args:
        message: what was wrong, the value, and what fixes it.
    """

    exit_code = 1
    reported = False  # by another process already

    def _render_traceback_(self) -> list[str]:  # a notebook asks for it
        return [f"{type(self).__name__}: {self}"]


class UserError(GanError):
    """Bad input: config, data, checkpoint or arguments."""

    @property
    def exit_code(self) -> int:
        """2; 1 where it was raised from a failure of the machine, after which the same command may succeed."""
        cause = self.__cause__
        return GanError.exit_code if isinstance(cause, OSError) and cause.errno in _OF_THE_MACHINE else MISTAKE


class FinishedWithFailures(GanError):
    """The run is trained to its end, but something beside the training failed: a picture, a measurement."""

    exit_code = 3


class NonFiniteError(GanError):
    """A loss, gradient norm or parameter became NaN or infinite."""

    exit_code = 70


class Interrupted(GanError):
    """A signal asked the run to stop; its state has been saved.

    Args:
        message: where the run stands and how to continue it.
        signal_number: the signal; the exit code is 128 plus it, as shells have it.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type[Interrupted], tuple[str, int]]:  # a launcher's process sends it back to Hydra
        return type(self), (str(self), self.exit_code - 128)
