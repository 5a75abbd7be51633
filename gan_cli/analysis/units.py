"""Single units of convolutional networks: the images that excite them most, and the effect of dropping them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, softplus

RIDGE = 1.0  # of the logistic regression, on features of deviation 1
ROUNDS = 50  # of Newton's method, at the most


def convolutions(network: nn.Module) -> dict[str, nn.Module]:
    """Return the convolutions of a network by name, in order, without those of 1 x 1, which have no spatial extent."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return {name: m for name, m in network.named_modules() if isinstance(m, kinds) and max(m.kernel_size) > 1}


@contextmanager
def evaluated(*networks: nn.Module) -> Iterator[None]:
    """Put networks into eval mode, so that each output depends on one image alone; restore their modes afterwards."""
    modes = [(m, m.training) for network in networks for m in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def outputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect a layer's output (N, channels, H, W) in each call, in copies that no in-place layer changes."""
    found: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the feature maps (N, channels, H, W) that a layer reads in each call."""
    found: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, inputs: found.append(inputs[0].clone()))
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def dropped(layer: nn.Module, maps: Tensor) -> Iterator[None]:
    """Replace these feature maps (K,) of a layer's input by zeros."""

    def drop(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (inputs[0].index_fill(1, maps, 0.0), *inputs[1:])

    handle = layer.register_forward_pre_hook(drop)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def responses(layer: nn.Module, ask: Callable[[Any], object], images: Iterable[Any]) -> Tensor:
    """Return each unit's largest response to each image over the places of its map, (N, units).

    Args:
        layer: a convolution; a unit is one of its filters, before any norm and activation.
        ask: runs the network of the layer on a part of the images.
        images: parts, each an argument of `ask`.
    """
    with outputs_of(layer) as found:
        for part in images:
            ask(part)
            found[-1] = found[-1].amax(dim=(2, 3))
    return torch.cat(found)


def sensitivity(layer: nn.Module, unit: int, ask: Callable[[Tensor], object], images: Tensor) -> Tensor:
    """Return each pixel's influence on a unit's largest response: the smoothed size of its gradient, at most 1.

    Args:
        layer: as for `responses`.
        unit: number of the filter.
        ask: as for `responses`, differentiable.
        images: (N, C, H, W).

    Returns:
        (N, 1, H, W) in [0, 1].
    """
    x = images.detach().requires_grad_()
    with torch.enable_grad(), outputs_of(layer) as found:
        ask(x)
        (gradient,) = torch.autograd.grad(found[0][:, unit].amax(dim=(1, 2)).sum(), x)
    size = avg_pool2d(gradient.abs().sum(dim=1, keepdim=True), 3, stride=1, padding=1, count_include_pad=False)
    return size / size.amax(dim=(2, 3), keepdim=True).clamp(min=1e-12)


def purity(top: Tensor, y: Tensor) -> Tensor:
    """Return the share of the most common label among each unit's images.

    Args:
        top: (units, k) positions of images.
        y: (N,) labels.

    Returns:
        (units,) in [1 / k, 1].
    """
    labels = y[top]
    same = (labels[:, :, None] == labels[:, None, :]).sum(dim=2)
    return same.amax(dim=1).double() / top.shape[1]


def selective(features: Tensor, y: Tensor) -> tuple[Tensor, float]:
    """Return how strongly each feature indicates a label, by logistic regression (Radford et al. 2016, section 6.3.1).

    Features are brought to mean 0 and deviation 1, both labels weigh the same, and a ridge keeps weights finite. The
    paper's features are activations inside and outside of boxes drawn by hand around the object to remove.

    Args:
        features: (N, F).
        y: (N,) bool, each value at least twice.

    Returns:
        weights (F,), and the accuracy on the second half of a regression on the first half, both labels with the
        same.

    Raises:
        ValueError: a label that does not occur twice.
    """
    order = torch.cat([torch.where(y)[0], torch.where(~y)[0]])
    if min(int(y.sum()), int((~y).sum())) < 2:
        raise ValueError(f"{int(y.sum())} of {len(y)} samples are positive; at least two of each kind are needed")
    x = features.double()
    x = (x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-12)
    first, second = order[::2], order[1::2]
    weights, bias = _logistic(x[first], y[first])
    right = ((x[second] @ weights + bias > 0) == y[second]).double()
    accuracy = float((right[y[second]].mean() + right[~y[second]].mean()) / 2)
    return _logistic(x, y)[0].float(), accuracy


def _logistic(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights (F,) and bias of ridge logistic regression with balanced labels, by damped Newton steps."""
    design = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    balance = torch.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum())).double()
    ridge = torch.full((design.shape[1],), RIDGE, dtype=x.dtype, device=x.device)
    ridge[-1] = 1e-6

    def objective(w: Tensor) -> Tensor:
        logits = design @ w
        return (balance * (softplus(logits) - y * logits)).sum() + (ridge * w * w).sum() / 2

    w = torch.zeros(design.shape[1], dtype=x.dtype, device=x.device)
    for _ in range(ROUNDS):
        p = (design @ w).sigmoid()
        gradient = design.T @ (balance * (p - y.double())) + ridge * w
        hessian = (design * (balance * p * (1 - p))[:, None]).T @ design + torch.diag(ridge)
        step, size = torch.linalg.solve(hessian, gradient), 1.0
        while size > 1e-6 and objective(w - size * step) > objective(w):
            size /= 2
        w = w - size * step
        if float((size * step).abs().max()) < 1e-8:
            break
    return w[:-1], w[-1]


def without(layer: nn.Module, maps: Tensor | None) -> AbstractContextManager[None]:
    """Return `dropped` for these maps; for None, a context that changes nothing."""
    return nullcontext() if maps is None else dropped(layer, maps)
