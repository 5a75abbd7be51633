"""Controllable generation: moves z until a classifier predicts another class."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.latents.base import Latent
from gan_cli.rng import Draws

DRAWN = 10_000  # z, of which the region is measured
NORM_QUANTILE = 0.99


class Region:
    """The region of z under a prior, measured on draws: the range of each number, and the norm of the noise.

    Args:
        latent: the prior.
        draws: stream `z` is used.

    Attributes:
        norm: 99 % quantile of the norm of the noise (without codes): a little above sqrt(size) for a normal prior.
        scale: root mean square of the norm of z.
    """

    def __init__(self, latent: Latent, draws: Draws) -> None:
        z = latent.sample(DRAWN, draws)
        self.size, self.codes = latent.size, latent.codes
        self.low, self.high = z.amin(dim=0), z.amax(dim=0)
        self.norm = float(z[:, : self.size].norm(dim=1).quantile(NORM_QUANTILE))
        self.scale = float(z.square().sum(dim=1).mean().sqrt())

    def inside(self, z: Tensor) -> Tensor:
        """Return z (N, D) moved back into the region.

        Noise is scaled to the norm, and numbers are clamped; a categorical code may be a mixture of its classes.
        """
        noise = z[:, : self.size]
        noise = noise * (self.norm / noise.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
        parts = [noise, *z[:, self.size :].split([code.size for code in self.codes], dim=1)]
        for i, code in enumerate(self.codes, 1):
            parts[i] = simplex(parts[i]) if code.kind == "categorical" else parts[i]
        return torch.cat(parts, dim=1).clamp(self.low, self.high)


def simplex(x: Tensor) -> Tensor:
    """Return the nearest points (N, K) whose numbers are at least 0 and sum to 1 (Duchi et al. 2008, figure 1)."""
    ordered = x.sort(dim=1, descending=True).values
    over = (ordered.cumsum(dim=1) - 1) / torch.arange(1, x.shape[1] + 1, device=x.device)
    last = (ordered > over).sum(dim=1, keepdim=True) - 1
    return (x - over.gather(1, last)).clamp(min=0)


class Path(NamedTuple):
    """Samples along their edits.

    Attributes:
        z: (steps + 1, N, D), the first are unchanged.
        log_p: (steps + 1, N, K), log-probabilities of the classes.
    """

    z: Tensor
    log_p: Tensor

    def share(self, target: int) -> Tensor:
        """Return the share of samples whose most likely class is the target, (steps + 1,)."""
        return (self.log_p.argmax(dim=2) == target).double().mean(dim=1)


def edit(
    z: Tensor,
    log_p: Callable[[Tensor], Tensor],
    target: int,
    steps: int,
    step_length: float,
    confidence: float,
    keep: Callable[[Tensor], Tensor],
) -> Path:
    """Increase log p(target) from each z, in steps of equal length along its gradient.

    Args:
        z: (N, D).
        log_p: z -> (N, K), differentiable.
        target: the wanted class.
        steps: number of steps.
        step_length: Euclidean length of each step.
        confidence: a sample stops as soon as the target has this probability.
        keep: applied to z after every step.
    """
    zs, found = [z], []
    for _ in range(steps):
        at = zs[-1].detach().requires_grad_()
        with torch.enable_grad():
            now = log_p(at)
            (gradient,) = torch.autograd.grad(now[:, target].sum(), at)
        found.append(now.detach())
        going = found[-1][:, target].exp() < confidence
        moved = at.detach() + step_length * gradient / gradient.norm(dim=1, keepdim=True).clamp(min=1e-12)
        zs.append(torch.where(going[:, None], keep(moved), at.detach()))
    with torch.no_grad():
        found.append(log_p(zs[-1]))
    return Path(torch.stack(zs), torch.stack(found))


@torch.no_grad()
def follow(
    z: Tensor,
    direction: Tensor,
    log_p: Callable[[Tensor], Tensor],
    steps: int,
    length: float,
    keep: Callable[[Tensor], Tensor],
) -> Path:
    """Move every z (N, D) by `length` along one direction (D,) of norm 1; other arguments as for `edit`."""
    zs = [z] + [keep(z + length * i / steps * direction) for i in range(1, steps + 1)]
    return Path(torch.stack(zs), torch.stack([log_p(at) for at in zs]))


def direction_of(path: Path, target: int) -> tuple[Tensor, float]:
    """Return the mean direction (norm 1) of the edits that reached the target, and the mean length of these edits.

    Args:
        path: result of `edit`.
        target: samples that had this class before, or do not have it after, are not used.

    Raises:
        ValueError: no edit reached the target.
    """
    before, after = (path.log_p[i].argmax(dim=1) == target for i in (0, -1))
    edits = (path.z[-1] - path.z[0])[~before & after]
    if not len(edits):
        raise ValueError("no edit reached its class")
    mean = edits.mean(dim=0)
    return mean / mean.norm().clamp(min=1e-12), float(edits.norm(dim=1).mean())


class Entanglement(NamedTuple):
    """How far attributes moved, in units of each one's standard deviation among the unchanged samples.

    Attributes:
        target: the target class's log-odds, log p / (1 - p).
        others: (K - 1,) the other classes' logits minus their mean, which the target class's logit does not move.
        ratio: mean of `others` over `target`; 0: nothing else moves, 1: everything moves as much. None if there is
            only one other class, which can not move relative to others.
    """

    target: float
    others: Tensor
    ratio: float | None


def entanglement(before: Tensor, after: Tensor, target: int) -> Entanglement:
    """Measure how much an edit changes other classes: attribute dependency (StyleSpace, Wu et al. 2021, section 6).

    There other attributes' logits are compared at equal changes of the target's, and each has its own classifier;
    here one classifier has all classes, so their logits are taken relative to each other, and the ratio is reported.

    Args:
        before: (N, K) log-probabilities, K and N at least 2.
        after: (N, K) of the same samples, edited.
        target: the wanted class.
    """
    other = torch.arange(before.shape[1], device=before.device) != target

    def attributes(log_p: Tensor) -> Tensor:
        rest = log_p[:, other].double()
        odds = log_p[:, target].double() - rest.logsumexp(dim=1)
        return torch.cat([odds[:, None], rest - rest.mean(dim=1, keepdim=True)], dim=1)

    was, now = attributes(before), attributes(after)
    moved = (now - was).abs().mean(dim=0) / was.std(dim=0).clamp(min=1e-12)
    ratio = float(moved[1:].mean() / moved[0].clamp(min=1e-12)) if len(moved) > 2 else None
    return Entanglement(float(moved[0]), moved[1:], ratio)
