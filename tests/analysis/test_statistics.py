"""Welch's test and Holm's correction against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gan_cli.analysis.statistics import deviation, holm, welch


def test_welch_by_hand():
    """With 1 and 2 degrees of freedom Student's distribution has a closed form."""
    t = 3 / math.sqrt(2)
    assert welch([0.0, 2.0], [3.0, 5.0]) == pytest.approx(1 - t / math.sqrt(t**2 + 2))
    assert welch([0.0, 2.0], [5.0, 5.0]) == pytest.approx(1 - 2 / math.pi * math.atan(4))
    assert welch([0.0, 2.0], [1.0, 1.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0.0), (3, 3, 1.0), (5, 3, 2.0), (10, 4, 0.5)])
def test_welch(n, m, shift):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n).tolist(), (shift + 3 * rng.normal(size=m)).tolist()
    assert welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_what_cannot_be_tested():
    assert welch([1.0], [2.0, 3.0]) is None
    assert welch([1.0, 1.0], [1.0, 1.0]) is None
    assert welch([1.0, 1.0], [2.0, 2.0]) is None
    assert deviation([1.0]) is None
    assert deviation([1.0, 3.0]) == pytest.approx(2**0.5)


def test_holm():
    assert holm([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([None]) == [None]
