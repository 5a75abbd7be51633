"""The birthday paradox test: an estimate of how many different samples a generator has (Arora and Zhang 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from scipy.special import gammaincinv
from torch import Tensor

FALSE_RATE = 0.01  # of batches of real samples that may seem to hold a duplicate
Z = 1.959964  # of a 95 % interval
GROWTH = math.sqrt(2)  # from a size to the next


class Size(NamedTuple):
    """The result of the test at one batch size.

    Attributes:
        size: s, the number of samples in a batch.
        batches: how many batches were tested.
        with_duplicate: how many of these batches have two samples at most `threshold` apart.
        threshold: a distance between features.
        false_rate: share of batches of s real samples that have such a pair.
        false_rate_high: upper end of its 95 % interval, which is wide if there are few real samples.
    """

    size: int
    batches: int
    with_duplicate: int
    threshold: float
    false_rate: float
    false_rate_high: float

    def support(self, share: float, false_rate: float) -> float:
        """Return the N for which `share` = 1 - exp(-s (s - 1) / (2 N)); for a share of 1/2 the paper estimates s^2.

        N is the number of equally likely samples with which this share of the batches of s has two equal ones.

        Args:
            share: share of batches with a duplicate.
            false_rate: the same share among real samples, which is subtracted first.
        """
        true = (share - false_rate) / (1 - false_rate)
        if true <= 0:
            return math.inf
        return max(1.0, self.size * (self.size - 1) / (-2 * math.log1p(-true))) if true < 1 else 1.0


class Birthday(NamedTuple):
    """The result of `birthday`.

    Attributes:
        sizes: the result at every size that was tested, in growing order.
        at: the size that gives the estimate: where the share reaches a half, or the one before if its share is nearer;
            the largest if no share reaches a half.
        support: effective, 1 / sum p_i^2 for samples of probabilities p_i; infinity if duplicates are no
            more frequent than among real samples.
        low: lower end of its 95 % interval.
        high: upper end; infinity if there may be no duplicates at all.
        pairs: (K, 2) positions of the nearest pairs among the samples drawn, each pair once, nearest first.
        distances: (K,) of these pairs.
    """

    sizes: list[Size]
    at: Size
    support: float
    low: float
    high: float
    pairs: Tensor
    distances: Tensor


@torch.no_grad()
def birthday(
    draw: Callable[[int, int], Tensor],
    real: Tensor,
    batches: int = 60,
    max_size: int = 181,
    n_pairs: int = 16,
    seen: Callable[[Size], None] = lambda size: None,
) -> Birthday:
    """Test batches of growing size until half of them have a duplicate.

    Two samples are duplicates where they are nearer than real samples get: the threshold at size s is the distance that
    one in a hundred batches of s reals falls to; where their number is too small to know so rare a distance, the share
    that can be known is subtracted. No sample is in two batches of the same size.

    Args:
        draw: (start, stop) -> features (stop - start, F) of these samples in the generator's stream of samples.
        real: (M, F) features of reals, M at least 3.
        batches: number of batches at each size.
        max_size: size of the largest batch; no batch has more than M samples.
        n_pairs: number of near pairs that are returned.
        seen: called with each size when it is done.

    Raises:
        ValueError: too few real samples.
    """
    if len(real) < 3:
        raise ValueError(f"{len(real)} real samples are too few; the threshold needs at least 3")
    ordered = torch.pdist(real.double()).sort().values
    fakes, found = real.new_empty(0, real.shape[1]), []
    for s in _sizes(min(max_size, len(real))):
        fakes = torch.cat([fakes, draw(len(fakes), s * batches)])
        calibrated = _calibrated(ordered, s)
        nearest = torch.stack([torch.pdist(part.double()).min() for part in fakes.split(s)])
        found.append(Size(s, batches, int((nearest <= calibrated[0]).sum()), *calibrated))
        seen(found[-1])
        if _half(found[-1]):
            break
    at = min(reversed(found[-2:] if _half(found[-1]) else found[-1:]), key=_from_half)
    share, low, high = wilson(at.with_duplicate, batches)
    pairs, distances = near_pairs(fakes, at.size, n_pairs)
    supports = at.support(share, at.false_rate), at.support(high, 0.0), at.support(low, at.false_rate_high)
    return Birthday(found, at, *supports, pairs, distances)


def _half(size: Size) -> bool:
    return 2 * size.with_duplicate >= size.batches


def _from_half(size: Size) -> int:
    return abs(2 * size.with_duplicate - size.batches)


def wilson(k: int, n: int) -> tuple[float, float, float]:
    """Return the share k / n, at least half a count away from 0 and 1, and its 95 % interval by Wilson."""
    p = k / n
    centre, width = p + Z**2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    low, high = (centre - width) / (1 + Z**2 / n), (centre + width) / (1 + Z**2 / n)
    return min(max(p, 0.5 / n), 1 - 0.5 / n), max(low, 0.0), min(high, 1.0)


def near_pairs(x: Tensor, size: int, n_pairs: int) -> tuple[Tensor, Tensor]:
    """Return each batch's nearest pair and its distance, for the batches of `size` in which it is smallest."""
    pairs, distances = [], []
    for start in range(0, len(x) - size + 1, size):
        between = torch.cdist(*[x[start : start + size].double()] * 2)
        between.fill_diagonal_(math.inf)
        value, place = between.flatten().min(dim=0)
        pairs.append(torch.stack([place // size, place % size]) + start)
        distances.append(value)
    near = torch.stack(distances).topk(min(n_pairs, len(distances)), largest=False)
    return torch.stack(pairs)[near.indices], near.values


def _sizes(most: int) -> Iterator[int]:
    s, exact = 2, 2.0
    while s <= most:
        yield s
        exact *= GROWTH
        s = round(exact)


def _calibrated(ordered: Tensor, s: int) -> tuple[float, float, float]:
    """Return a threshold, the share of batches of s real samples with a pair up to it, and the share's upper bound.

    A batch holds each of the M (M - 1) / 2 pairs of reals with the chance q = s (s - 1) / (M (M - 1)), so none of the k
    nearest with (1 - q)^k, near enough. The k that are there were drawn by chance: as many as a Poisson variable, whose
    mean may be as large as the interval of Garwood (1936) says.

    Args:
        ordered: distances of all pairs of reals, ascending.
        s: samples a batch, at most M.
    """
    q = min(s * (s - 1) / (2 * len(ordered)), 1 - 1e-12)
    k = min(max(1, int(math.log1p(-FALSE_RATE) / math.log1p(-q))), len(ordered))
    threshold = ordered[k - 1]
    k = int(torch.searchsorted(ordered, threshold, right=True))  # reals that are equal are so many pairs at once
    false_rate, highest = (-math.expm1(n * math.log1p(-q)) for n in (k, float(gammaincinv(k + 1, 0.975))))
    return float(threshold), min(false_rate, 1 - 1e-12), min(highest, 1 - 1e-12)
