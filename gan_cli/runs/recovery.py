"""Brings a run's files back to a checkpoint: compared with what it says of them, cut there, rebuilt from each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event

from gan_cli.core.files import Content, Tally, replace_file, tally_of
from gan_cli.runs.contents import (
    EVENTS,
    FIXED,
    METRICS,
    REAL,
    SAMPLES,
    TIMING,
    Contents,
    damaged,
    files_of_steps,
    sound_files,
    step_of,
)
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.event_file import first_event, is_of_session, record, records
from gan_cli.runs.metrics_log import by_step, cut, parse_row, sound_lines, speeds
from gan_cli.runs.tensorboard import image_event, row_events

Report = Callable[[str, str, bool], None]


def back_to(run: RunDirectory, contents: Contents | None, kept: int, report: Report) -> None:
    """Bring the files back to where a checkpoint was written; without a checkpoint, remove them.

    What was written later is removed. What is damaged is rebuilt: rows from the event files, event files from the rows
    and pictures, pictures from the event files.

    Args:
        run: the run's directory, before a session writes there.
        contents: what the checkpoint says of them; {}: there is no checkpoint. None: it says nothing, so they are cut
            by their steps, and trusted.
        kept: the last step whose rows and pictures stay.
        report: takes the name of a file that was damaged, what became of it, and whether something is lost.
    """
    known = contents or {}
    sound = sound_files(run.inside, known)
    for name in files_of_steps(run.inside):
        path = run.inside / name
        if name in sound:
            os.truncate(path, known[name]["bytes"])
        elif step_of(name) > kept or not (contents is None or name in known or name.startswith(SAMPLES)):
            path.unlink()
        elif contents is None:
            _cut(path, kept)
    if lost := [name for name in known if name not in sound]:
        still = _rebuild(run.inside, known, lost, kept)
        for name in lost:
            report(name, _outcome(run.inside / name, known[name], name in still), name in still)
    for name in files_of_steps(run.inside):
        tally = sound.get(name) or tally_of(run.inside / name)
        if name in (METRICS, TIMING):
            run.append(name, tally)
        else:
            run.keep(name, tally.content)


def _cut(path: Path, kept: int) -> None:
    if path.name in (METRICS, TIMING):
        cut(path, kept)
    elif path.name.startswith(EVENTS):
        old = records(path, verify=False)
        stays = (whole for whole, event in old if event and event.step <= kept and not is_of_session(event))
        replace_file(path, chain([record(first_event())], stays))


def _rebuild(run: Path, contents: Contents, lost: Collection[str], kept: int) -> list[str]:
    """Rebuild the lost files from one another, and return those that are not what they were."""
    event_files = sorted(name for name in contents if name.startswith(EVENTS))
    pictures = [name for name in contents if name.startswith(SAMPLES)]

    def events() -> Iterator[Event]:
        for name in event_files:
            found = records(run / name, verify=name in lost) if (run / name).exists() else ()
            yield from (event for _, event in found if event is not None and event.step <= kept)

    def logged(place: int) -> Iterator[tuple[int, bytes]]:
        for event in events():
            lines = event.log_message.message.encode().splitlines(keepends=True)
            yield from ((event.step, line) for line in lines[place : place + 1])

    for place, name in enumerate((METRICS, TIMING)):
        if name in lost:
            is_all = Tally(line for _, line in logged(place)).content == contents[name]
            own = [] if is_all else [sound_lines(run / name, kept)]
            replace_file(run / name, (found.get(0) or found[1] for _, found in by_step(logged(place), *own)))
    wanted = [name for name in pictures if name in lost]
    for content in (value.image.encoded_image_string for e in events() for value in e.summary.value if wanted):
        for name in wanted if content else ():
            if Tally([content]).content == contents[name]:
                (run / name).parent.mkdir(exist_ok=True)
                replace_file(run / name, [content])
    still = damaged(run, {name: contents[name] for name in lost if name not in event_files})
    if not set(event_files).isdisjoint(lost):
        times = {event.step: event.wall_time for event in events()}
        replace_file(run / event_files[-1], _events(run, set(pictures).difference(still), kept, times))
        for name in event_files[:-1]:
            (run / name).unlink(missing_ok=True)
    return still


def _outcome(path: Path, content: Content, is_lost: bool) -> str:
    if is_lost:
        left = path.stat().st_size if path.exists() else 0
        size = content["bytes"]
        return f"was damaged or removed, {left:,} of {size:,} bytes are left; no other file has what is lost"
    source = "rows and pictures" if path.name.startswith(EVENTS) else "event file"
    return f"was damaged or removed; it is rebuilt from the {source}"


def _events(run: Path, shown: Iterable[str], kept: int, times: Mapping[int, float]) -> Iterator[bytes]:
    """Yield the records of an event file with all rows and the pictures of these names; `times` of steps, if known."""
    pictures: dict[int, list[str]] = {}
    for name in sorted(shown):
        pictures.setdefault(step_of(name), []).append(name)
    yield record(first_event())
    wall_time = 0.0
    rows = (sound_lines(run / name, kept) for name in (METRICS, TIMING))
    for step, found in by_step(*rows, sorted(pictures.items())):
        named = ((REAL if name == f"{REAL}.png" else FIXED, name) for name in found.get(2, ()))
        events = [image_event(tag, step, (run / name).read_bytes()) for tag, name in named]
        if 0 in found:
            row, timing = (parse_row(found.get(place, b"")) or {} for place in (0, 1))
            del row["step"]
            events = [*row_events(step, row | speeds(timing), found[0] + found.get(1, b"")), *events]
        wall_time = times.get(step, wall_time)
        for event in events:
            event.wall_time = wall_time
            yield record(event)
