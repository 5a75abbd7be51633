"""Checks of a run directory, which is not changed: how the run ended, what is intact, and how to continue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.filesize import decimal as size

from gan_cli.commands._doctor_findings import Finding
from gan_cli.commands._doctor_machine import room
from gan_cli.config.identity import differences, listed
from gan_cli.config.schema import RunConfig
from gan_cli.config.validate import validate_saved
from gan_cli.core.held import is_held
from gan_cli.core.text import shell_line
from gan_cli.core.untrusted import check_tree
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, checkpoint_files, directory, reading
from gan_cli.runs.contents import EVENTS, METRICS, TIMING, compared
from gan_cli.runs.event_file import records
from gan_cli.runs.metrics_log import each_row

_BLOCK = 2**20  # bytes
Newest = tuple[int, dict[str, Any]]  # a checkpoint's step and meta
_DAMAGED = "damaged or removed; gan resume rebuilds it from the other files, or says what is lost"


def examine(run: Path, allow_targets: Sequence[str] = ()) -> list[Finding]:
    """Return all findings about a run.

    Args:
        run: an existing directory.
        allow_targets: module prefixes of the user's own parts that the command line allows.

    Raises:
        UserError: the directory is not a run's.
    """
    if not any((run / name).exists() for name in (directory.CONFIG, directory.STATUS, directory.CHECKPOINTS)):
        raise UserError(f"{run}: not a run's directory: it has no {directory.CONFIG}")
    try:
        check_tree(run)
    except UserError as error:
        return [Finding("directory", str(error), wrong=True)]
    busy = is_held(run)
    saved, newest, bytes_of_one = _checkpoints(run)
    config, config_finding = _config(run, allow_targets)
    contents, lost = compared(run, newest[1], reading.status(run)) if newest else ({}, [])
    sound = {name: entry["bytes"] for name, entry in contents.items() if name not in lost}
    return [
        *_status(run, busy),
        config_finding,
        *saved,
        *(Finding(name, _DAMAGED, wrong=True) for name in lost),
        *(_log(run / name, sound.get(name, 0)) for name in (METRICS, TIMING) if name not in lost),
        _events(run, sound, lost, newest[0] if newest and contents else 0),
        room(run, bytes_of_one),
        _next(run, busy, config, bool(saved), newest),
    ]


def _status(run: Path, busy: bool) -> list[Finding]:
    try:
        status = directory.read_status(run)
    except UserError as error:
        return [Finding("status", f"{error}; gan resume rebuilds it from the newest checkpoint", wrong=True)]
    if not status:
        return [
            Finding("status", "running" if busy else f"no {directory.STATUS}: the run was killed before it started")
        ]
    name, step, when = (status.get(key) for key in ("status", "step", "updated"))
    last = (status.get("sessions") or [{}])[-1]
    if busy:
        text = f"running, process {last.get('process')} on {last.get('host')}; last saved status: step {step}, {when}"
    elif name == "running":
        text = f"killed, or the machine went down; last saved status: step {step}, {when}"
    else:
        reason = f": {status['reason']}" if status.get("reason") else ""
        text = f"{name} at step {step}, {when}{reason}"
    found = [Finding("status", text, wrong=name == "failed" and not busy)]
    for kind in ("failures", "warnings"):
        if isinstance(kept := status.get(kind), list) and kept and isinstance(kept[-1], dict):
            newest = kept[-1]
            text = f"{newest.get('number')} in total; the last at step {newest.get('step')}: {newest.get('what')}"
            found.append(Finding(kind, f"{text}: {newest.get('reason')}", wrong=kind == "failures"))
    return found


def _config(run: Path, allow_targets: Sequence[str]) -> tuple[RunConfig | None, Finding]:
    try:
        config = validate_saved(directory.read_config(run), allow_targets)
    except UserError as error:
        return None, Finding("config", str(error), wrong=True)
    return config, Finding("config", f"valid, {config.train.steps} steps")


def _checkpoints(run: Path) -> tuple[list[Finding], Newest | None, int]:
    """Return findings about the checkpoints, newest first, the newest that verifies, and the most bytes of one."""
    folder, found, newest, most = run / directory.CHECKPOINTS, [], None, 0
    for step in checkpoint.steps(folder):
        path = folder / checkpoint_files.name_of(step)
        try:
            meta = checkpoint_files.verify(path)
        except checkpoint_files.CorruptError as error:
            found.append(Finding(f"checkpoint {step}", f"damaged: {error}", wrong=True))
            continue
        count = sum(entry.stat().st_size for entry in path.glob("*") if entry.is_file())
        found.append(Finding(f"checkpoint {step}", f"verified, {size(count)}"))
        newest, most = newest or (step, meta), max(most, count)
    return found, newest, most


def _log(path: Path, sound: int) -> Finding:
    """Return how many rows a file has; those in its first `sound` bytes are counted only."""
    count, last = 0, {}
    try:
        with open(path, "rb") as file:
            while block := file.read(min(_BLOCK, sound - file.tell())):
                count += block.count(b"\n")
        last = reading.last_row(path) if count else {}
        for row in each_row(path, sound):
            last, count = row, count + 1
    except FileNotFoundError:
        return Finding(path.name, "none yet")
    except (UserError, OSError) as error:
        return Finding(path.name, str(error), wrong=True)
    if not count:
        return Finding(path.name, "no rows yet")
    text = "1 row" if count == 1 else f"{count} rows, the last one"
    return Finding(path.name, f"{text} at step {last.get('step')}")


def _events(run: Path, sound: Mapping[str, int], lost: Collection[str], step: int) -> Finding:
    """Return how much the event files hold.

    Args:
        run: the run's directory.
        sound: name of a file -> its first bytes that need not be read.
        lost: names of files that are not read at all.
        step: of the last event in those bytes.
    """
    paths = [path for path in sorted(run.glob(f"{EVENTS}.*")) if path.name not in lost]
    torn, total = [], 0
    for path in paths:
        whole = sound.get(path.name, 0)
        try:
            for record, event in records(path, start=whole):
                if event is None:
                    break
                whole += len(record)
                step = max(step, event.step if event.HasField("summary") else 0)
            total += path.stat().st_size
        except OSError as error:
            return Finding("TensorBoard", f"{path.name} cannot be read ({error.strerror})", wrong=True)
        if whole < path.stat().st_size:
            torn.append(f"{path.name} is damaged or incomplete after byte {whole}")
    if not paths:
        return Finding("TensorBoard", "no event files yet")
    text = f"{len(paths)} event file{'s' if len(paths) > 1 else ''}, {size(total)}, up to step {step}"
    return Finding("TensorBoard", "; ".join([text, *torn, *(["continuing the run repairs it"] if torn else [])]))


def _next(run: Path, busy: bool, config: RunConfig | None, saved: bool, newest: Newest | None) -> Finding:
    """Return the command that continues the run, or the problem to fix first."""
    if busy:
        return Finding("continue", "the run is still running: nothing to do")
    if config is None:
        return Finding("continue", "fix the config first (see above)", wrong=True)
    if saved and newest is None:
        text = "no checkpoint is intact: restore one from a copy, or start a new run in another run_dir"
        return Finding("continue", text, wrong=True)
    step, meta = newest or (0, {})
    allowed = [f"allow_targets=[{','.join(config.allow_targets)}]"] if config.allow_targets else []
    command = shell_line("gan", "resume", run, *allowed)
    before = meta.get("settings")
    changes = differences(validate_saved(before, config.allow_targets), config) if isinstance(before, dict) else {}
    if changes:
        text = f"{directory.CONFIG} differs from the newest checkpoint ({listed(changes)}); to use the new values: "
        return Finding("continue", f"{text}{command} force=true", wrong=True)
    if step >= config.train.steps:
        return Finding("continue", f"finished; to train longer: {command} train.steps={2 * step}")
    return Finding("continue", f"from step {step}: {command}")
