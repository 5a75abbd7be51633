"""ADA: each transformation against what it must do, and p against the critic's signs."""

import math

import pytest
import torch
from torch.testing import assert_close

from gan_cli.inputs.ada import Ada, coloured, moved
from gan_cli.rng import Draws

N, YES, NO = 3, torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool)
HALF, ZERO = torch.full((N,), 0.5), torch.zeros(N)


def draws():
    return Draws("cpu", 0, 0)


def geometric(x, which=None, u=None, g=None):
    on = [YES if i == which else NO for i in range(8)]
    return moved(x, on, tuple(u or [HALF] * 6), tuple(g or [ZERO] * 4))


def images(channels=1, side=16):
    return torch.rand(N, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_nothing_is_done_with_probability_0():
    x = images(3)
    assert_close(Ada()(x, "input.real", draws()), x, atol=1e-5, rtol=0)


def test_everything_is_done_with_probability_1_and_it_has_a_gradient():
    x = images(3).requires_grad_()
    out = Ada(start=1.0)(x, "input.real", draws())
    assert (out - x).abs().mean() > 0.1
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    assert gradient.abs().sum() > 0


def test_reflection_and_quarter_turns():
    x = images()
    assert_close(geometric(x, 0, [ZERO] + [HALF] * 5), x.flip(3), atol=1e-5, rtol=0)
    assert_close(geometric(x, 0), x, atol=1e-5, rtol=0)
    for quarters in range(4):
        u = [HALF, torch.full((N,), quarters / 4)] + [HALF] * 4
        assert_close(geometric(x, 1, u), x.rot90(quarters, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(16, 32), (32, 16)])
def test_a_turn_keeps_the_shape_of_what_is_in_a_rectangle(height, width):
    x = torch.rand(N, 2, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows, columns = slice((height - 16) // 2, (height + 16) // 2), slice((width - 16) // 2, (width + 16) // 2)
    u = [HALF, torch.full((N,), 0.25)] + [HALF] * 4
    assert_close(geometric(x, 1, u)[..., rows, columns], x[..., rows, columns].rot90(1, (2, 3)), atol=1e-4, rtol=0)


def test_moves_by_whole_pixels_within_an_eighth():
    x = images()
    u = [HALF, HALF, torch.tensor([0.0, 0.5, 0.999]), HALF, HALF, HALF]  # -2, 0 and 2 of 16 pixels
    out = geometric(x, 2, u)
    assert_close(out[0, :, :, 2:], x[0, :, :, :-2], atol=1e-5, rtol=0)
    assert_close(out[1], x[1], atol=1e-5, rtol=0)
    assert_close(out[2, :, :, :-2], x[2, :, :, 2:], atol=1e-5, rtol=0)


def test_scale_and_turn_keep_the_centre():
    side = 17
    x = torch.zeros(N, 1, side, side)
    x[:, :, side // 2, side // 2] = 1
    for which in (3, 4, 5, 6):
        out = geometric(x, which, [torch.rand(N) for _ in range(6)], [torch.randn(N) for _ in range(4)])
        assert (out.flatten(1).argmax(dim=1) == side * side // 2).all()


def test_colours():
    x = images(3)
    on = lambda i: [YES if j == i else NO for j in range(5)]  # noqa: E731
    g = (torch.full((N,), 2.0),) * 3
    assert_close(coloured(x, on(0), (HALF, HALF), g), x + 0.4)
    assert_close(coloured(x, on(1), (HALF, HALF), g), x * 2)
    flipped = coloured(x, on(2), (ZERO, HALF), g)
    assert_close(flipped.mean(dim=1), -x.mean(dim=1))
    assert_close(flipped - flipped.mean(dim=1, keepdim=True), x - x.mean(dim=1, keepdim=True))
    third = torch.full((N,), 0.5 + 1 / 3)  # a turn by 120 degrees about the grey axis exchanges the channels
    turned = coloured(x, on(3), (HALF, third), g)
    assert_close(turned, x.roll(1, dims=1), atol=1e-4, rtol=0)
    saturated = coloured(x, on(4), (HALF, HALF), g)
    assert_close(saturated - saturated.mean(dim=1, keepdim=True), 4 * (x - x.mean(dim=1, keepdim=True)))


def test_grey_images_keep_one_channel():
    assert Ada(start=1.0)(images(1), "input.real", draws()).shape == (N, 1, 16, 16)


def test_p_follows_the_signs_between_its_bounds():
    ada = Ada(target=0.6, adapt_images=100, most=0.05)
    sure, unsure = torch.ones(2), torch.tensor([1.0, -1.0])
    ada.update_(sure, unsure)
    assert float(ada.p) == pytest.approx(0.02)
    assert float(ada.sign) == 1
    for _ in range(9):
        ada.update_(sure, unsure)
    assert float(ada.p) == pytest.approx(0.05)
    for _ in range(9):
        ada.update_(unsure, sure)
    assert float(ada.p) == 0


def test_an_image_that_no_coin_chooses_stays():
    ada = Ada(start=0.1)
    x = images(1).repeat(100, 1, 1, 1)
    out = ada(x, "s", draws())
    coins = draws().uniform("s.coins", len(x), 13)
    untouched = (coins[:, [0, 1, 2, 3, 5, 7, 8, 9, 10]] >= 0.1).all(dim=1) & (
        coins[:, [4, 6]] >= 1 - math.sqrt(0.9)
    ).all(dim=1)
    same = ((out - x).abs().flatten(1).amax(dim=1) < 1e-4)[untouched]
    assert len(same) > 0
    assert same.all()
