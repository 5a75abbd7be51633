"""Votes, precision and recall of words, and the methods without a game, against values worked out by hand."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import normalize

from gan_cli.analysis import tagging

TAGS = [[0, 1], [2], [1, 3, 4]]


def test_precision_and_recall_of_ranked_words():
    scores = torch.tensor(
        [
            [9.0, 1.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 0.0, 0.5],  # 0 2 3 4 5 6 7 8 1 .: 0 at once, 1 as the ninth
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],  # 10 9 8 7 6 5 4 3 2 .: 2 as the ninth
            [0.0, 9.0, 0.1, 8.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],  # 1 3 10 9 8 7 6 5 4 .: 1 and 3 at once
        ]
    )
    found = tagging.judged(scores, TAGS)
    assert found.precision == pytest.approx((2 / 3, (1 + 0 + 2) / 15, (2 + 1 + 3) / 30))
    assert found.recall == pytest.approx(((1 / 2 + 0 + 1 / 3) / 3, (1 / 2 + 0 + 2 / 3) / 3, 1))
    assert [*found.named()] == [f"{kind}_at_{k}" for kind in ("precision", "recall") for k in (1, 5, 10)]


def of_words(n=40, seed=0):
    """Images in two groups of features, with words of their group, and one word that all have."""
    rng = torch.Generator().manual_seed(seed)
    group = torch.arange(n) % 2
    features = torch.randn(n, 6, generator=rng) * 0.3 + torch.nn.functional.one_hot(group, 6) * 3
    tags = [[0, 1 + g] if i % 4 < 2 else [1 + g] for i, g in enumerate(group.tolist())]
    return SimpleNamespace(features=features - features.mean(dim=0), tags=tags)


def test_methods_without_a_game():
    train, other = of_words(), of_words(seed=1)
    vectors = normalize(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    found = tagging.baselines(train, other.features, vectors)
    frequent, mean, neighbours, regression = found.values()
    assert torch.equal(frequent, torch.tensor([20.0, 20.0, 20.0]).expand(40, -1))
    own = torch.tensor([1 + i % 2 for i in range(40)])
    for scores in (mean, neighbours, regression):
        assert torch.equal(scores[:, 1:].argmax(dim=1) + 1, own)
    name = next(name for name in found if name.startswith("k-NN on features, k = "))
    assert int(name.rpartition(" ")[2]) in tagging.NEIGHBOURS


def test_the_penalty_is_the_one_with_the_least_error_of_leaving_out():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(30, 20, generator=rng)
    features -= features.mean(dim=0)
    target = features[:, :2] + torch.randn(30, 2, generator=rng)

    def fit(x, y, penalty):
        mean = x.mean(dim=0)
        weights = torch.linalg.solve(x.T @ x + penalty * torch.eye(20), x.T @ (y - y.mean(dim=0)))
        return weights, y.mean(dim=0), mean

    def error(penalty):
        total = 0.0
        for i in range(30):
            rest = [j for j in range(30) if j != i]
            x = torch.cat([features[rest], torch.ones(29, 1)], dim=1)
            ridge = torch.diag(torch.tensor([penalty] * 20 + [0.0]))
            weights = torch.linalg.solve(x.T @ x + ridge, x.T @ target[rest])
            total += (target[i] - torch.cat([features[i], torch.ones(1)]) @ weights).square().mean().item()
        return total

    penalty, weights = tagging._regression(features, target)
    assert penalty == min(tagging.PENALTIES, key=error)
    torch.testing.assert_close(weights, fit(features, target, penalty)[0], atol=1e-4, rtol=1e-4)


def test_neighbours_leave_the_image_itself_out():
    train = SimpleNamespace(features=torch.eye(3) + torch.tensor([[0.0, 0.1, 0], [0.1, 0, 0], [0, 0, 0]]), tags=TAGS)
    true = tagging._indicators(TAGS, 5, torch.device("cpu"))
    scores = tagging._neighbours(train, None, true, 1)
    assert scores[0].nonzero().flatten().tolist() == TAGS[1]
    assert scores[1].nonzero().flatten().tolist() == TAGS[0]
    alike = tagging._neighbours(train, train.features, true, 1)
    torch.testing.assert_close(alike, true)
