import math

import pytest
import torch

from gan_cli.metrics.modes import mode_coverage


def ring(radius=1.0):
    angle = torch.arange(8) * (2 * math.pi / 8)
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def draw(centres, std, count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    which = torch.randint(len(centres), (count,), generator=rng)
    return centres[which] + std * torch.randn(count, centres.shape[1], generator=rng)


@pytest.mark.parametrize(
    ("dimensions", "share"), [(1, math.erf(3 / math.sqrt(2))), (2, 1 - math.exp(-4.5))], ids=["1-D", "2-D"]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_perfect_sampler_has_the_normal_share_and_no_more(dimensions, share, seed):
    centres = ring() if dimensions == 2 else torch.tensor([[-1.0], [0.0], [1.0]])
    count = 100_000
    coverage = mode_coverage(draw(centres, 0.01, count, seed), centres, 0.01)
    assert coverage.high_quality_share == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count))
    assert coverage.captured == coverage.total == len(centres)
    # 2 N KL is about chi-squared with M - 1 degrees of freedom
    assert 0 < coverage.kl_to_uniform < 40 / (2 * count)


def test_counts_by_hand():
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    samples = torch.tensor([[0.0, 2.9], [0.0, -1.0], [1.0, 1.0], [10.0, 3.0], [10.0, 3.1], [5.0, 5.0]])
    coverage = mode_coverage(samples, centres, 1.0)
    assert (coverage.captured, coverage.total) == (2, 4)
    assert coverage.high_quality_share == 4 / 6  # 3 at the first mode, 1 at the second, just within
    expected = 0.75 * math.log(0.75 * 4) + 0.25 * math.log(0.25 * 4)
    assert coverage.kl_to_uniform == pytest.approx(expected, rel=1e-12)


def test_collapse_to_one_mode_is_log_m_from_uniform():
    coverage = mode_coverage(ring()[2].expand(50, 2), ring(), 0.01)
    assert (coverage.captured, coverage.high_quality_share) == (1, 1.0)
    assert coverage.kl_to_uniform == pytest.approx(math.log(8), rel=1e-12)


def test_equal_counts_are_uniform():
    assert mode_coverage(ring().repeat(3, 1), ring(), 0.01) == (8, 8, 1.0, 0.0)


def test_without_a_good_sample_nothing_is_captured():
    samples = torch.tensor([[5.0, 5.0], [math.nan, 0.0], [math.inf, 0.0]])
    coverage = mode_coverage(samples, ring(), 0.01)
    assert coverage[:3] == (0, 8, 0.0)
    assert math.isnan(coverage.kl_to_uniform)


def test_a_sample_that_is_not_finite_counts_in_the_total():
    samples = torch.cat([ring()[:1], torch.full((3, 2), math.nan)])
    assert mode_coverage(samples, ring(), 0.01)[:3] == (1, 8, 0.25)


def test_distances_are_exact_far_from_the_origin():
    centres = ring() + 1000.0
    assert mode_coverage(centres + 0.0029, centres, 0.001).captured == 0
    assert mode_coverage(centres + 0.0018, centres, 0.001).captured == 8


@pytest.mark.parametrize(
    ("samples", "centres", "std"),
    [((0, 2), (8, 2), 1.0), ((5, 2), (0, 2), 1.0), ((5, 3), (8, 2), 1.0), ((5,), (8, 2), 1.0), ((5, 2), (8, 2), 0.0)],
)
def test_what_has_no_answer_is_refused(samples, centres, std):
    with pytest.raises(ValueError, match="must be"):
        mode_coverage(torch.zeros(samples), torch.zeros(centres), std)
