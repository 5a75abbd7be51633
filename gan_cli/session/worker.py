"""The processes of a run beside the main one: they train and write nothing."""

from __future__ import annotations

import sys

from gan_cli.config.schema import RunConfig
from gan_cli.errors import Interrupted, NonFiniteError, UserError
from gan_cli.session import build, engines
from gan_cli.training import distributed
from gan_cli.training.callbacks import StopOnNonFinite, StopOnSignal
from gan_cli.training.distributed import ProcessGroup, ProcessLost
from gan_cli.training.state_checks import failed_in_step
from gan_cli.training.trainer import fit


def join(config: RunConfig) -> ProcessGroup | None:
    """Return the group of processes that this one belongs to, once every other has come; None: it trains alone.

    Args:
        config: the run's; checked here, so that no process waits for one that refuses it.

    Raises:
        UserError: a config that several processes cannot run.
    """
    if not distributed.are_several():
        return None
    runtime = build.check(config).config.runtime
    return distributed.join(runtime.device.startswith("cuda"), runtime.batch_norm == "sync")


def follow(config: RunConfig, group: ProcessGroup) -> None:
    """Train with the main process to the end of the run.

    Args:
        config: the run's.
        group: of which this process is not the main one.

    Raises:
        GanError: something of this process's own; the main process reports what ends them all.
        SystemExit: such an end.
    """
    plan, data = build.check(config).open()
    state = plan.state(data)
    first = 0
    try:
        if not group.begin(state):
            return
        first = state.step
        engine = engines.make(plan.config, plan.parts.updates, data, plan.device, group)
        watch = StopOnNonFinite.every(plan.config.log.every_steps, plan.device)
        with StopOnSignal(lambda state: None, "the run", group.agreed) as stop:
            fit(state, engine, [watch, stop])
        stop.check()
    except (Interrupted, NonFiniteError, ProcessLost) as end:
        sys.exit(end.exit_code)
    except Exception as error:
        if first and state.step == first and failed_in_step(error):
            sys.exit(UserError.exit_code)  # the main process's optimizer failed there too: it names the checkpoint
        raise
