"""The birthday test on generators of a known number of different samples."""

from __future__ import annotations

import math

import pytest
import torch

from gan_cli.analysis.birthday import Size, _calibrated, birthday, near_pairs, wilson
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.reals import open_singly, take
from gan_cli.data.images import FashionMNIST10k
from gan_cli.extractors.fashion_mnist import FashionMNIST

CPU = torch.device("cpu")


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def repeating(x, seed=0):
    """A generator whose every sample is one of x, by chance."""
    order = torch.randint(len(x), (45_000,), generator=rng(seed))
    return lambda start, stop: x[order[start:stop]]


@pytest.fixture(scope="module")
def clothes():
    """Features of 500 held-out images, and of the other 9,500."""
    data = open_singly(FashionMNIST10k(28), CPU)
    extractor = FashionMNIST()
    extractor.load(CPU)
    heldout, others = take(data.heldout, 0, 500).x, data.train.at(torch.arange(9_500)).x
    return extract(extractor, heldout, 250).x, extract(extractor, others, 250).x


@pytest.mark.parametrize("support", [50, 500, 2_000, 10_000])
def test_the_number_of_distinct_images_within_a_factor_of_two(clothes, support):
    heldout, others = clothes
    found = birthday(repeating(torch.cat([heldout, others])[-support:]), heldout)
    assert support / 2 < found.support < 2 * support
    assert found.low <= found.support <= found.high
    assert found.distances[0] == 0


def test_slightly_different_copies_count_as_copies(clothes):
    heldout, others = clothes
    exact = repeating(others[:50])
    noise = 0.02 * others.std(0) * torch.randn(45_000, others.shape[1], generator=rng(1))
    found = birthday(lambda start, stop: exact(start, stop) + noise[start:stop], heldout)
    assert 25 < found.support < 100


def test_three_images(clothes):
    heldout, others = clothes
    found = birthday(repeating(others[:3]), heldout)
    assert 1 < found.low <= found.support <= found.high < 12


def test_as_many_as_may_be_have_no_duplicates(clothes):
    heldout, others = clothes
    order = torch.randperm(len(others), generator=rng())
    found = birthday(lambda start, stop: others[order[start:stop]], heldout, batches=40)
    assert found.at.size == 181
    assert found.high > 100_000
    assert found.low > 5_000


def test_classes_that_are_missing_are_no_duplicates(clothes):
    heldout, others = clothes
    near = torch.cdist(others, others[:1])[:, 0].argsort()[:2000]  # a fifth of the images, all alike
    order = near[torch.randperm(len(near), generator=rng())]
    found = birthday(lambda start, stop: others[order[start:stop]], heldout, batches=20, max_size=64)
    assert found.low > 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("support", [500, 2_000, 10_000])
def test_more_batches_estimate_it_more_narrowly(clothes, support, seed):
    heldout, others = clothes
    found = birthday(repeating(torch.cat([heldout, others])[-support:], seed), heldout, batches=240)
    assert support / 1.5 < found.support < 1.5 * support
    assert found.high < (3 if support < 10_000 else 5) * found.low  # so rare a pair of reals is known within six times


def test_the_papers_formula():
    half = Size(size=101, batches=60, with_duplicate=30, threshold=1.0, false_rate=0.0, false_rate_high=0.0)
    assert half.support(0.5, 0.0) == pytest.approx(101 * 100 / (2 * math.log(2)))
    assert half.support(0.0, 0.0) == math.inf
    assert half.support(1.0, 0.0) == 1
    assert half._replace(size=2).support(0.95, 0.0) == 1  # there is no less
    assert half.support(0.2, 0.2) == math.inf
    assert half.support(0.6, 0.2) == pytest.approx(half.support(0.5, 0.0))


def endless(seed):
    """A generator that never repeats itself, of the same law as the reals."""
    x = torch.randn(11_000, 8, generator=rng(seed))
    return lambda start, stop: x[start:stop]


@pytest.mark.parametrize("n", [5, 20, 50])
def test_few_reals_make_no_collapse_of_a_generator_that_never_repeats_itself(n):
    found = [birthday(endless(100 + seed), torch.randn(n, 8, generator=rng(seed))) for seed in range(40)]
    assert sum(f.high < 500 for f in found) <= 4  # a 95 % interval misses one in 40 on this side


def test_a_generator_of_sixty_is_found_with_fifty_reals():
    real = torch.randn(50, 8, generator=rng())
    assert birthday(repeating(torch.randn(60, 8, generator=rng(1))), real).high < 500


def test_the_share_among_reals_is_what_it_is_said_to_be():
    size, shares, rates = 128, [], []
    for seed in range(12):
        ordered = torch.pdist(torch.randn(1000, 4, generator=rng(seed)).double()).sort().values
        threshold, false_rate, high = _calibrated(ordered, size)
        assert false_rate < high < 6 * false_rate
        new = torch.randn(size * 60, 4, generator=rng(1000 + seed)).double()
        shares.append(sum(bool((torch.pdist(part) <= threshold).any()) for part in new.split(size)) / 60)
        rates.append(false_rate)
    assert sum(shares) / 12 == pytest.approx(sum(rates) / 12, rel=0.5)


def test_reals_that_are_equal_do_not_hide_fakes_that_are():
    real = torch.randn(1000, 8, generator=rng())
    real[:12] = real[0]
    found = birthday(repeating(torch.randn(300, 8, generator=rng(1))), real)
    assert 150 < found.support < 600


def test_wilsons_interval():
    share, low, high = wilson(30, 60)
    assert share == 0.5
    assert (low, high) == pytest.approx((0.3774, 0.6226), abs=1e-4)
    assert wilson(0, 60)[:2] == pytest.approx((0.5 / 60, 0))
    assert wilson(60, 60)[2] == pytest.approx(1)


def test_near_pairs_are_those_of_different_batches():
    x = torch.tensor([[0.0], [1.0], [5.0], [5.1], [7.0], [7.01], [9.0]])
    pairs, distances = near_pairs(x, 2, 2)
    assert pairs.tolist() == [[4, 5], [2, 3]]
    assert distances.tolist() == pytest.approx([0.01, 0.1], rel=1e-4)
    assert near_pairs(x, 3, 5)[0].tolist() == [[4, 5], [0, 1]]


def test_too_few_reals():
    with pytest.raises(ValueError, match="at least 3"):
        birthday(repeating(torch.randn(5, 2)), torch.randn(2, 2))
