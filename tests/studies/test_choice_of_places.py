"""The game of few places: its players and what the study counts, against hand-computed values."""

import numpy as np
import pytest
import torch

from gan_cli.studies.places import Choice, Places, _effective, _visited


def test_shares_are_counted():
    shares = np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.25, 0.25, 0.25, 0.25]])
    assert _effective(shares) == pytest.approx((1 + 2 + 4) / 3)
    assert _visited(shares) == 2


def test_a_choice_is_one_place_and_its_gradient_is_that_of_the_softmax():
    torch.manual_seed(0)
    generator = Choice(5, noise=0.5)
    z, scores = torch.randn(7, 5), torch.randn(5)
    x = generator(z)
    hard = torch.eye(5)[(generator.preferences + 0.5 * z).argmax(dim=1)]
    torch.testing.assert_close(x, hard)
    soft = (generator.preferences + 0.5 * z).softmax(dim=1)
    (expected,) = torch.autograd.grad((soft @ scores).mean(), generator.preferences)
    (found,) = torch.autograd.grad((x @ scores).mean(), generator.preferences)
    torch.testing.assert_close(found, expected)


def test_real_places_are_equally_often():
    x = Places(4).open(8, 0, torch.device("cpu")).fixed(4000).x
    assert set(x.unique().tolist()) == {0, 1}
    assert (x.sum(dim=1) == 1).all()
    torch.testing.assert_close(x.mean(dim=0), torch.full((4,), 0.25), atol=0.03, rtol=0)
