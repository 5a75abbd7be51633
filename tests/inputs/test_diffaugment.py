"""Each transformation against what it must do to images made for the purpose."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.inputs.diffaugment import DiffAugment, color, cutout, translation
from gan_cli.rng import Draws


def draws():
    return Draws("cpu", 0, 0)


def test_color_is_affine_in_each_image_and_has_the_drawn_coefficients():
    x = torch.rand(64, 3, 8, 8)
    b, s, c = draws().uniform("s", 64, 3, 1, 1, 1).unbind(dim=1)
    b, s, c = b - 0.5, 2 * s, c + 0.5
    out = color(x, "s", draws())
    # mean over everything: only the brightness moves it; the grey plane is stretched by c, the colours by s c
    assert_close(out.mean((1, 2, 3)), x.mean((1, 2, 3)) + b.flatten())
    grey, grey_out = x.mean(1, keepdim=True), out.mean(1, keepdim=True)
    centre = lambda t: t - t.mean((1, 2, 3), keepdim=True)  # noqa: E731
    assert_close(centre(grey_out), c * centre(grey), rtol=1e-4, atol=1e-5)
    assert_close(out - grey_out, s * c * (x - grey), rtol=1e-4, atol=1e-5)


def test_color_ranges():
    b = draws().uniform("s", 4000, 3, 1, 1, 1)[:, 0]
    flat = color(torch.zeros(4000, 1, 4, 4), "s", draws())  # an even image shows the brightness alone
    assert_close(flat, (b - 0.5).expand_as(flat), rtol=1e-5, atol=1e-6)
    assert flat.min() >= -0.5
    assert flat.max() <= 0.5
    assert flat.max() - flat.min() > 0.99


@pytest.mark.parametrize(("height", "width"), [(16, 16), (28, 28), (8, 24)])
def test_translation_moves_by_whole_pixels_within_an_eighth(height, width):
    n = 500
    x = torch.arange(1.0, height * width + 1).view(1, 1, height, width).repeat(n, 2, 1, 1)
    out = translation(x, "s", draws())
    most = [int(size / 8 + 0.5) for size in (height, width)]
    padded = torch.zeros(2, height + 2 * most[0], width + 2 * most[1])
    padded[:, most[0] : most[0] + height, most[1] : most[1] + width] = x[0]
    shifts = {}
    for down in range(2 * most[0] + 1):
        for right in range(2 * most[1] + 1):
            shifts[most[0] - down, most[1] - right] = padded[:, down : down + height, right : right + width]
    found = [[shift for shift, image in shifts.items() if torch.equal(image, one)] for one in out]
    assert all(len(matches) == 1 for matches in found)
    assert {matches[0] for matches in found} == set(shifts)  # every shift occurs


@pytest.mark.parametrize(("height", "width"), [(16, 16), (28, 28), (7, 9)])
def test_cutout_erases_a_rectangle_of_half_the_sides(height, width):
    n = 2000
    out = cutout(torch.ones(n, 3, height, width), "s", draws())
    assert set(out.unique().tolist()) == {0.0, 1.0}
    erased = out[:, 0] == 0
    assert torch.equal(out[:, 0], out[:, 2])
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])  # a rectangle
    length = [int(size / 2 + 0.5) for size in (height, width)]
    for lines, full in zip((rows, columns), length, strict=True):
        assert lines.sum(1).max() == full
        assert lines.sum(1).min() >= full // 2  # the centre stays in the image
        assert all(lines.any(0))  # every row and column is hit
    assert (erased.sum((1, 2)) == length[0] * length[1]).any()


def test_everything_is_differentiable_and_each_image_has_its_own():
    x = torch.rand(8, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    first = x.detach()[:1].expand(8, -1, -1, -1)
    out = DiffAugment()(first, "input.fake", draws())
    assert not any(torch.equal(out[0], other) for other in out[1:])

    def augmented(t):
        # Draws are float32 numbers; the arithmetic is in t's precision.
        return DiffAugment()(t, "input.fake", draws())

    assert torch.autograd.gradcheck(augmented, (x[:2, :, :8, :8],))


@pytest.mark.parametrize("kind", ["color", "translation", "cutout"])
def test_parts_of_a_batch_are_augmented_like_the_whole(kind):
    x = torch.rand(8, 3, 16, 16)
    whole = DiffAugment((kind,))(x, "input.real", draws())
    parts = [DiffAugment((kind,))(x[i : i + 4], "input.real", draws().rows(i, 8)) for i in (0, 4)]
    assert torch.equal(torch.cat(parts), whole)
