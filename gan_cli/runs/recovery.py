"""Brings a run's files back to a checkpoint: compared with what it says of them, cut there, rebuilt from each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event

from gan_cli.core.files import Content, content_of, hashed, replace_file
from gan_cli.runs.contents import EVENTS, FIXED, METRICS, REAL, SAMPLES, TIMING, files_of_steps, of_steps
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.event_file import first_event, is_of_session, record, records
from gan_cli.runs.metrics_log import by_step, cut, parse_row, sound_lines, speeds
from gan_cli.runs.tensorboard import image_event, lines_event, scalars_event

Contents = Mapping[str, Content]  # of files by name
Report = Callable[[str, str, bool], None]


def contents_of(meta: Mapping[str, Any], status: Mapping[str, Any] = {}) -> Contents | None:
    """Return what a checkpoint's `meta` says of the run's files; None: nothing, it is of an earlier version.

    By its `status`, a run that is finished there may have a last row that is written again where it continues.
    """
    about = meta.get("run")
    return about and about["contents"] | (about["at_end"] if is_finished(meta, status) else {})


def is_finished(meta: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Return whether a run ended, by its `status`, at the checkpoint of this `meta`."""
    return status.get("status") == "finished" and status.get("step") == meta["step"]


def damaged(run: Path, contents: Contents, finished: bool = False) -> list[str]:
    """Return the files of a run that are not what a checkpoint says of them, or are not there.

    Event files may have become longer since, and so may the rows where the run is not `finished`.
    """

    def is_intact(name: str) -> bool:
        grows = name.startswith(EVENTS) or (name in (METRICS, TIMING) and not finished)
        try:
            return hashed(run / name, contents[name]["bytes"] if grows else None) == contents[name]
        except (FileNotFoundError, IsADirectoryError):
            return False

    with ThreadPoolExecutor() as pool:
        return [name for name, intact in zip(contents, pool.map(is_intact, contents), strict=True) if not intact]


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
    lost = damaged(run.inside, contents or {})
    for name in files_of_steps(run.inside):
        path = run.inside / name
        picture = of_steps(name)["step"]
        if int(picture or 0) > kept:
            path.unlink()
        elif contents is None:
            _cut(path, name, kept)
        elif name not in contents and not name.startswith(SAMPLES):
            path.unlink()
        elif name in contents and name not in lost:
            os.truncate(path, contents[name]["bytes"])
    if contents and lost:
        _rebuild(run.inside, contents, lost, kept, report)
    for name in files_of_steps(run.inside):
        if name not in (METRICS, TIMING):  # which grow on
            known = name in (contents or {}) and name not in lost
            run.keep(name, contents[name] if known else hashed(run.inside / name))


def _cut(path: Path, name: str, kept: int) -> None:
    if name in (METRICS, TIMING):
        cut(path, kept)
    elif name.startswith(EVENTS):
        old = records(path, verify=False)
        stays = (whole for whole, event in old if event and event.step <= kept and not is_of_session(event))
        replace_file(path, chain([record(first_event())], stays))


def _rebuild(run: Path, contents: Contents, lost: list[str], kept: int, report: Report) -> None:
    event_files = sorted(name for name in contents if name.startswith(EVENTS))

    def events() -> Iterator[Event]:
        for path in (run / name for name in event_files if (run / name).exists()):
            found = (event for _, event in records(path, verify=path.name in lost))
            yield from (event for event in found if event is not None and event.step <= kept)

    def logged(place: int) -> Iterator[tuple[int, bytes]]:
        for event in events():
            lines = event.log_message.message.encode().splitlines(keepends=True)
            yield from ((event.step, line) for line in lines[place : place + 1])

    for place, name in enumerate((METRICS, TIMING)):
        if name in lost:
            is_all = content_of(line for _, line in logged(place)) == contents[name]
            own = [] if is_all else [sound_lines(run / name, kept)]
            replace_file(run / name, (found.get(0) or found[1] for _, found in by_step(logged(place), *own)))
    pictures = [name for name in lost if name.startswith(SAMPLES)]
    for content in (v.image.encoded_image_string for e in events() for v in e.summary.value if pictures):
        for name in pictures if content else ():
            if content_of([content]) == contents[name]:
                (run / name).parent.mkdir(exist_ok=True)
                replace_file(run / name, [content])
    still = damaged(run, {name: contents[name] for name in lost if name not in event_files})
    if not set(event_files).isdisjoint(lost):
        times = {event.step: event.wall_time for event in events()}
        shown = [name for name in contents if name.startswith(SAMPLES) and name not in still]
        replace_file(run / event_files[-1], _events(run, shown, kept, times))
        for name in event_files[:-1]:
            (run / name).unlink(missing_ok=True)
    for name in lost:
        source = "rows and pictures" if name in event_files else "event file"
        text = f"was damaged or removed; it is rebuilt from the {source}"
        if name in still:
            left = (run / name).stat().st_size if (run / name).exists() else 0
            size = contents[name]["bytes"]
            text = f"was damaged or removed, {left:,} of {size:,} bytes are left; no other file has what is lost"
        report(name, text, name in still)


def _events(run: Path, shown: Iterable[str], kept: int, times: Mapping[int, float]) -> Iterator[bytes]:
    """Yield the records of an event file with all rows and the pictures of these names; `times` of steps, if known."""
    pictures: dict[int, list[tuple[str, Path]]] = {}
    for name in sorted(shown):
        step = of_steps(name)["step"]
        pictures.setdefault(int(step or 0), []).append((FIXED if step else REAL, run / name))
    yield record(first_event())
    wall_time = 0.0
    rows = (sound_lines(run / name, kept) for name in (METRICS, TIMING))
    for step, found in by_step(*rows, sorted(pictures.items())):
        events = [image_event(tag, step, path.read_bytes()) for tag, path in found.get(2, ())]
        if 0 in found:
            row, timing = parse_row(found[0]), parse_row(found[1]) if 1 in found else {}
            del row["step"]
            lines = found[0] + found.get(1, b"")
            events = [scalars_event(step, row | speeds(timing)), lines_event(step, lines), *events]
        wall_time = times.get(step, wall_time)
        for event in events:
            event.wall_time = wall_time
            yield record(event)
