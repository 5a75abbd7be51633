"""Edits under classifiers whose answer is known."""

from __future__ import annotations

import pytest
import torch

from gan_cli.analysis.editing import Path, Region, direction_of, edit, entanglement, follow
from gan_cli.latents.infogan import InfoGAN
from gan_cli.latents.prior import Normal, Truncated, Uniform
from gan_cli.rng import Draws


def draws():
    return Draws("cpu", 0, "region")


W = torch.tensor([[0.0, 0, 0, 0], [3.0, 4, 0, 0], [0, 0, 1, 0]])  # logits of three classes


def log_p(z):
    return (z @ W.T).log_softmax(dim=1)


def as_it_is(z):
    return z


def test_an_edit_climbs_in_equal_steps_and_stops_where_it_is_sure():
    z = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    path = edit(z, log_p, 1, 40, 0.25, 0.9, as_it_is)
    assert path.z.shape == (41, 32, 4)
    torch.testing.assert_close(path.log_p, torch.stack([log_p(at) for at in path.z]))
    lengths = path.z.diff(dim=0).norm(dim=2)
    moved = lengths > 0
    torch.testing.assert_close(lengths[moved], torch.full_like(lengths[moved], 0.25))
    sure = path.log_p[:-1, :, 1].exp() >= 0.9
    assert (moved == ~sure).all()
    assert path.share(1)[-1] == 1
    assert path.share(1)[0] < 0.7


def test_of_a_linear_classifier_the_direction_is_its_gradient():
    z = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)) * 0.1
    path = edit(z, lambda at: torch.stack([at @ W[1], -(at @ W[1])], 1).log_softmax(1), 0, 10, 0.1, 0.999, as_it_is)
    direction, length = direction_of(path, 0)
    torch.testing.assert_close(direction, torch.tensor([0.6, 0.8, 0.0, 0.0]), atol=1e-3, rtol=0)
    assert 0 < length <= 1 + 1e-5
    others = torch.randn(64, 4, generator=torch.Generator().manual_seed(1)) * 0.1
    moved = follow(others, direction, log_p, 4, 2.0, as_it_is)
    torch.testing.assert_close((moved.z[2] - others).norm(dim=1), torch.full((64,), 1.0))
    assert moved.share(1)[-1] == 1


def test_no_direction_without_an_edit_that_arrived():
    path = edit(
        torch.zeros(3, 4), lambda z: torch.stack([z[:, 0], z[:, 0] - 9], 1).log_softmax(1), 1, 2, 0.1, 0.9, as_it_is
    )
    with pytest.raises(ValueError, match="no edit"):
        direction_of(path, 1)


@pytest.mark.parametrize("latent", [Normal(50), Uniform(50), Truncated(50, 1.0), InfoGAN(50, (10,), 2)])
def test_a_region_holds_what_the_prior_draws_and_nothing_far(latent):
    region = Region(latent, draws())
    z = latent.sample(2_000, Draws("cpu", 1, "other"))
    kept = (region.inside(z) - z).abs().amax(dim=1) < 1e-5
    assert 0.98 < kept.float().mean() <= 1
    far = region.inside(z + 5 * torch.randn(z.shape, generator=torch.Generator().manual_seed(0)))
    assert far[:, :50].norm(dim=1).max() <= region.norm + 1e-4
    assert (far >= region.low - 1e-6).all()
    assert (far <= region.high + 1e-6).all()
    torch.testing.assert_close(region.inside(far), far)
    if latent.codes:
        torch.testing.assert_close(far[:, 50:60].sum(dim=1), torch.ones(2_000))


def test_the_norm_of_a_normal_prior():
    region = Region(Normal(100), draws())
    assert region.norm == pytest.approx(11.66, abs=0.1)  # sqrt of the 99 % quantile of chi squared, 100 degrees
    assert region.scale == pytest.approx(10, abs=0.05)


def test_entanglement_is_nothing_where_the_asked_logit_alone_moves():
    logits = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    alone = logits.clone()
    alone[:, 2] += 3
    found = entanglement(logits.log_softmax(1), alone.log_softmax(1), 2)
    assert found.ratio == pytest.approx(0, abs=1e-5)
    assert found.target > 1


def test_entanglement_is_one_where_everything_moves_by_its_deviation():
    logits = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(0))
    rest = [0, 1, 3, 4]
    step = logits[:, rest] - logits[:, rest].mean(1, keepdim=True)
    moved = logits.clone()
    moved[:, rest] += step.sign() * step.std(0)  # every other attribute by one deviation, near enough
    moved[:, 2] = logits[:, 2] - logits[:, rest].logsumexp(1) + moved[:, rest].logsumexp(1)
    odds = logits[:, 2] - logits[:, rest].logsumexp(1)
    moved[:, 2] += odds.std()
    found = entanglement(logits.log_softmax(1), moved.log_softmax(1), 2)
    assert found.target == pytest.approx(1, abs=1e-3)
    assert found.ratio == pytest.approx(1, abs=0.1)


def test_shares():
    answers = torch.tensor([[[0.0, -1], [-1, 0]], [[-1.0, 0], [-1, 0]]])
    assert Path(torch.zeros(2, 2, 1), answers).share(1).tolist() == [0.5, 1.0]
