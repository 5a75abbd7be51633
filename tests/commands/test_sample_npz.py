"""An .npz file that is written in pieces."""

import io
import tracemalloc

import numpy as np
import pytest

from gan_cli.commands._sample_npz import npz_pieces

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize(
    "samples", [RNG.integers(0, 256, (50, 8, 9, 3), dtype=np.uint8), RNG.random((50, 2), dtype=np.float32)]
)
def test_numpy_reads_what_was_written(samples, with_labels):
    labels = np.arange(50) if with_labels else None
    content = b"".join(npz_pieces(iter(np.array_split(samples, 7)), 50, labels))
    again = b"".join(npz_pieces(iter(np.array_split(samples, 3)), 50, labels))
    with np.load(io.BytesIO(content)) as found, np.load(io.BytesIO(again)) as same:
        assert set(found) == {"samples", *(["labels"] if with_labels else [])}
        assert found["samples"].dtype == samples.dtype
        np.testing.assert_array_equal(found["samples"], samples)
        np.testing.assert_array_equal(same["samples"], samples)
        if with_labels:
            np.testing.assert_array_equal(found["labels"], labels)


def test_it_is_never_whole_in_memory():
    part = RNG.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    tracemalloc.start()
    written = sum(map(len, npz_pieces((part.copy() for _ in range(50)), 5000, None)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert written > 49 * part.nbytes
    assert peak < 8 * part.nbytes
