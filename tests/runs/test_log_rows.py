import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.core.log_rows import LogRows
from gan_cli.errors import UserError
from gan_cli.runs.metrics_log import read_rows, row_at

VALUES = st.dictionaries(st.sampled_from("abcd"), st.floats(allow_nan=False), max_size=4)
ROWS = st.lists(VALUES, max_size=12).map(lambda found: [{"step": 2 * i + 1, **row} for i, row in enumerate(found)])


@given(ROWS)
def test_rows_are_a_sequence_of_those_that_they_were_made_of(rows):
    found = LogRows(rows)
    assert found == rows
    assert len(found) == len(rows)
    assert [found[i] for i in range(-len(rows), len(rows))] == rows + rows
    assert found[1:-1] == rows[1:-1]
    assert found.steps.tolist() == [row["step"] for row in rows]
    assert set(found.tags) == {tag for row in rows for tag in row} - {"step"}


@given(ROWS)
def test_a_curve_is_the_values_of_the_rows_that_have_its_tag(rows):
    numbers, values = LogRows(rows).of("b")
    assert numbers.tolist() == [i for i, row in enumerate(rows) if "b" in row]
    assert values.tolist() == [row["b"] for row in rows if "b" in row]
    assert (numbers.dtype, values.dtype) == (np.int64, np.float64)


@given(ROWS)
def test_only_the_tags_that_are_asked_for_are_kept(rows):
    found = LogRows(rows, only=["a", "c"])
    assert found == [{tag: value for tag, value in row.items() if tag in ("step", "a", "c")} for row in rows]
    assert found.tags == LogRows(rows).tags
    steps, values = found.curve("a")
    assert list(zip(steps, values, strict=True)) == [(row["step"], row["a"]) for row in rows if "a" in row]


def test_a_number_takes_its_eight_bytes(tmp_path):
    path, n, tags = tmp_path / "metrics.jsonl", 20_000, 20
    values = ", ".join(f'"tag_{i}": {i}.5' for i in range(tags))
    path.write_text("".join(f'{{"step": {step}, {values}}}\n' for step in range(n)))
    read_rows(path)
    tracemalloc.start()
    rows = read_rows(path)
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == n
    assert size < 1.3 * 8 * n * (tags + 2)
    assert peak < 2 * size


def test_a_row_is_found_from_the_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert row_at(path) == {}
    path.write_text("not a row\n" + "".join(f'{{"step": {step}, "a": 0.5}}\n' for step in (2, 4, 6)) + '{"step": 8')
    assert row_at(path) == {"step": 6, "a": 0.5}
    assert row_at(path, 5) == {"step": 4, "a": 0.5}
    with pytest.raises(UserError, match=r"metrics.jsonl, the line after byte 0 is not a row"):
        row_at(path, 1)
    path.write_text('{"step": 2, "a": 0.5}\n')
    assert row_at(path, 1) == {}
