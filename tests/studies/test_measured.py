"""Intervals and verdicts against values worked out by hand."""

import math

import pytest
from scipy import stats

from gan_cli.studies.measured import Claim, Measured, difference, exact, over_seeds, verdict


def test_the_interval_over_seeds_is_students():
    found = over_seeds([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3)  # t of 2 degrees of freedom, standard deviation 1
    assert found == pytest.approx((2.0, 2.0 - half, 2.0 + half))


def test_the_interval_of_a_difference_is_welchs():
    a, b = [1.0, 2.0, 4.0], [0.5, 0.6, 0.8, 0.9]
    found = difference(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found == pytest.approx((sum(a) / 3 - 0.7, *expected))


def test_the_range_of_possible_values_cuts_the_interval():
    assert over_seeds([0.7, 0.9], within=(-1, 1)) == pytest.approx((0.8, -0.4706, 1.0), abs=1e-4)
    assert over_seeds([0.7], within=(-1, 1)) == (0.7, -math.inf, math.inf)


def test_one_seed_decides_nothing_and_equal_seeds_are_exact():
    assert over_seeds([2.0]) == (2.0, -math.inf, math.inf)
    assert difference([2.0], [1.0, 3.0])[1:] == (-math.inf, math.inf)
    assert over_seeds([2.0, 2.0]) == exact(2.0)


@pytest.mark.parametrize(
    ("low", "high", "interval", "expected"),
    [
        (0.0, 1.0, (0.2, 0.8), "held"),
        (0.0, 1.0, (0.2, 1.2), "not decided"),
        (0.0, 1.0, (1.1, 1.2), "did not hold"),
        (0.0, None, (0.2, 9.0), "held"),
        (None, 1.0, (-9.0, 0.8), "held"),
        (None, 1.0, (-math.inf, math.inf), "not decided"),
        (0.0, 1.0, (math.nan, math.nan), "not decided"),
    ],
)
def test_the_verdict_is_where_the_interval_lies(low, high, interval, expected):
    claim = Claim(text="a claim", published=0.5, low=low, high=high)
    assert verdict(claim, Measured(sum(interval) / 2, *interval)) == expected
