import contextlib
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.core import files
from gan_cli.core.files import lines_from_end
from gan_cli.errors import UserError
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import append_rows, by_step, cut, read_rows
from gan_cli.runs.reading import last_row
from tests.children import run_code


def opened(run_dir):
    return contextlib.closing(RunDirectory(run_dir))


def steps_of(path):
    return [row["step"] for row in read_rows(path)]


def write_steps(run_dir, steps, resume_step=None):
    if resume_step is not None:
        for name in ("metrics.jsonl", "timing.jsonl"):
            cut(run_dir / name, resume_step)
    with opened(run_dir) as run:
        for step in steps:
            append_rows(run, step, {"critic/loss": step / 3}, {"wall_seconds": step * 0.1})


@given(st.dictionaries(st.text(min_size=1).filter(lambda tag: tag != "step"), st.floats(), max_size=5))
def test_every_float_reads_back_bit_for_bit(tmp_path_factory, row):
    run_dir = tmp_path_factory.mktemp("run")
    with opened(run_dir) as run:
        append_rows(run, 7, row, {})
    [read] = read_rows(run_dir / "metrics.jsonl")
    assert read.pop("step") == 7
    assert read.keys() == row.keys()
    for tag, value in row.items():
        same_bits = struct.pack("<d", read[tag]) == struct.pack("<d", value)
        assert same_bits or (math.isnan(value) and math.isnan(read[tag]))


def test_lines_are_strict_json_with_step_first_and_tags_sorted(tmp_path):
    with opened(tmp_path) as run:
        append_rows(run, 1, {"b": math.nan, "c": -math.inf, "a": 1, "d": math.inf}, {})
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "a": 1.0, "b": "nan", "c": "-inf", "d": "inf"}\n'


def test_rows_are_in_the_file_before_sync_and_close(tmp_path):
    with opened(tmp_path) as run:
        append_rows(run, 1, {"a": 0.1}, {"wall_seconds": 2.0})
        assert read_rows(tmp_path / "metrics.jsonl") == [{"step": 1, "a": 0.1}]
        assert read_rows(tmp_path / "timing.jsonl") == [{"step": 1, "wall_seconds": 2.0}]


def test_sync_reaches_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files.os, "fsync", synced.append)
    with opened(tmp_path) as run:
        append_rows(run, 1, {"a": 0.1}, {})
        assert not synced
        run.sync()
        assert len(synced) == 2


def test_resume_ends_with_the_same_bytes_as_a_straight_run(tmp_path):
    for name in ("straight", "resumed"):
        (tmp_path / name).mkdir()
    write_steps(tmp_path / "straight", range(10, 80, 10))
    write_steps(tmp_path / "resumed", range(10, 60, 10))
    write_steps(tmp_path / "resumed", range(40, 80, 10), resume_step=35)
    for name in ("metrics.jsonl", "timing.jsonl"):
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes()


@pytest.mark.parametrize("resume_step", [0, 10, 20, 99])
def test_rows_after_the_checkpoint_are_cut(tmp_path, resume_step):
    write_steps(tmp_path, [0, 10, 20, 30])
    write_steps(tmp_path, [], resume_step=resume_step)
    assert steps_of(tmp_path / "metrics.jsonl") == [step for step in (0, 10, 20, 30) if step <= resume_step]


@pytest.mark.parametrize("torn", [b'{"step": 30, "a": 0.', b"\0" * 100, b'{"step": 30, "critic/loss": 1.0}', b"\xff\n"])
def test_what_a_kill_left_at_the_end_is_dropped(tmp_path, torn):
    write_steps(tmp_path, [10, 20])
    whole = (tmp_path / "metrics.jsonl").read_bytes()
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(torn)
    write_steps(tmp_path, [], resume_step=30)
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole


def test_read_rows_leaves_out_a_line_still_being_written(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "a": 2.0}\n{"step": 2, "a"')
    assert read_rows(tmp_path / "metrics.jsonl") == [{"step": 1, "a": 2.0}]


def test_a_resume_with_nothing_to_cut_leaves_the_file_alone(tmp_path):
    write_steps(tmp_path, [10, 20])
    inode = (tmp_path / "metrics.jsonl").stat().st_ino
    write_steps(tmp_path, [30], resume_step=20)
    assert (tmp_path / "metrics.jsonl").stat().st_ino == inode
    assert steps_of(tmp_path / "metrics.jsonl") == [10, 20, 30]


@pytest.mark.parametrize(
    "line", ["[]", "3", "{}", '{"step": "1"}', '{"step": true}', '{"step": 1, "a": "word"}', '{"step": 1, "a": null}',
             '{"step": 1, "a": NaN}', '{"step": 1, "a": [1]}', '{"step": 1, "a": true}', "[" * 100_000]
)  # fmt: skip
def test_a_line_that_is_not_a_row_is_refused(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match="line 1 is not a row"):
        read_rows(path)


FULL_DISK = """
import resource, sys
from pathlib import Path
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.metrics_log import append_rows
run = RunDirectory(Path(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
step = 0
try:
    while True:
        step += 1
        append_rows(run, step, {"a": step / 3}, {})
except OSError as error:
    print(step, type(error).__name__, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
append_rows(run, step, {"a": step / 3}, {})
"""


def test_a_full_disk_raises_and_the_row_can_be_written_again(tmp_path):
    done = run_code(FULL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    step, error = done.stdout.split()
    assert error == "OSError"
    expected = [{"step": i, "a": i / 3} for i in range(1, int(step) + 1)]
    assert read_rows(tmp_path / "metrics.jsonl") == expected
    assert len(expected) > 10


def test_rows_are_json_for_any_reader(tmp_path):
    write_steps(tmp_path, [1])
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "critic/loss": 1 / 3}


@pytest.mark.parametrize("block", [1, 7, 64, 10**6])
@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), max_size=9), st.booleans())
def test_lines_from_the_end_are_those_from_the_start(tmp_path_factory, block, lines, whole):
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + (b"" if whole else b"torn"))
    with pytest.MonkeyPatch.context() as patch, open(path, "rb") as file:
        patch.setattr("gan_cli.core.files._CHUNK", block)
        found = [*lines_from_end(file)][::-1]
    assert [line for _, line in found] == lines
    assert [at for at, _ in found] == [sum(len(line) + 1 for line in lines[:i]) for i in range(len(lines))]


def test_the_last_row_is_found_without_reading_much(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "a": 2.0}\n{"step": 2, "a": 3.0}\n{"step": 3, "a"')
    assert last_row(path) == {"step": 2, "a": 3.0}
    with open(path, "ab") as file:
        file.truncate(10 * 2**30)
    assert last_row(path) == {}


def test_sources_are_joined_by_their_steps():
    joined = by_step([(1, "a"), (2, "b"), (5, "c")], [(2, "x"), (4, "y"), (3, "late"), (5, "z")])
    assert [*joined] == [(1, {0: "a"}), (2, {0: "b", 1: "x"}), (4, {1: "y"}), (5, {0: "c", 1: "z"})]
