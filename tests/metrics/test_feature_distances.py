"""Frechet and kernel distance, precision to coverage, and the classifier score: closed forms and orderings."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.metrics.classifier_score import classifier_score, classifier_score_by_splits
from gan_cli.metrics.frechet import frechet_distance
from gan_cli.metrics.kid import kernel_distance
from gan_cli.metrics.manifold import manifold


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(n, d, seed=0):
    """A sample whose mean is 0 and whose covariance is the identity, exactly."""
    x = normal(n, d, seed)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T


def test_frechet_distance_of_gaussians_in_closed_form():
    a, b = whitened(500, 3), whitened(400, 3, 1)
    shift, scale = torch.tensor([1.0, 2.0, 0.0], dtype=torch.float64), torch.tensor([2.0, 1.0, 0.5]).double()
    assert frechet_distance(a, b) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b + shift) == pytest.approx(5)
    assert frechet_distance(a, b * scale) == pytest.approx(float((scale - 1).square().sum()))
    assert frechet_distance(b * scale, a) == pytest.approx(float((scale - 1).square().sum()))


def test_frechet_distance_of_covariances_that_do_not_commute():
    a, b = normal(300, 2) @ torch.tensor([[2.0, 1.0], [0.0, 1.0]]).double(), normal(300, 2, 1)
    s, t = torch.cov(a.T), torch.cov(b.T)
    product = s @ t  # of 2 x 2: tr root = (tr + 2 root det)^(1/2)
    trace = (product.trace() + 2 * torch.linalg.det(product).sqrt()).sqrt()
    expected = (a.mean(0) - b.mean(0)).square().sum() + s.trace() + t.trace() - 2 * trace
    assert frechet_distance(a, b) == pytest.approx(float(expected))


def test_frechet_distance_of_fewer_samples_than_features_is_finite():
    assert math.isfinite(frechet_distance(normal(5, 20), normal(6, 20, 1)))


def test_kernel_distance_by_hand():
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    within = 1.0 + 7.0**3  # pairs (0, 1) and (2, 3), each met twice and halved
    across = (1 + 1 + 3.0**3 + 4.0**3) / 4
    assert kernel_distance(a, b) == pytest.approx(within - 2 * across)


def test_kernel_distance_is_unbiased():
    values = [kernel_distance(normal(40, 4, 2 * i), normal(40, 4, 2 * i + 1)) for i in range(200)]
    mean = sum(values) / len(values)
    deviation = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    assert min(values) < 0
    assert abs(mean) < 3 * deviation / len(values) ** 0.5


def test_both_are_those_of_torch_fidelity():
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    a, b = normal(120, 6).float(), (1.3 * normal(120, 6, 1) + 0.2).float()
    statistics = [fid.fid_features_to_statistics(x) for x in (a, b)]
    found = next(iter(fid.fid_statistics_to_metric(*statistics, False).values()))
    assert frechet_distance(a, b) == pytest.approx(found, rel=1e-5)
    options = {"kid_subsets": 1, "kid_subset_size": 120, "verbose": False}
    assert kernel_distance(a, b) == pytest.approx(kid.kid_features_to_metric(a, b, **options)[kid.KEY_METRIC_KID_MEAN])
    expected = prc.prc_features_to_metric(
        b, a, prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False, verbose=False
    )
    found = manifold(a, b)
    assert found.precision == pytest.approx(expected[prc.KEY_METRIC_PRECISION])
    assert found.recall == pytest.approx(expected[prc.KEY_METRIC_RECALL])


def test_manifold_by_hand():
    real = torch.arange(10.0)[:, None]
    assert manifold(real, real) == pytest.approx((1, 1, density_of_a_line(), 1))
    far = manifold(real, real + 100)
    assert far == (0, 0, 0, 0)


def density_of_a_line():
    """Of 0 to 9: the balls that hold each point, by the distance to the fifth nearest neighbour, over 5."""
    radius = [sorted(abs(i - j) for j in range(10) if j != i)[4] for i in range(10)]
    return sum(abs(i - j) <= radius[j] for i in range(10) for j in range(10)) / 10 / 5


def test_precision_measures_quality_and_recall_diversity():
    real = normal(600, 4)
    narrow = manifold(real, 0.3 * normal(600, 4, 1))
    wide = manifold(real, 4 * normal(600, 4, 1))
    same = manifold(real, normal(600, 4, 1))
    assert narrow.precision > 0.9 > 0.3 > narrow.recall
    assert wide.precision < 0.3 < 0.8 < wide.recall
    assert same.precision == pytest.approx(same.recall, abs=0.1)
    assert same.density == pytest.approx(1, abs=0.1)
    assert same.coverage == pytest.approx(1 - 1 / 2**5, abs=0.03)  # Naeem et al. 2020, section 3.2


def test_classifier_score_is_between_one_and_the_number_of_classes():
    sure = torch.eye(5).log()
    assert classifier_score(sure) == pytest.approx(5)
    assert classifier_score(sure[:1].expand(7, -1)) == pytest.approx(1)
    assert classifier_score(torch.full((4, 5), 0.2).log()) == pytest.approx(1)
    half = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]).log()
    assert classifier_score(half) == pytest.approx(2**0.5)  # H(y) = 1.5 log 2, H(y | x) = log 2


def test_too_few_or_other_features():
    with pytest.raises(ValueError, match="at least 2 of each"):
        frechet_distance(normal(1, 2), normal(5, 2))
    with pytest.raises(ValueError, match="at least 2 of each"):
        kernel_distance(normal(3, 2), normal(5, 3))
    with pytest.raises(ValueError, match="at least 6 of each"):
        manifold(normal(5, 2), normal(50, 2))
    with pytest.raises(ValueError, match=r"\(N, K\)"):
        classifier_score(torch.zeros(0, 3))


def test_the_score_by_splits_is_that_of_each_part():
    log_p = torch.randn(10, 4, generator=torch.Generator().manual_seed(0)).log_softmax(1)
    mean, std = classifier_score_by_splits(log_p, 3)
    parts = torch.tensor([classifier_score(log_p[rows]) for rows in (slice(4), slice(4, 7), slice(7, 10))])
    assert mean == pytest.approx(float(parts.mean()), rel=1e-5)
    assert std == pytest.approx(float(parts.std(correction=0)), rel=1e-3)
