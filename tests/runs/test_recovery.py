"""A run's files after damage: rebuilt from one another as they were, or named."""

import contextlib
import json
import random

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.analysis.figures import png
from gan_cli.core.files import hashed
from gan_cli.runs.boards import Boards
from gan_cli.runs.contents import FIXED, REAL, damaged
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.event_file import records
from gan_cli.runs.recovery import back_to

STEPS = (0, 10, 20, 30)
SAVED = 20
TAG = "critic/wasserstein_estimate"


def session(path, steps, contents=None, purge_step=None, to=("tensorboard",)):
    """Write some steps, after bringing the run back to a checkpoint if there is one; return reports and contents."""
    reports = []
    with contextlib.closing(RunDirectory(path)) as run:
        if purge_step is not None:
            back_to(run, contents, purge_step - 1, lambda *report: reports.append(report))
        boards = Boards(run, purge_step, to, pytest.fail)
        boards.describe(f"session from {purge_step}", {"seed": 0})
        for step in steps:
            if step:
                boards.row(
                    step, {TAG: step / 3, "b": step * 1e-9}, {"wall_seconds": 0.1 * step, "x_per_second": 1 / step}
                )
            else:
                boards.image(REAL, 0, *picture(99))
            boards.image(FIXED, step, *picture(step))
            if step == SAVED:
                contents = run.contents()
    return reports, contents


