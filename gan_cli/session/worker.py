"""The processes of a run that do not lead it: they train and write nothing."""

from __future__ import annotations

import sys
from typing import Any

from gan_cli.errors import Interrupted, NonFiniteError
from gan_cli.session import build, engines
from gan_cli.training.callbacks import StopOnNonFinite, StopOnSignal
from gan_cli.training.distributed import PeerLost, Team
from gan_cli.training.trainer import fit


def follow(settings: dict[str, Any], team: Team) -> None:
    """Train with the leader to the end of the run.

    Args:
        settings: the run's.
        team: of which this process is not the leader.

    Raises:
        GanError: something of this process's own; what ends them all is told by the leader, or by the one that ended.
        SystemExit: such an end.
    """
    plan = build.check(settings)
    data = plan.open()
    state = plan.state(data)
    try:
        if not team.begin(state):
            return
        engine = engines.make(plan, build.updates(plan.settings), data, team)
        watch = StopOnNonFinite.every(plan.settings["log"]["every_steps"], plan.device)
        with StopOnSignal(lambda state: None, "the run", team.agreed) as stop:
            fit(state, engine, [watch, stop])
        stop.check()
    except (Interrupted, NonFiniteError, PeerLost) as end:
        sys.exit(end.exit_code)
