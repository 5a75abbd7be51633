"""The initialisation of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from gan_cli.rng import seed_of

Init = Literal["auto", "normal", "glorot", "he", "orthogonal"]

_Weighted = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def draw_(module: nn.Module, init: Init, gain: float = 1.0) -> None:
    """Draw the weights of every linear layer and convolution in a module, and set their biases to 0.

    Args:
        module: its layers are drawn in their order.
        init: `normal`: N(0, 0.02), with batch-norm scales N(1, 0.02) (Radford et al. 2016, section 4); `glorot`:
            uniform with variance 2 / (inputs + outputs) (Glorot & Bengio 2010, equation 16); `he`: N(0, 2 / inputs)
            (He et al. 2015, equation 10); `orthogonal` (Saxe et al. 2014; Brock et al. 2019); `auto` leaves layers as
            torch initialised them.
        gain: the weights are multiplied by it.
    """
    for layer in module.modules():
        if isinstance(layer, _Weighted):
            if init != "auto":
                _draw_weight_(layer, init)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            if gain != 1:
                layer.weight.data.mul_(gain)
        elif init == "normal" and isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)


def _draw_weight_(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, init: Init) -> None:
    inputs, outputs = fans(layer)
    if init == "orthogonal":
        nn.init.orthogonal_(layer.weight)
    elif init == "glorot":
        bound = math.sqrt(6 / (inputs + outputs))
        nn.init.uniform_(layer.weight, -bound, bound)
    else:
        nn.init.normal_(layer.weight, 0.0, 0.02 if init == "normal" else math.sqrt(2.0) / math.sqrt(inputs))


def fans(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> tuple[float, float]:
    """Return the number of inputs of one output of a layer, and the number of outputs of one input."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.weight[:, 0].numel() / math.prod(layer.stride), layer.weight[0].numel()
    stride = math.prod(layer.stride) if isinstance(layer, nn.Conv2d) else 1
    return layer.weight[0].numel(), layer.weight[:, 0].numel() / stride


@contextmanager
def seeded(seed: int, player: str) -> Iterator[None]:
    """Make weights drawn inside depend only on (seed, player), and restore torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed_of(seed, "weights", player))
        yield


class Undrawn(TorchFunctionMode):
    """Skips the initialisation of weights: a check on the meta device needs only shapes and is faster without it."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Return the tensor of an initialiser unchanged; call any other function."""
        kwargs = kwargs or {}
        draws = (torch.Tensor.normal_, torch.Tensor.uniform_)  # on the meta device they load torch._dynamo
        if func in draws or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func is torch.nn.functional.normalize:  # these three: the power iterations that spectral norm begins with
            return args[0]
        if func is torch.mv:
            return args[0][:, 0]
        if func is torch.vdot:
            return args[0][0]
        return func(*args, **kwargs)
