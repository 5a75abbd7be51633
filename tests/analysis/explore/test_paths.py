"""Ways through z, and how their steps are compared."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.analysis.explore.paths import lerp, path, sharpest, slerp

T = torch.linspace(0, 1, 9)[:, None]


def points(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_slerp_keeps_the_norm_and_turns_evenly():
    a, b = points(2, 1, 100)
    b = b * a.norm() / b.norm()
    way = slerp(a, b, T.double())
    torch.testing.assert_close(way.norm(dim=1), a.norm().expand(9))
    turns = torch.nn.functional.cosine_similarity(way[1:], way[:-1], dim=1).acos()
    torch.testing.assert_close(turns, turns[:1].expand(8))
    torch.testing.assert_close(way[[0, -1]], torch.cat([a, b]))


def test_slerp_by_hand():
    way = slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5]]))
    torch.testing.assert_close(way, torch.tensor([[2.0, 2.0]]) / math.sqrt(2))


@pytest.mark.parametrize("other", [[2.0, 0.0], [-2.0, 0.0]])
def test_slerp_on_one_line_is_straight(other):
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([other])
    torch.testing.assert_close(slerp(a, b, T), lerp(a, b, T))


def test_a_way_meets_its_points_and_their_midpoints():
    at = points(2, 3, 5)
    way = path(at, 4, False, "lerp")
    assert way.shape == (2, 9, 5)
    torch.testing.assert_close(way[:, ::4], at)
    torch.testing.assert_close(way[:, 2], (at[:, 0] + at[:, 1]) / 2)


def test_a_closed_way_returns():
    at = points(1, 3, 5)
    way = path(at, 4, True, "slerp")
    assert way.shape == (1, 12, 5)
    torch.testing.assert_close(way[:, ::4], at)
    torch.testing.assert_close(way[:, 9:10], slerp(at[:, 2:], at[:, :1], torch.tensor([[[0.25]]])))


def test_a_linear_generator_has_equal_steps():
    way = path(points(3, 2, 5), 7, False, "lerp") @ points(5, 12)
    found = sharpest(way, False)
    assert found.ratio == pytest.approx(1)


def test_a_jump_is_found():
    x = torch.zeros(2, 6, 1, 1, 1)
    x[0] += torch.arange(6.0).view(6, 1, 1, 1)
    x[1, 4:] = 1
    assert sharpest(x, False) == (5.0, 1, 3)  # one step of five moves
    assert sharpest(x, True) == (pytest.approx(3), 0, 5)


def test_the_last_step_of_a_closed_way_counts():
    x = torch.arange(5.0).view(1, 5, 1)  # steps 1, 1, 1, 1 and back 4
    assert sharpest(x, True) == (4 / (8 / 5), 0, 4)


def test_one_picture_has_no_transition():
    assert sharpest(torch.ones(2, 3, 4), False).ratio is None
