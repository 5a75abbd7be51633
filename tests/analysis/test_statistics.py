"""Welch's test and Holm's correction against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gan_cli.analysis.statistics import deviation, holm, two_sided, welch


@pytest.mark.parametrize("freedom", [1.0, 1.7, 2.0, 5.3, 40.0])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, 12.0])
def test_students_distribution(t, freedom):
    assert two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0.0), (3, 3, 1.0), (5, 3, 2.0), (10, 4, 0.5)])
def test_welch(n, m, shift):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n).tolist(), (shift + 3 * rng.normal(size=m)).tolist()
    assert welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-4)


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
