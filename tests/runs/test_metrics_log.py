import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.core import files
from gan_cli.errors import UserError
from gan_cli.runs.metrics_log import MetricsLog, read_rows
from tests.children import run_code


def steps_of(path):
    return [row["step"] for row in read_rows(path)]


def write_steps(run_dir, steps, resume_step=None):
    log = MetricsLog(run_dir, resume_step)
    for step in steps:
        log.scalars(step, {"critic/loss": step / 3})
        log.timing(step, {"wall_seconds": step * 0.1})
    log.close()


@given(st.dictionaries(st.text(min_size=1).filter(lambda tag: tag != "step"), st.floats(), max_size=5))
def test_every_float_reads_back_bit_for_bit(tmp_path_factory, row):
    run_dir = tmp_path_factory.mktemp("run")
    log = MetricsLog(run_dir, None)
    log.scalars(7, row)
    log.close()
    [read] = read_rows(run_dir / "metrics.jsonl")
    assert read.pop("step") == 7
    assert read.keys() == row.keys()
    for tag, value in row.items():
        same_bits = struct.pack("<d", read[tag]) == struct.pack("<d", value)
        assert same_bits or (math.isnan(value) and math.isnan(read[tag]))


def test_lines_are_strict_json_with_step_first_and_tags_sorted(tmp_path):
    log = MetricsLog(tmp_path, None)
    log.scalars(1, {"b": math.nan, "c": -math.inf, "a": 1, "d": math.inf})
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "a": 1.0, "b": "nan", "c": "-inf", "d": "inf"}\n'


def test_rows_are_in_the_file_before_sync_and_close(tmp_path):
    log = MetricsLog(tmp_path, None)
    log.scalars(1, {"a": 0.1})
    log.timing(1, {"wall_seconds": 2.0})
    assert read_rows(tmp_path / "metrics.jsonl") == [{"step": 1, "a": 0.1}]
    assert read_rows(tmp_path / "timing.jsonl") == [{"step": 1, "wall_seconds": 2.0}]
    log.close()


def test_sync_reaches_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(files.os, "fsync", synced.append)
    log = MetricsLog(tmp_path, None)
    log.scalars(1, {"a": 0.1})
    assert not synced
    log.sync()
    assert len(synced) == 2
    log.close()


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


def test_damage_among_the_rows_to_keep_is_an_error_that_names_the_line(tmp_path):
    text = '{"step": 1, "a": 1.0}\n{"step": 2, "a":\n{"step": 3, "a": 1.0}\n'
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"metrics.jsonl, line 2 "):
        MetricsLog(tmp_path, 3)
    assert (tmp_path / "metrics.jsonl").read_text() == text
    MetricsLog(tmp_path, 1).close()
    assert steps_of(tmp_path / "metrics.jsonl") == [1]


@pytest.mark.parametrize(
    "line", ["[]", "3", "{}", '{"step": "1"}', '{"step": true}', '{"step": 1, "a": "word"}', '{"step": 1, "a": null}',
             '{"step": 1, "a": NaN}', '{"step": 1, "a": [1]}', '{"step": 1, "a": true}', "[" * 100_000]
)  # fmt: skip
def test_a_line_that_is_not_a_row_is_refused(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match="line 1 is not a row"):
        read_rows(path)


def test_a_new_run_does_not_append_to_another(tmp_path):
    write_steps(tmp_path, [10])
    with pytest.raises(UserError, match="choose another run_dir"):
        MetricsLog(tmp_path, None)
    assert steps_of(tmp_path / "metrics.jsonl") == [10]


def test_a_kill_during_the_cut_leaves_the_old_rows(tmp_path, monkeypatch):
    write_steps(tmp_path, [10, 20, 30])
    before = (tmp_path / "metrics.jsonl").read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        MetricsLog(tmp_path, 10)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "timing.jsonl"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from gan_cli.runs.metrics_log import MetricsLog
log = MetricsLog(Path(sys.argv[1]), None)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
step = 0
try:
    while True:
        step += 1
        log.scalars(step, {"a": step / 3})
except OSError as error:
    print(step, type(error).__name__, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.scalars(step, {"a": step / 3})
log.close()
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
