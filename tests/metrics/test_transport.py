"""Exact and sliced W1 where they are known."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from gan_cli.metrics.transport import exact_w1, sliced_w1


def normal(n, *shape, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (1, 6, 6)])
def test_w1_of_a_shifted_sample_is_the_length_of_the_shift(shape):
    x = normal(100, *shape)
    c = normal(1, *shape, seed=1)
    assert exact_w1(x, x + c) == pytest.approx(float(c.norm()), rel=1e-6)
    assert exact_w1(x, x[torch.randperm(100)]) == pytest.approx(0, abs=1e-6)


def test_on_a_line_it_is_scipys():
    a, b = normal(200, 1), 2 * normal(200, 1, seed=1) + 1
    expected = wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
    assert exact_w1(a, b) == pytest.approx(expected)
    assert sliced_w1(a, b, 8) == pytest.approx(expected)  # the only direction there is, and its opposite


def test_by_hand():
    a = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    b = torch.tensor([[4.0, 3.0], [0.0, 1.0]])
    assert exact_w1(a, b) == pytest.approx((3 + 1) / 2)


def test_sliced_w1_of_a_shift_is_the_mean_projection_of_it():
    x = normal(50, 2)
    found = sliced_w1(x, x + torch.tensor([3.0, 0.0]), 20_000)
    assert found == pytest.approx(3 * 2 / math.pi, rel=0.02)  # E |cos| = 2 / pi


def test_what_is_not_a_pair_of_samples():
    for a, b in ((normal(3, 2), normal(4, 2)), (normal(3, 2), normal(3, 1)), (normal(0, 2), normal(0, 2))):
        with pytest.raises(ValueError, match="equal numbers and shapes"):
            exact_w1(a, b)
