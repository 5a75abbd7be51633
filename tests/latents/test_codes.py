"""Codes set by hand, and priors that are truncated."""

from __future__ import annotations

import pytest
import torch

from gan_cli.latents.infogan import InfoGAN
from gan_cli.latents.prior import Normal, Truncated, Uniform
from gan_cli.rng import Draws

DRAWS = Draws("cpu", 0, "test")


def test_places_follow_the_codes():
    latent = InfoGAN(4, (3, 2), 2)
    assert [tuple(place) for place in latent.places()] == [
        ("categorical", 0, 4, 3),
        ("categorical", 1, 7, 2),
        ("uniform", 2, 9, 1),
        ("uniform", 2, 10, 1),
    ]
    assert Normal(4).places() == []


def test_codes_are_set_and_the_rest_is_as_drawn():
    latent = InfoGAN(4, (3,), 2)
    z = latent.sample(5, DRAWS)
    before = z.clone()
    found = latent.with_codes(z, [2, None, 1.5])
    assert torch.equal(z, before)
    assert found[:, 4:7].tolist() == [[0, 0, 1]] * 5
    assert found[:, 8].tolist() == [1.5] * 5
    assert torch.equal(found[:, [0, 1, 2, 3, 7]], z[:, [0, 1, 2, 3, 7]])


@pytest.mark.parametrize(("values", "words"), [([3], "values 0 to 2"), ([0.5], "values 0 to 2"), ([0] * 4, "3 codes")])
def test_codes_that_there_are_not(values, words):
    latent = InfoGAN(4, (3,), 2)
    with pytest.raises(ValueError, match=words):
        latent.with_codes(latent.sample(1, DRAWS), values)


def test_only_normal_priors_are_truncated():
    assert Normal(3).truncated(0.5).sample(100, DRAWS).abs().max() <= 0.5
    assert 0.5 < Truncated(3, 0.5).truncated(2.0).sample(1000, DRAWS).abs().max() <= 2
    for latent in (Uniform(3), InfoGAN(3)):
        with pytest.raises(ValueError, match="already bounded"):
            latent.truncated(1.0)
