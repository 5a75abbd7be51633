"""The point sets against closed forms, two-sided, and their streams."""

import math

import pytest
import torch
from small_sets import CPU, take

from gan_cli.data.synthetic import GaussianMixture1d, Grid, ParallelLines, Ring, SwissRoll, TwoGaussians1d

ALL = [Ring, Grid, SwissRoll, GaussianMixture1d, TwoGaussians1d, ParallelLines]
N = 200_000


def sample(dataset, n=N, seed=0):
    return take(dataset.open(n, seed, CPU).train, 0)


def assert_mean(values, expected, sigmas=5.0):
    """A Monte-Carlo mean lies within 5 of its own standard errors of the closed form."""
    values = values.double()
    error = float(values.mean()) - expected
    assert abs(error) < sigmas * float(values.std()) / math.sqrt(len(values)) + 1e-7, error


@pytest.mark.parametrize("dataset", ALL)
def test_batches_are_a_pure_function_of_seed_stream_and_k(dataset):
    one, two, other = (dataset().open(64, seed, CPU) for seed in (3, 3, 4))
    forwards = [take(one.train, k).x for k in range(4)]
    backwards = [take(two.train, k).x for k in (3, 2, 1, 0)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert torch.equal(a, b)
    distinct = [*forwards, take(one.heldout, 0).x, take(other.train, 0).x, one.fixed(64).x]
    for i, a in enumerate(distinct):
        assert all(not torch.equal(a, b) for b in distinct[i + 1 :])


@pytest.mark.parametrize("dataset", ALL)
def test_shapes_and_types(dataset):
    data = dataset().open(32, 0, CPU)
    batch = take(data.train, 0)
    assert data.shape == dataset().expected_shape()
    assert batch.x.shape == (32, *data.shape)
    assert batch.x.dtype == torch.float32
    assert (batch.y is None) == (data.class_names is None)
    if batch.y is not None:
        assert batch.y.dtype == torch.int64
        assert 0 <= int(batch.y.min()) <= int(batch.y.max()) < len(data.class_names)
    assert data.train.size is None
    assert data.fixed(7).x.shape == (7, *data.shape)
    assert torch.equal(data.fixed(7).x, dataset().open(9, 5, CPU).fixed(7).x)


@pytest.mark.parametrize("dataset", [Ring, Grid, GaussianMixture1d, SwissRoll])
def test_batch_needs_no_randomness_of_its_own(dataset):
    source = dataset().open(16, 0, CPU).train
    drawn = source.draw(5)
    assert torch.equal(source.batch(*drawn).x, source.batch(*drawn).x)


def test_ring_has_eight_distinct_modes_at_equal_angles():
    centres, std = Ring().open(8, 0, CPU).modes
    assert std == 0.01
    expected = [(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)) for i in range(8)]
    torch.testing.assert_close(centres, torch.tensor(expected), atol=1e-7, rtol=0)
    assert float(torch.pdist(centres).min()) == pytest.approx(2 * math.sin(math.pi / 8), abs=1e-6)