def picture(step):
    pixels = np.random.default_rng(step).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return pixels, png(pixels)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run."""
    path = tmp_path_factory.mktemp("whole")
    session(path, STEPS)
    return path


@pytest.fixture
def killed(tmp_path):
    """A run that was killed after its last step, and what its checkpoint at SAVED says."""
    path = tmp_path / "run"
    path.mkdir()
    return path, session(path, STEPS)[1]


def resumed(path, contents):
    return session(path, [step for step in STEPS if step > SAVED], contents, SAVED + 1)[0]


def differences(path, whole):
    names = ["metrics.jsonl", "timing.jsonl", *(p.relative_to(whole) for p in sorted((whole / "samples").iterdir()))]
    found = [str(n) for n in names if not (path / n).is_file() or (path / n).read_bytes() != (whole / n).read_bytes()]
    return found + [tag for tag, values in shown(whole).items() if shown(path).get(tag) != values]


def shown(path):
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 0}).Reload()
    curves = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return curves | {t: [(e.step, e.encoded_image_string) for e in events.Images(t)] for t in events.Tags()["images"]}


def removed(path):
    path.unlink()


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])


def emptied(path):
    path.write_bytes(b"")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def zeroed(path):
    content = bytearray(path.read_bytes())
    content[10 : len(content) // 2] = bytes(len(content) // 2 - 10)
    path.write_bytes(content)


def shifted(path):
    path.write_bytes(b"\n" + path.read_bytes())


HARMS = (removed, cut, emptied, flipped, shifted)
FILES = ("metrics.jsonl", "timing.jsonl", "events*.gan", "samples/step_0000000010.png", "samples/real.png")


def test_a_kill_alone_is_no_damage(killed, whole):
    path, contents = killed
    assert damaged(path, contents) == []
    assert resumed(path, contents) == []
    assert differences(path, whole) == []


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("pattern", FILES)
def test_one_file_is_rebuilt_from_the_others(killed, whole, pattern, harm):
    path, contents = killed
    (victim,) = path.glob(pattern)
    harm(victim)
    name = victim.relative_to(path).as_posix()
    assert damaged(path, contents) == [name]
    assert [(report[0], report[2]) for report in resumed(path, contents)] == [(name, False)]
    assert differences(path, whole) == []


def test_a_picture_has_an_end_and_so_have_the_rows_of_a_finished_run(killed, whole):
    path, contents = killed
    for name in ("metrics.jsonl", "samples/real.png"):
        (path / name).write_bytes((path / name).read_bytes() + b"more")
    assert damaged(path, contents) == ["samples/real.png"]
    assert damaged(path, contents, finished=True) == ["metrics.jsonl", "timing.jsonl", "samples/real.png"]
    assert [name for name, _, _ in resumed(path, contents)] == ["samples/real.png"]
    assert differences(path, whole) == []


@pytest.mark.parametrize("harm", HARMS)
def test_all_but_the_event_file_are_rebuilt_from_it(killed, whole, harm):
    path, contents = killed
    victims = [path / name for name in contents if "events" not in name]
    for victim in victims:
        harm(victim)
    assert len(resumed(path, contents)) == len(victims) == 6
    assert differences(path, whole) == []


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_lost_in_all_files_is_named(killed, harm):
    path, contents = killed
    for name in contents:
        harm(path / name)
    reports = {name: lost for name, _, lost in resumed(path, contents)}
    assert reports.keys() == contents.keys()
    if harm in (removed, emptied):
        assert {name for name, lost in reports.items() if not lost} == {n for n in contents if "events" in n}
    steps = [json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1] == 30
    assert steps == sorted(steps)


def damage_row(path, step):
    """Damage what an event file has of a row."""
    content = path.read_bytes()
    at = content.index(b'{"step": %d, "b"' % step)
    path.write_bytes(content[:at] + b"\0" + content[at + 1 :])


def test_damage_at_different_places_of_rows_and_events_loses_nothing(killed, whole):
    path, contents = killed
    rows, (events,) = path / "metrics.jsonl", path.glob("events*.gan")
    rows.write_bytes(rows.read_bytes().splitlines(keepends=True)[0])
    damage_row(events, 10)
    assert {name: lost for name, _, lost in resumed(path, contents)} == {"metrics.jsonl": False, events.name: False}
    assert differences(path, whole) == []


def test_a_row_that_both_files_lost_is_named_and_the_others_stay(killed):
    path, contents = killed
    rows, (events,) = path / "metrics.jsonl", path.glob("events*.gan")
    rows.write_bytes(b"".join(rows.read_bytes().splitlines(keepends=True)[1:]))
    damage_row(events, 10)
    assert {name: lost for name, _, lost in resumed(path, contents)} == {"metrics.jsonl": True, events.name: False}
    assert [json.loads(line)["step"] for line in rows.read_text().splitlines()] == [20, 30]
    assert [step for step, _ in shown(path)[TAG]] == [20, 30]


@pytest.mark.parametrize("again", range(3))
def test_a_recovery_may_be_repeated(killed, whole, again):
    path, contents = killed
    flipped(next(path.glob("events*.gan")))
    for _ in range(again):
        session(path, [], contents, SAVED + 1)
    resumed(path, contents)
    assert differences(path, whole) == []


def test_several_sessions_leave_one_curve_whichever_of_their_files_is_damaged(tmp_path, whole):
    for victim in range(4):
        path = tmp_path / str(victim)
        path.mkdir()
        session(path, (0, 10))
        contents = {name: hashed(path / name) for name in contents_now(path)}
        _, contents = session(path, (20, 30), contents, 11)
        if victim < 2:
            flipped(sorted(path.glob("events*.gan"))[victim])
        if victim == 2:
            (path / "metrics.jsonl").unlink()
        assert len(resumed(path, contents)) == (victim < 3)
        assert differences(path, whole) == []


def contents_now(path):
    return [
        "metrics.jsonl",
        "timing.jsonl",
        *(p.name for p in path.glob("events*.gan")),
        *(f"samples/{p.name}" for p in (path / "samples").iterdir()),
    ]


def test_without_an_event_file_damage_is_named(tmp_path):
    session(tmp_path, STEPS[:3], to=())
    contents = {name: hashed(tmp_path / name) for name in contents_now(tmp_path)}
    cut(tmp_path / "metrics.jsonl")
    removed(tmp_path / "samples" / "real.png")
    reports, _ = session(tmp_path, (30,), contents, 21, to=())
    assert [(name, lost) for name, _, lost in reports] == [("metrics.jsonl", True), ("samples/real.png", True)]


def test_a_last_row_that_is_written_anew_is_no_damage(tmp_path):
    """A run that ends inside a window of its log has a row there that goes where the run continues."""
    session(tmp_path, (0, 10, 20, 25))
    with contextlib.closing(RunDirectory(tmp_path)) as run:
        boards = Boards(run, 26, ["tensorboard"], pytest.fail)
        boards.row(26, {TAG: 1.0}, {})
        before, after = run.contents(25), run.contents()
        assert before["metrics.jsonl"] == hashed(tmp_path / "metrics.jsonl", before["metrics.jsonl"]["bytes"])
        assert after["metrics.jsonl"]["bytes"] > before["metrics.jsonl"]["bytes"]
    for _ in range(2):  # killed before its next checkpoint, and resumed again
        assert session(tmp_path, (30,), {**before}, 26)[0] == []
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [
        10,
        20,
        25,
        30,
    ]


def as_an_earlier_version(path):
    """One event file, with what describes the session among its records."""
    about, events = sorted(path.glob("events*"))
    lines = [whole for whole, event in records(events) if not event.HasField("log_message")]
    events.write_bytes(b"".join([*(whole for whole, _ in records(about)), *lines[1:]]))
    about.unlink()


def test_a_checkpoint_of_an_earlier_version_says_nothing_and_the_files_are_cut_by_their_steps(killed, whole):
    path, _ = killed
    as_an_earlier_version(path)
    with open(path / "metrics.jsonl", "ab") as file:
        file.write(b'{"step": 40, "a')
    with open(next(path.glob("events*")), "ab") as file:
        file.write(b"torn")
    assert resumed(path, None) == []
    assert differences(path, whole) == []
    [text] = EventAccumulator(str(path)).Reload().Tensors("config")
    assert b"session from 21" in text.tensor_proto.string_val[0]


def test_files_of_others_stay(killed):
    path, contents = killed
    others = ["samples/step_0000000030_seed_0_count_4.png", "events.out.tfevents.1.mine", "notes", "samples/a.png"]
    for name in others:
        (path / name).write_bytes(b"")
    resumed(path, contents)
    session(path, [], {}, 0)
    assert all((path / name).exists() for name in others)


@pytest.mark.parametrize("seed", range(12))
def test_several_harms_never_go_unnoticed(killed, whole, seed):
    path, contents = killed
    rng = random.Random(seed)
    for pattern in rng.sample(FILES, rng.randint(2, 4)):
        rng.choice(HARMS)(next(path.glob(pattern)))
    named = {name for name, _, lost in resumed(path, contents) if lost}
    assert named or not differences(path, whole)
