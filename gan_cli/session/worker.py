"""The processes of a run beside the main one: they train and write nothing."""

from __future__ import annotations

from gan_cli.config.schema import RunConfig
from gan_cli.errors import Interrupted, NonFiniteError, UserError
from gan_cli.session import build, engines
from gan_cli.session.given import Given
from gan_cli.training import distributed
from gan_cli.training.callbacks import StopOnNonFinite, StopOnSignal
from gan_cli.training.distributed import ProcessGroup, ProcessLost
from gan_cli.training.state_checks import failed_in_step
from gan_cli.training.trainer import fit


def join(config: RunConfig, given: Given | None = None) -> ProcessGroup | None:
    """Return the group of processes that this one belongs to, once every other has come; None: it trains alone.

    Args:
        config: the run's; checked here, so that no process waits for one that refuses it.
        given: what Python gives in the place of parts.

    Raises:
        UserError: a config that several processes cannot run.
    """
    if not distributed.are_several():
        return None
    runtime = build.check(config, given=given).config.runtime
    return distributed.join(runtime.device.startswith("cuda"), runtime.batch_norm == "sync")


def follow(config: RunConfig, group: ProcessGroup, given: Given | None = None) -> int:
    """Train with the main process to the end of the run, and return the step.

    Args:
        config: the run's.
        group: of which this process is not the main one.
        given: as for the main process.

    Raises:
        GanError: something of this process's own, or what ends them all, which the main process reports.
    """
    plan, data = build.check(config, given=given).open()
    state = plan.state(data)
    first = 0
    try:
        if not group.begin(state):
            return state.step
        first = state.step
        engine = engines.make(plan.config, plan.parts.updates, data, plan.device, group)
        watch = StopOnNonFinite.every(plan.config.log.every_steps, plan.device)
        with StopOnSignal(lambda state: None, "the run", group.agreed) as stop:
            fit(state, engine, [watch, stop])
        stop.check()
    except (Interrupted, NonFiniteError, ProcessLost) as end:
        end.reported = True
        raise
    except Exception as error:
        if not (first and state.step == first and failed_in_step(error)):
            raise
        end = UserError(f"the optimizer's first step from step {first} failed")
        end.reported = True  # the main process's failed there too: it names the checkpoint
        raise end from error
    return state.step
