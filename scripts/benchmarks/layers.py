"""How near each convolution comes to the machine's peak, forward and backward."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.cases import case
from benchmarks.options import Options
from benchmarks.report import table
from benchmarks.timing import in_turn, medians
from gan_cli.models.products import weight_gradient
from gan_cli.training.game import Game
from gan_cli.training.profile import peak_flops

TITLE = "Where the arithmetic is lost"
ABOUT = """\
The speed of every convolution of DCGAN alone, channels last, in GFLOP/s (multiplications with the padding's zeros
count), compared with the peak of a large matrix product or convolution, in the run's precision. `forward` is the
forward pass, `input` and `weights` are the gradients of input and weights. `weights, product` is the gradient of the
weights as a matrix product; `RULES` in `gan_cli.models.convolution` says for which processors and maps it is used.
`norms` is the gradient of a gradient penalty's norms by the critic's weights, as torch computes it; where there is a
rule, ours is one of the two columns before it. The share is that of forward, input and the faster of the two columns
for weights."""


class Layer(NamedTuple):
    """A convolution, its input and its output."""

    module: nn.Conv2d | nn.ConvTranspose2d
    x: Tensor
    y: Tensor


def measure(options: Options) -> dict[str, Any]:
    """Time the layers of both networks at every size."""
    rows = []
    for size in options.sizes:
        chosen = case("wgan", size, 1, options.overrides)
        precision = chosen.plan.config.runtime.precision
        peak = peak_flops(chosen.plan.device, precision)
        for layer in _layers(chosen.state().game, chosen.plan.config.train.batch_size):
            rows.append({"size": size, "precision": precision, "peak": peak, **_timed(layer, options)})
        options.show(f"layers at {size}: peak {peak / 1e9:.0f} GFLOP/s in {precision}")
    return {"rows": rows}


def _layers(game: Game, batch_size: int) -> list[Layer]:
    found: list[Layer] = []
    hooks = [
        module.register_forward_hook(lambda module, x, y: found.append(Layer(module, x[0].detach(), y.detach())))
        for module in game.modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    with torch.no_grad():
        z = torch.randn(batch_size, game.latent.total_size)
        game.ask(game.generate(z.to(next(game.parameters()).device)))
    for hook in hooks:
        hook.remove()
    return found


def _timed(layer: Layer, options: Options) -> dict[str, Any]:
    module, x, y = layer
    x, weight = (t.to(y.dtype) for t in (x, module.weight.detach()))  # as autocast casts them
    gradient = torch.randn_like(y)
    transposed = isinstance(module, nn.ConvTranspose2d)
    way = (module.stride, module.padding, (1, 1), transposed, (0, 0), 1)
    small, large = (x, gradient) if transposed else (gradient, x)

    def backward(*wanted: bool) -> tuple[Tensor, ...]:
        return torch.ops.aten.convolution_backward(gradient, x, weight, None, *way, [*wanted, False])

    timed = {
        "forward": lambda: torch.convolution(x, weight, None, *way),
        "input": lambda: backward(True, False),
        "weights": lambda: backward(False, True),
        "product": lambda: weight_gradient(small, large, weight.shape[2:], module.stride, module.padding),
    }
    if not transposed:
        moving = weight.clone().requires_grad_()
        norms = torch.ops.aten.convolution_backward(gradient, x, moving, None, *way, [True, False, False])[0]
        timed["norms"] = lambda: torch.autograd.grad(norms, moving, x, retain_graph=True)
    seconds = medians(in_turn(timed, options.rounds, 3))
    flops = 2 * small.shape[0] * small.shape[2] * small.shape[3] * weight.numel()
    kind = "transposed convolution" if transposed else "convolution"
    name = f"{kind} {x.shape[1]} to {y.shape[1]}, {x.shape[2]} to {y.shape[2]} pixels"
    return {"name": name, "flops": flops, "seconds": seconds}


def tables(result: dict[str, Any]) -> str:
    """Return the result as Markdown."""
    rows = []
    for row in result["rows"]:
        seconds, flops = row["seconds"], row["flops"]
        names = ("forward", "input", "weights", "product", "norms")
        speeds = [f"{flops / seconds[name] / 1e9:.0f}" if name in seconds else "" for name in names]
        whole = seconds["forward"] + seconds["input"] + min(seconds["weights"], seconds["product"])
        share = 3 * flops / whole / row["peak"]
        rows.append(
            [
                f"{row['size']} x {row['size']}",
                row["name"],
                row.get("precision", "fp32"),
                f"{flops / 1e9:.2f}",
                *speeds,
                f"{share:.0%}",
            ]
        )
    heads = ["forward", "input", "weights", "weights, product", "norms"]
    return table(["images", "layer", "precision", "GFLOP", *heads, "share of the peak"], rows)
