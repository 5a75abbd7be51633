"""Words for images by a vote of generated vectors, and how many of them are right, beside simpler methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gan_cli.analysis.figures import to_uint8
from gan_cli.core.curves import Curve
from gan_cli.data.source import RealData
from gan_cli.data.tag_words import TagWords
from gan_cli.rng import Draws
from gan_cli.training.game import Game
from gan_cli.training.sampling import generate

AT = (1, 5, 10)  # words of an image that are judged
SHOWN = 5  # words of an image on a sheet
NEIGHBOURS = (1, 2, 3, 5, 10, 20, 50)
PENALTIES = tuple(10.0**power for power in range(7))  # of the squared weights of a regression

CURVES = (
    Curve(
        "quality/precision_at_<k>",
        "share",
        "higher",
        "task=tag: share of the k words generated for an image that are among its tags, mean over held-out images",
        chart=("Quality", "precision of words"),
    ),
    Curve(
        "quality/recall_at_<k>",
        "share",
        "higher",
        "task=tag: share of an image's tags that are among the k words generated for it, mean over held-out images",
        chart=("Quality", "recall of words"),
    ),
)


class Judged(NamedTuple):
    """How many of a method's words are right.

    Attributes:
        precision: of each number of words in AT, the share that are tags of their image, mean over the images.
        recall: the share of an image's tags that they reach.
    """

    precision: tuple[float, ...]
    recall: tuple[float, ...]

    def named(self) -> dict[str, float]:
        """Return the values as precision_at_<k> and recall_at_<k>."""
        return {f"{kind}_at_{k}": x for kind in self._fields for k, x in zip(AT, getattr(self, kind), strict=True)}


@torch.no_grad()
def votes(game: Game, network: nn.Module, source: Tensor, seed: int) -> Tensor:
    """Return how often the vectors drawn for each image name each word (N, V), and less than 1 more by their cosines.

    An image's vectors are nearest by the cosine to `task.nearest` words each; the vectors of every image are drawn from
    the same z. Words of equal votes are in the order of their mean cosine.

    Args:
        game: of task=tag.
        network: the generator or its moving average.
        source: standardised features (N, F).
        seed: of z.
    """
    task = game.task
    z = game.latent.sample(task.draws, Draws(source.device, seed, "tag"))
    found = []
    for features in source:
        rows = features.expand(len(z), -1)
        cosines = torch.cat([task.cosines(x) for x in generate(game, network, z, None, source=rows)])
        named = cosines.topk(min(task.nearest, cosines.shape[1]), dim=1).indices.flatten()
        counts = torch.bincount(named, minlength=cosines.shape[1])
        found.append(counts + cosines.mean(dim=0) / 4)
    return torch.stack(found)


def judged(scores: Tensor, tags: Sequence[Sequence[int]]) -> Judged:
    """Return precision and recall of the words of the highest scores (N, V), given the tags of each image."""
    true = _indicators(tags, scores.shape[1], scores.device)
    ranked = scores.argsort(dim=1, descending=True, stable=True)
    hits = true.gather(1, ranked).cumsum(dim=1)
    at = [min(k, scores.shape[1]) for k in AT]
    precision = tuple(float(hits[:, k - 1].mean()) / k for k in at)
    return Judged(precision, tuple(float((hits[:, k - 1] / true.sum(dim=1)).mean()) for k in at))


def baselines(train: TagWords, source: Tensor, vectors: Tensor) -> dict[str, Tensor]:
    """Return the scores (N, V) of words for images by methods without a game, by a name that says what was chosen.

    Numbers of neighbours, and the penalty of the regression, are those that are best for each training image when it is
    left out.

    Args:
        train: the training images.
        source: standardised features (N, F) of the images to tag.
        vectors: of the words (V, D).
    """
    true = _indicators(train.tags, len(vectors), source.device)
    k = max(NEIGHBOURS, key=lambda k: judged(_neighbours(train, None, true, k), train.tags).precision[1])
    mean = true.T @ train.features / true.sum(dim=0)[:, None].clamp_min(1)
    target = true / true.sum(dim=1, keepdim=True) @ vectors
    penalty, weights = _regression(train.features, target)
    predicted = source @ weights + target.mean(dim=0)
    return {
        "most frequent words": true.sum(dim=0).expand(len(source), -1),
        "nearest mean of a word's features": -torch.cdist(source, mean),
        f"k-NN on features, k = {k}": _neighbours(train, source, true, k),
        f"linear regression to the vector, penalty {penalty:g}": normalize(predicted) @ normalize(vectors).T,
    }


@torch.no_grad()
def comparison(data: RealData, game: Game, network: nn.Module, count: int, seed: int) -> dict[str, Judged]:
    """Return how many of the generator's words for held-out images are right, and of those of other methods.

    The last is the most that could be: an image's own tags first.

    Args:
        data: of task=tag.
        game: of the same task.
        network: the generator or its moving average.
        count: held-out images, or all if there are fewer.
        seed: of z.
    """
    source, tags = data.heldout.features[:count], data.heldout.tags[:count]
    scores = {"generator": votes(game, network, source, seed)}
    scores |= baselines(data.train, source, game.task.vectors)
    scores["right words first"] = _indicators(tags, len(game.task.vocabulary), source.device)
    return {name: judged(found, tags) for name, found in scores.items()}


def words_of(scores: Tensor, vocabulary: Sequence[str], n: int) -> list[list[str]]:
    """Return the n words of the highest scores (N, V) for each image."""
    ranked = scores.argsort(dim=1, descending=True, stable=True)[:, :n]
    return [[vocabulary[word] for word in row] for row in ranked.tolist()]


def sheet(data: RealData, game: Game, network: nn.Module, count: int, seed: int) -> np.ndarray:
    """Draw held-out images with their tags and as many generated words, (height, width, 3) uint8.

    Args:
        data: of task=tag.
        game: of the same task.
        network: the generator or its moving average.
        count: images, or all if there are fewer.
        seed: of z.
    """
    from gan_cli.analysis import plots

    heldout, vocabulary = data.heldout, data.tags.vocabulary
    scores = votes(game, network, heldout.features[:count], seed)
    true = [[vocabulary[word] for word in words] for words in heldout.tags[:count]]
    return plots.tags(to_uint8(heldout.pictures(count)), true, words_of(scores, vocabulary, SHOWN))


def _indicators(tags: Sequence[Sequence[int]], n_words: int, device: torch.device) -> Tensor:
    """Return (N, V): 1 where an image has a word, else 0."""
    found = torch.zeros(len(tags), n_words, device=device)
    for row, words in zip(found, tags, strict=True):
        row[torch.tensor(words, device=device)] = 1
    return found


def _neighbours(train: TagWords, source: Tensor | None, true: Tensor, k: int) -> Tensor:
    """Return the sum of the cosines with those of the k nearest training images that have a word, (N, V).

    Args:
        train: the training images.
        source: features of the images; None: the training images, each without itself.
        true: the words of each training image.
        k: neighbours.
    """
    others = normalize(train.features)
    cosines = (others if source is None else normalize(source)) @ others.T
    if source is None:
        cosines.fill_diagonal_(-torch.inf)
    weight, nearest = cosines.topk(min(k, len(others) - (source is None)), dim=1)
    return torch.einsum("nk,nkv->nv", weight, true[nearest])


def _regression(features: Tensor, target: Tensor) -> tuple[float, Tensor]:
    """Return the penalty with the least squared error of each image when it is left out, and the weights (F, D).

    The errors of leaving out are those of one fit, divided by 1 - h_ii of its hat matrix (Golub et al. 1979, section
    1).
    """
    u, s, vh = torch.linalg.svd(features, full_matrices=False)
    centred = target - target.mean(dim=0)
    projected = u.T @ centred

    def error(penalty: float) -> float:
        shrunk = s**2 / (s**2 + penalty)
        residual = centred - u @ (shrunk[:, None] * projected)
        own = (u**2 * shrunk).sum(dim=1, keepdim=True) + 1 / len(features)  # of the mean too
        return float((residual / (1 - own).clamp_min(1e-6)).square().mean())

    penalty = min(PENALTIES, key=error)
    return penalty, vh.T @ ((s / (s**2 + penalty))[:, None] * projected)
