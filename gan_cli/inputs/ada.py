"""Adaptive discriminator augmentation."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

from gan_cli.core.curves import Curve
from gan_cli.inputs.base import Input
from gan_cli.rng import Draws

_COINS, _UNIFORMS, _NORMALS = 13, 8, 7  # random numbers an image


class Ada(nn.Module, Input):
    """Augmentation with a probability p that follows the critic's over-fitting (Karras et al. 2020, ADA).

    Each transformation is applied to each image with probability p: reflection, turns by 90 degrees and moves by whole
    pixels; scaling, any turn, stretching and moves; brightness, contrast, inverted luma, hue and saturation, with the
    ranges of appendix B. p grows while r_t = E sign(D(real)) is above its target, and falls while it is below.
    Differences from the authors: images are interpolated bilinearly with reflected borders, without the wavelet
    filters; p moves with every critic update and not every fourth.

    Args:
        target: of r_t, 0.6 in the paper.
        adapt_images: real images in which p can go from 0 to 1; 500,000 in the paper.
        most: the largest p.
        start: p of the first step.
    """

    learns = True
    logged = (
        Curve("critic/ada_p", "probability", "neither", "probability of each augmentation of input=ada"),
        Curve(
            "critic/ada_sign",
            "1",
            "neither",
            "E sign(D(real)) at the last update, r_t of Karras et al. 2020; 1: the critic knows every real image",
        ),
    )

    def __init__(
        self,
        target: Annotated[float, Field(gt=-1, lt=1)] = 0.6,
        adapt_images: PositiveFloat = 500_000,
        most: Annotated[float, Field(gt=0, le=1)] = 1.0,
        start: Annotated[float, Field(ge=0, le=1)] = 0.0,
    ) -> None:
        super().__init__()
        self.target, self.adapt_images, self.most = target, adapt_images, most
        self.register_buffer("p", torch.tensor(float(start)))
        self.register_buffer("sign", torch.zeros(()))

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise an error for points."""
        if len(sample_shape) != 3:
            raise ValueError(f"augments images, but the data are {sample_shape[0]}-D points: use input=none (or noise)")

    def update_(self, real: Tensor, fake: Tensor) -> None:
        """Move p by the critic's scores (N,) of the last real batch."""
        self.sign.copy_(real.sign().mean())
        self.p.add_((self.sign - self.target).sign() * (len(real) / self.adapt_images)).clamp_(0, self.most)

    def curves(self) -> dict[str, Tensor]:
        """Return p and r_t."""
        return {"ada_p": self.p, "ada_sign": self.sign}

    def forward(self, x: Tensor, stream: str, draws: Draws) -> Tensor:
        """Return the augmented images (N, C, H, W); colours may leave [-1, 1]."""
        coins = draws.uniform(f"{stream}.coins", len(x), _COINS)
        u = draws.uniform(f"{stream}.uniform", len(x), _UNIFORMS).unbind(dim=1)
        g = draws.normal(f"{stream}.normal", len(x), _NORMALS).unbind(dim=1)
        p = self.p
        turned = 1 - (1 - p).sqrt()  # both turns together have probability p
        on = [coins[:, i] < (turned if i in (4, 6) else p) for i in range(_COINS)]
        return coloured(moved(x, on[:8], u[:6], g[:4]), on[8:], u[6:], g[4:])


def moved(x: Tensor, on: list[Tensor], u: tuple[Tensor, ...], g: tuple[Tensor, ...]) -> Tensor:
    """Return images (N, C, H, W) after one affine map each, the product of eight, each applied where `on` says so."""
    n, _, height, width = x.shape
    zero, one = torch.zeros_like(u[0]), torch.ones_like(u[0])

    def where(chosen: Tensor, value: Tensor, neutral: Tensor) -> Tensor:
        return torch.where(chosen, value, neutral)

    def pixels(share: Tensor, size: int) -> Tensor:
        return (share * size / 8).round() * 2 / size

    def turned(angle: Tensor) -> Tensor:
        return _turned(angle, height / width)

    reflected = where(on[0], where(u[0] < 0.5, -one, one), one)
    quarter = where(on[1], (u[1] * 4).floor() * (math.pi / 2), zero)
    whole = [where(on[2], pixels(2 * share - 1, size), zero) for share, size in ((u[2], width), (u[3], height))]
    scale = where(on[3], torch.exp2(0.2 * g[0]), one)
    before = where(on[4], (2 * u[4] - 1) * math.pi, zero)
    stretch = where(on[5], torch.exp2(0.2 * g[1]), one)
    after = where(on[6], (2 * u[5] - 1) * math.pi, zero)
    shifts = [where(on[7], 0.25 * normal, zero) for normal in (g[2], g[3])]  # an eighth of the side

    matrix = _scaled(reflected, one)
    for step in (
        turned(quarter), _shifted(*whole), _scaled(scale, scale), turned(before), _scaled(stretch, 1 / stretch),
        turned(after), _shifted(*shifts),
    ):  # fmt: skip
        matrix = step @ matrix
    grid = affine_grid(matrix[:, :2], [n, 1, height, width], align_corners=False)
    return grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def coloured(x: Tensor, on: list[Tensor], u: tuple[Tensor, ...], g: tuple[Tensor, ...]) -> Tensor:
    """Return images (N, C, H, W) after their changes of colour.

    Of images that are not red, green and blue, brightness, contrast and the mean of the channels alone change.
    """
    n, channels = x.shape[:2]

    def column(values: Tensor) -> Tensor:
        return values.view(n, 1, 1, 1)

    x = x + column(torch.where(on[0], 0.2 * g[0], 0.0))
    x = x * column(torch.where(on[1], torch.exp2(0.5 * g[1]), 1.0))
    luma = x.mean(dim=1, keepdim=True)
    x = x - column(torch.where(on[2] & (u[0] < 0.5), 2.0, 0.0)) * luma
    if channels != 3:
        return x
    angle = torch.where(on[3], (2 * u[1] - 1) * math.pi, 0.0)
    axis = x.new_full((3,), 1 / math.sqrt(3))
    cross = torch.linalg.cross(axis.expand(3, 3), torch.eye(3, device=x.device, dtype=x.dtype))
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    turn = cos * torch.eye(3, device=x.device, dtype=x.dtype) + sin * cross.T + (1 - cos) * axis[:, None] * axis
    x = torch.einsum("nij,njhw->nihw", turn, x)
    luma = x.mean(dim=1, keepdim=True)
    return luma + (x - luma) * column(torch.where(on[4], torch.exp2(g[2]), 1.0))


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _scaled(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[x, zero, zero], [zero, y, zero], [zero, zero, one]])


def _turned(angle: Tensor, ratio: float) -> Tensor:
    """Return turns of images whose height is `ratio` times their width, in coordinates that have both in [-1, 1]."""
    zero, one, cos, sin = torch.zeros_like(angle), torch.ones_like(angle), angle.cos(), angle.sin()
    return _matrix([[cos, -sin * ratio, zero], [sin / ratio, cos, zero], [zero, zero, one]])


def _shifted(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[one, zero, x], [zero, one, y], [zero, zero, one]])
