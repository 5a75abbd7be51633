"""A classifier that `gan classifier` trained on the user's own data."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from gan_cli.core import untrusted
from gan_cli.core.shapes import Side, sides_of
from gan_cli.data.source import RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor, Features
from gan_cli.extractors.fashion_mnist import Classifier, to_side

DESCRIPTION, WEIGHTS = "classifier.yaml", "weights.safetensors"
_WEIGHT_BYTES = 2**30
_GREY_AND_COLOUR = (1, 3)


class Description(BaseModel):
    """What classifier.yaml says of the weights beside it.

    Attributes:
        name: in the names of scores.
        classes: in the order of the network's logits.
        channels: of the images that it learnt from.
        side: of the images that it reads, or height and width.
        width: of the network.
        halvings: of the network.
        sha256: of the weights.
        about: how it was trained, and how often it is right; for people.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^\w{1,100}$")]
    classes: Annotated[list[str], Field(min_length=2)]
    channels: Annotated[int, Field(ge=1, le=16)]
    side: Side | Annotated[list[Side], Field(min_length=2, max_length=2)]
    width: Annotated[PositiveInt, Field(le=1024)]
    halvings: Annotated[PositiveInt, Field(le=10)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    about: dict[str, str | int | float]

    def network(self) -> Classifier:
        """Return the network, with weights that are not its own yet."""
        return Classifier(self.width, self.channels, len(self.classes), self.halvings)


class TrainedClassifier(Extractor):
    """The last hidden layer and the classes of a classifier that `gan classifier` wrote into a directory.

    Args:
        path: the directory; null: there is none yet, and every use is refused.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """Its name in the names of scores."""
        return self._description.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Its classes."""
        return tuple(self._description.classes)

    @property
    def channels(self) -> tuple[int, ...]:
        """Grey for colour and the reverse, else those of the images that it learnt from."""
        own = self._description.channels
        return _GREY_AND_COLOUR if own in _GREY_AND_COLOUR else (own,)

    @property
    def resize(self) -> str:
        """How images are resized first."""
        height, width = sides_of(self._description.side)
        return f"to {height} x {width}, bilinear, antialiased"

    def columns(self, data: RealData) -> list[int] | None:
        """Return its class for each class of the data, by name; None if it does not know one of them."""
        if data.class_names is None or not set(data.class_names) <= set(self.class_names):
            return None
        return [self.class_names.index(name) for name in data.class_names]

    def load(self, device: torch.device) -> None:
        """Read the weights, and check their SHA-256.

        Raises:
            UserError: they are missing, damaged, or not those of this network.
        """
        description, path = self._description, Path(self.path) / WEIGHTS
        try:
            content = untrusted.read(path, _WEIGHT_BYTES)
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}); train it again with gan classifier") from error
        found = hashlib.sha256(content).hexdigest()
        if found != description.sha256:
            raise UserError(f"{path} is damaged: its SHA-256 is {found}, not {description.sha256}")
        self.network = description.network()
        try:
            self.network.load_state_dict(safetensors.torch.load(content))
        except (RuntimeError, SafetensorError) as error:
            raise UserError(f"{path} does not fit the {DESCRIPTION} beside it: {str(error).splitlines()[0]}") from error
        self.network.to(device).eval().requires_grad_(False)
        self.sha256 = found

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Features:
        """Return features (N, 4 width) and log-probabilities (N, K) of images (N, C, H, W) in [-1, 1]."""
        return self.differentiable(images)

    def differentiable(self, images: Tensor) -> Features:
        """Return the same features, with a gradient to the images."""
        x = with_channels(to_side(images, sides_of(self._description.side)), self._description.channels)
        features, logits = self.network(x)
        return Features(features, logits.log_softmax(dim=1))

    @cached_property
    def _description(self) -> Description:
        if self.path is None:
            raise UserError(
                "extractor=classifier: needs a directory that gan classifier wrote; add extractor.path=DIRECTORY"
            )
        path = Path(self.path) / DESCRIPTION
        try:
            return Description.model_validate(untrusted.parse_yaml(untrusted.read(path, untrusted.CONFIG_BYTES)))
        except OSError as error:
            raise UserError(f"extractor.path={self.path}: {path} cannot be read ({error.strerror})") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            raise UserError(
                f"{path}: {key or 'content'}: {first['msg']}; train it again with gan classifier"
            ) from error
        except ValueError as error:
            raise UserError(f"{path} cannot be read: {error}") from error


def with_channels(x: Tensor, channels: int) -> Tensor:
    """Return images (N, channels, H, W) of (N, C, H, W): grey as three equal channels, colours as their mean."""
    if x.shape[1] == channels:
        return x
    return x.mean(dim=1, keepdim=True).expand(-1, channels, -1, -1)