def test_grid_is_every_pair():
    centres, std = Grid().open(8, 0, CPU).modes
    assert std == 0.05
    assert {tuple(c) for c in centres.tolist()} == {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert len(centres) == 25


@pytest.mark.parametrize("dataset", [Ring(), Grid()])
def test_perfect_sampler_scores_98_9_percent(dataset):
    batch = sample(dataset)
    centres, std = dataset.open(8, 0, CPU).modes
    distance, nearest = torch.cdist(batch.x, centres, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
    share = 1 - math.exp(-9 / 2)  # of a round Gaussian in the plane, within 3 standard deviations
    assert share == pytest.approx(0.989, abs=5e-4)
    assert_mean((distance <= 3 * std).float(), share)
    assert torch.equal(nearest, batch.y)
    for mode in range(len(centres)):
        assert_mean((batch.y == mode).float(), 1 / len(centres))


@pytest.mark.parametrize(
    ("dataset", "std"), [(Ring(), 0.01), (Grid(), 0.05), (Ring(radius=2, std=0.02, scale=0.5), 0.01)]
)
def test_components_are_round(dataset, std):
    batch = sample(dataset)
    centres = dataset.open(8, 0, CPU).modes[0]
    rest = (batch.x - centres[batch.y]) / std
    for axis in range(2):
        assert_mean(rest[:, axis], 0.0)
        assert_mean(rest[:, axis] ** 2, 1.0)
    assert_mean(rest[:, 0] * rest[:, 1], 0.0)


def test_improved_wgan_variants():
    centres, std = Ring(radius=2, std=0.02, scale=1 / 1.414).open(8, 0, CPU).modes
    torch.testing.assert_close(centres[0], torch.tensor([2 / 1.414, 0.0]))
    assert std == pytest.approx(0.02 / 1.414)
    centres, std = Grid(scale=1 / 2.828).open(8, 0, CPU).modes
    assert float(centres.max()) == pytest.approx(4 / 2.828)
    assert std == pytest.approx(0.05 / 2.828)


def test_gaussian_mixture_moments():
    batch = sample(GaussianMixture1d())
    x, y = batch.x[:, 0], batch.y
    assert GaussianMixture1d().open(8, 0, CPU).modes is None  # its deviations differ
    assert_mean((y == 0).float(), 0.33)
    for mode, (mean, std) in enumerate([(-1, 0.2549), (2, 1.4150)]):
        assert_mean(x[y == mode], mean)
        assert_mean((x[y == mode] - mean) ** 2, std**2)
    # f-GAN's KL optimum matches the moments: its mean is 1.0100, its deviation 1.8307.
    mean = 0.33 * -1 + 0.67 * 2
    variance = 0.33 * (0.2549**2 + 1) + 0.67 * (1.4150**2 + 4) - mean**2
    assert (mean, math.sqrt(variance)) == pytest.approx((1.0100, 1.8307), abs=5e-4)
    assert_mean(x, mean)
    assert_mean((x - mean) ** 2, variance)


def test_mixture_weights_need_not_sum_to_one():
    assert_mean((sample(GaussianMixture1d(weights=[1, 3])).y == 1).float(), 0.75)


def test_two_gaussians():
    dataset = TwoGaussians1d()
    x = sample(dataset).x[:, 0]
    assert_mean(x, -3.0)
    assert_mean((x + 3) ** 2, 1.0)
    assert (dataset.fake_mean, dataset.fake_std) == (3.0, 1.0)
    centres, std = dataset.open(8, 0, CPU).modes
    assert (centres.tolist(), std) == ([[-3.0]], 1.0)


def test_parallel_lines():
    x = sample(ParallelLines()).x
    assert (x[:, 0] == 0).all()
    z = x[:, 1]
    assert 0 <= float(z.min()) < 1e-3
    assert 1 - 1e-3 < float(z.max()) < 1
    for power in (1, 2, 3):
        assert_mean(z**power, 1 / (power + 1))


def test_swiss_roll_moments():
    """E r^2 for t uniform on [a, 3a], a = 1.5 pi: (E t^2 + 2 noise^2) / 7.5^2; E x and E y by parts."""
    x = sample(SwissRoll()).x
    a, b = 1.5 * math.pi, 4.5 * math.pi
    second = (b**3 - a**3) / (3 * (b - a))
    assert_mean((x**2).sum(dim=1), (second + 2 * 0.25**2) / 7.5**2)
    cosine = ((math.cos(b) + b * math.sin(b)) - (math.cos(a) + a * math.sin(a))) / (b - a)
    sine = ((math.sin(b) - b * math.cos(b)) - (math.sin(a) - a * math.cos(a))) / (b - a)
    assert_mean(x[:, 0], cosine / 7.5)
    assert_mean(x[:, 1], sine / 7.5)


def test_noiseless_swiss_roll_lies_on_the_spiral():
    x = 7.5 * sample(SwissRoll(noise=0), n=1000).x.double()
    radius = x.norm(dim=1)
    torch.testing.assert_close(x[:, 0], radius * radius.cos(), atol=2e-4, rtol=0)
    torch.testing.assert_close(x[:, 1], radius * radius.sin(), atol=2e-4, rtol=0)
    assert 1.5 * math.pi - 1e-4 <= float(radius.min()) < float(radius.max()) <= 4.5 * math.pi + 1e-4


def test_swiss_roll_agrees_with_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = torch.from_numpy(datasets.make_swiss_roll(20_000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5)
    ours = sample(SwissRoll(), n=20_000).x.double()
    for a, b in ((theirs[:, 0], ours[:, 0]), (theirs[:, 1], ours[:, 1])):
        grid = torch.linspace(-2.2, 2.2, 200, dtype=torch.float64)
        gap = (
            torch.searchsorted(a.sort().values, grid) - torch.searchsorted(b.sort().values, grid)
        ).abs().max() / 20_000
        assert float(gap) < 1.95 * math.sqrt(2 / 20_000)  # Kolmogorov-Smirnov at 0.1 %


def test_fingerprints_follow_the_parameters():
    sets = [Ring(), Ring(std=0.02), Grid(), Grid(side=3), SwissRoll(), SwissRoll(noise=0.1), TwoGaussians1d()]
    assert len({s.open(8, 0, CPU).fingerprint for s in sets}) == len(sets)
    assert Ring().open(8, 0, CPU).fingerprint == Ring().open(16, 1, CPU).fingerprint
