"""The Inception network of the literature's FID, KID and Inception Score."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from gan_cli.core.extras import pip_install
from gan_cli.data.loader import to_bytes
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features

_CHOICES = "extractor=efficientnet_lite0, extractor=pixels, or extractor=fashion_mnist for grey clothes"


class Inception(Extractor):
    """Inception-v3 with the weights of Heusel et al. 2017, from torch-fidelity 0.4; downloaded on first use.

    Args:
        weights: file of the weights; null: torch's directory of downloads, downloaded if it is missing.
    """

    name = "inception"
    channels = (1, 3)
    standard = True
    rounds = True

    def __init__(self, weights: str | None = None) -> None:
        self.weights = weights

    @property
    def resize(self) -> str:
        """How images are resized first."""
        return "to 299 x 299, bilinear as in TensorFlow 1"

    def available(self) -> bool:
        """Return whether the library and the weights are on this machine."""
        try:
            return self._path().is_file()
        except UserError:
            return False

    def load(self, device: torch.device) -> None:
        """Read the weights, or download them.

        Raises:
            UserError: torch-fidelity is not installed, the download fails, or the file is not the right one.
        """
        path = self._path()
        url = self._url()
        if not path.is_file():
            if self.weights is not None:
                raise UserError(f"extractor.weights={self.weights}: no such file; use another file, or {_CHOICES}")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(url, str(path), hash_prefix=_prefix(url), progress=False)
            except (URLError, OSError, RuntimeError) as error:
                reason = getattr(error, "reason", None) or error
                raise UserError(
                    f"extractor=inception: its weights are missing and cannot be downloaded from {url} ({reason}); "
                    f"save the file as {path}, or use {_CHOICES}"
                ) from error
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}); use {_CHOICES}") from error
        if not found.startswith(_prefix(url)):
            raise UserError(f"{path} is not {url.rpartition('/')[2]}: its SHA-256 starts with {found[:8]}; remove it")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        names = ["2048", "logits_unbiased"]
        network = FeatureExtractorInceptionV3("inception", names, feature_extractor_weights_path=str(path))
        self.network = network.to(device).eval()
        self.sha256 = found

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Return features (N, 2048) and log-probabilities (N, 1008) of images (N, C, H, W) in [-1, 1]."""
        pixels = to_bytes(images).expand(-1, 3, -1, -1)
        features, logits = self.network(pixels)
        return Features(features, logits.log_softmax(dim=1))

    def _path(self) -> Path:
        if self.weights is not None:
            return Path(self.weights)
        return Path(torch.hub.get_dir()) / "checkpoints" / self._url().rpartition("/")[2]

    def _url(self) -> str:
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
        except ImportError as error:
            hint = pip_install("inception")
            raise UserError(f"extractor=inception needs torch-fidelity: {hint}; or use {_CHOICES}") from error
        return URL_INCEPTION_V3


def _prefix(url: str) -> str:
    """Return the first characters of the SHA-256, which torch's downloads have at the end of their file name."""
    return url.rpartition("-")[2].partition(".")[0]
