"""The Inception Score's formula for any classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.core.curves import Curve

CURVES = (
    Curve("quality/inception_score", "1", "higher", "Inception Score, with the classes of the Inception network"),
    Curve("quality/classifier_score_<extractor>", "1", "higher", "the same score, with the classes of the extractor"),
)


@torch.no_grad()
def classifier_score(log_p: Tensor) -> float:
    """Return exp(E_x KL(p(y | x) || p(y))), in [1, K] (Salimans et al. 2016), over all samples at once.

    With the Inception network's classes this is the Inception Score.

    Args:
        log_p: (N, K) log-probabilities, N at least 1.

    Raises:
        ValueError: there are no samples.
    """
    if log_p.dim() != 2 or not len(log_p):
        raise ValueError(f"log-probabilities {tuple(log_p.shape)} must be (N, K)")
    p = log_p.double().exp()
    marginal = p.mean(0)
    return float((torch.xlogy(p, p).sum(1).mean() - torch.xlogy(marginal, marginal).sum()).exp())


def classifier_score_by_splits(log_p: Tensor, splits: int) -> tuple[float, float]:
    """Return mean and standard deviation of the score over consecutive parts of about equal size, as the authors do.

    Args:
        log_p: (N, K) log-probabilities.
        splits: number of parts, at most N; 10 in Salimans et al. 2016.
    """
    scores = torch.tensor([classifier_score(part) for part in log_p.tensor_split(splits)], dtype=torch.float64)
    return float(scores.mean()), float(scores.std(correction=0))
