"""`gan train`: one run from a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gan_cli.core.processes import restarts
from gan_cli.errors import UserError
from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.session.resume import holds_run, open_session
from gan_cli.session.session import Session
from gan_cli.session.worker import follow
from gan_cli.training import distributed
from gan_cli.training.distributed import Team

_IN_NAME = ("loss", "model", "dataset")
_NOT_IN_NAME = (
    "run_dir",
    "resume",
    "force",
    "allow_targets",
    "train.",
    "log.",
    "checkpoint.",
    "runtime",
    "evaluate.",
    "extractor",
)


def train(settings: dict[str, Any], overrides: list[str], choices: dict[str, str]) -> None:
    """Train a new run, or continue the one in `run_dir` where `resume` says so.

    Args:
        settings: the validated config.
        overrides: the command line's, for the directory's name.
        choices: each group's chosen option.

    Raises:
        GanError: the config cannot be run, or the run stopped early.
    """
    how, force = settings["resume"], settings["force"]
    if restarts() and how != "auto":
        raise UserError("resume=never: torchrun is to start again what fails, as a new run each time: resume=auto")
    settings = {**settings, "resume": "never", "force": False}  # about this command; the run's config is without them
    team = distributed.join(settings)
    if team and not team.leads:
        follow(settings, team)
        return
    if how == "auto" and holds_run(Path(settings["run_dir"])):
        _continue(Path(settings["run_dir"]), settings, force, choices, team)
        return
    directory.refuse_used(settings["run_dir"])
    plan = build.check(settings)
    data = plan.open()
    evaluation = plan.evaluation(data)
    state = plan.state(data)
    run = directory.create(settings["run_dir"], _name(overrides, choices))
    Session(plan, run, data, state, choices=choices, evaluation=evaluation, team=team).train()


def _continue(path: Path, settings: dict[str, Any], force: bool, choices: dict[str, str], team: Team | None) -> None:
    """Train on; a finished run is a success, so that a scheduler may rerun its command until there is no more to do."""
    opened = open_session(path, settings, force, team)
    if isinstance(opened, int):
        if team:
            team.dismiss()
        print(f"{path} has finished its {opened} steps; train.steps={2 * opened} trains on", flush=True)
    else:
        opened.choices = choices
        opened.train()


def _name(overrides: list[str], choices: dict[str, str]) -> str:
    """Name a run by its loss, model and dataset, and by what else the command line chose of the experiment."""
    parts = [choices[group] for group in _IN_NAME if choices.get(group)]
    for override in overrides:
        key, _, value = override.partition("=")
        if key not in _IN_NAME and not key.startswith(_NOT_IN_NAME):
            parts.append(f"{key.rpartition('.')[2]}-{value}")
    return directory.slug("_".join(parts))[:120]
