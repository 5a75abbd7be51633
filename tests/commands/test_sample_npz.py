"""An .npz file that is written in parts."""

import tracemalloc

import numpy as np
import pytest

from gan_cli.commands._sample_npz import write_npz

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("labels", [None, np.arange(50)], ids=["alone", "labels"])
@pytest.mark.parametrize(
    "samples", [RNG.integers(0, 256, (50, 8, 9, 3), dtype=np.uint8), RNG.random((50, 2), dtype=np.float32)]
)
def test_numpy_reads_what_was_written(samples, labels, tmp_path):
    for parts in (7, 3):
        write_npz(tmp_path / "x.npz", iter(np.array_split(samples, parts)), 50, labels)
        with np.load(tmp_path / "x.npz") as found:
            assert set(found) == {"samples"} | ({"labels"} if labels is not None else set())
            np.testing.assert_array_equal(found["samples"], samples, strict=True)
            if labels is not None:
                np.testing.assert_array_equal(found["labels"], labels)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_it_is_never_whole_in_memory(tmp_path):
    part = RNG.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    tracemalloc.start()
    write_npz(tmp_path / "x.npz", (part.copy() for _ in range(50)), 5000, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "x.npz").stat().st_size > 49 * part.nbytes
    assert peak < 10 * part.nbytes
