"""PSNR and SSIM against scikit-image, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchvision.transforms.functional import gaussian_blur

from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.loader import to_bytes
from gan_cli.metrics.fidelity import PSNR_OF_EQUALS, fidelity, psnr, ssim


@pytest.fixture(scope="module")
def clothes():
    """Held-out images, (6, 1, 32, 32) uint8, and what a blur makes of them."""
    x = FashionMNIST10k(32).open(6, 0, torch.device("cpu")).heldout
    x = x.batch(*x.draw(0)).x
    return to_bytes(x), to_bytes(gaussian_blur(x, 5, 1.0))


def coloured(images):
    return torch.cat([images, images.flip(3), 255 - images], dim=1)


@pytest.mark.parametrize("of", [lambda images: images, coloured], ids=["grey", "colours"])
def test_both_agree_with_scikit_image(clothes, of):
    target, made = map(of, clothes)
    pairs = list(zip(target.permute(0, 2, 3, 1).numpy(), made.permute(0, 2, 3, 1).numpy(), strict=True))
    expected = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs]
    np.testing.assert_allclose(psnr(made, target), expected, rtol=1e-6)
    as_published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    expected = [structural_similarity(a, b, channel_axis=2, **as_published) for a, b in pairs]
    np.testing.assert_allclose(ssim(made, target), expected, rtol=1e-6)


def test_a_hole_alone(clothes):
    target, _ = clothes
    hole = torch.zeros(6, 1, 32, 32, dtype=torch.bool)
    hole[:, :, 8:24, 8:24] = True
    made = torch.where(hole, (target.int() + 10).clamp(max=255).to(torch.uint8), target)
    error = (made.double() - target.double()).square()
    within = error[:, :, 8:24, 8:24].mean(dim=(1, 2, 3))
    torch.testing.assert_close(psnr(made, target, hole), 10 * torch.log10(255**2 / within), rtol=1e-6, atol=0)
    whole = 10 * torch.log10(255**2 / (within / 4))
    torch.testing.assert_close(psnr(made, target), whole, rtol=1e-6, atol=0)
    a, b = (image[0, 0].numpy() for image in (target, made))
    _, places = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
    )
    assert float(ssim(made, target, hole)[0]) == pytest.approx(places[8:24, 8:24].mean(), rel=1e-6)


def test_equal_images_have_the_error_of_rounding(clothes):
    target, _ = clothes
    assert pytest.approx(10 * math.log10(255**2 * 12), abs=0.005) == PSNR_OF_EQUALS
    assert fidelity(target, target) == {"psnr": pytest.approx(PSNR_OF_EQUALS), "ssim": pytest.approx(1)}
    assert fidelity(target, target, "hole", target >= 0) == {
        "psnr_hole": pytest.approx(PSNR_OF_EQUALS),
        "ssim_hole": pytest.approx(1),
    }


def test_images_smaller_than_the_window_have_no_ssim():
    small = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert set(fidelity(small, small)) == {"psnr"}
