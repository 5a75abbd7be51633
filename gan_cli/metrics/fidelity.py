"""How near images are to those that they should be, one by one: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.core.curves import Curve

CURVES = (
    Curve(
        "quality/psnr[_<pixels>]",
        "dB",
        "higher",
        "peak signal-to-noise ratio of images that have a target, mean over images; _hole: in the hole alone; "
        "_there_and_back: of an image and its translation there and back",
        chart=("Quality", "PSNR"),
    ),
    Curve(
        "quality/ssim[_<pixels>]",
        "1",
        "higher",
        "structural similarity of the same images",
        chart=("Quality", "SSIM"),
    ),
)
PSNR_OF_EQUALS = 58.92  # dB, a mean squared error of 1/12: what rounding to 8 bits makes of an exact image
_REACH = 5  # pixels of SSIM's window beside its centre
_AT_A_TIME = 256


def psnr(made: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor:
    """Return the peak signal-to-noise ratio of each image (N,), over all of its values, at most PSNR_OF_EQUALS.

    Args:
        made: images (N, C, H, W) uint8.
        target: what they should be, likewise.
        hole: (N, 1, H, W), true in as many pixels of each image: of these alone.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    rows = (x if hole is None else x.masked_select(hole.expand_as(x)) for x in (made, target))
    a, b = (row.double().reshape(len(made), -1) for row in rows)
    return peak_signal_noise_ratio(a, b, data_range=255.0, reduction="none", dim=1).clamp(max=PSNR_OF_EQUALS)


def ssim(made: Tensor, target: Tensor, hole: Tensor | None = None) -> Tensor | None:
    """Return the structural similarity of each image (N,), the mean over places and channels (Wang et al. 2004).

    The window is a Gaussian of 1.5 pixels over 11 x 11. The mean is over the places where it lies in the image, or over
    the pixels of the hole, for which the images are mirrored at their borders. None: images smaller than the window.

    Args:
        made: images (N, C, H, W) uint8.
        target: what they should be, likewise.
        hole: (N, 1, H, W), true in as many pixels of each image.
    """
    if min(made.shape[2:]) <= 2 * _REACH:
        return None
    from torchmetrics.functional.image import structural_similarity_index_measure

    places = torch.cat(
        [
            structural_similarity_index_measure(
                a.double(), b.double(), data_range=255.0, reduction="none", return_full_image=True
            )[1]
            for a, b in zip(made.split(_AT_A_TIME), target.split(_AT_A_TIME), strict=True)
        ]
    )
    if hole is not None:
        return places.masked_select(hole.expand_as(places)).view(len(places), -1).mean(dim=1)
    return places[..., _REACH:-_REACH, _REACH:-_REACH].mean(dim=(1, 2, 3))


def fidelity(made: Tensor, target: Tensor, of: str = "", hole: Tensor | None = None) -> dict[str, float]:
    """Return the means of `psnr` and `ssim` by name: psnr and ssim, or psnr_<of> and ssim_<of>."""
    end = f"_{of}" if of else ""
    found = {f"psnr{end}": psnr(made, target, hole), f"ssim{end}": ssim(made, target, hole)}
    return {name: float(values.mean()) for name, values in found.items() if values is not None}
