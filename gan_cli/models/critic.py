"""The critic: a trunk, a linear score, and the linear heads of a loss or a condition; or one that gives scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.losses.base import CriticOutput


class Critic(nn.Module):
    """A critic that scores samples.

    The linear score on the flattened last feature map is DCGAN's final convolution, written as a linear layer. A trunk
    whose features are a map, (N, trunk.n_features, h, w), scores patches: its `head` makes the layers that follow, and
    an image's patches count as samples, one after the other.

    Args:
        trunk: samples (N, ...) -> features (N, trunk.n_features); its `init_`, where it has one, draws the layers that
            follow.
        heads: name -> size of further linear heads.
        n_embedded: number of embedded classes, or of a label's numbers; the embedding's inner product with the features
            is added to the score.
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, int], n_embedded: int = 0) -> None:
        super().__init__()
        self.trunk = trunk
        head = getattr(trunk, "head", partial(nn.Linear, trunk.n_features))
        self.score = head(1)
        self.heads = nn.ModuleDict({name: head(size) for name, size in heads.items()})
        self.embedding = head(n_embedded, bias=False) if n_embedded else None
        _draw_as(trunk, *(m for m in (self.score, self.heads, self.embedding) if m is not None))

    def forward(
        self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None, trunk_input: Tensor | None = None
    ) -> CriticOutput:
        """Return the output for x (N, ...); the scores are float32 at any precision of the trunk.

        Args:
            x: samples.
            y: labels (N,), or vectors (N, n_embedded).
            c: latent codes (N, C).
            trunk_input: input of the trunk, such as the samples with their labels; None: the samples.
        """
        features = self.trunk(x if trunk_input is None else trunk_input)
        with torch.autocast(x.device.type, enabled=False):
            features = features.float()
            heads = {name: _rows(head(features)) for name, head in self.heads.items()}
            score = _rows(self.score(features)).squeeze(1)
            if (patches := len(score) // len(x)) > 1:
                y, c = (None if t is None else t.repeat_interleave(patches, dim=0) for t in (y, c))
            if self.embedding is not None:
                products = _rows(self.embedding(features))
                score = score + (
                    (products * y).sum(dim=1) if y.is_floating_point() else products.gather(1, y[:, None]).squeeze(1)
                )
            return CriticOutput(score, _rows(features), heads, x, y, c)


def _rows(output: Tensor) -> Tensor:
    """Return a row for each patch of a map (N, F, h, w), (N h w, F); rows (N, F) as they are."""
    return output if output.dim() == 2 else output.permute(0, 2, 3, 1).flatten(0, 2)


class EnergyCritic(nn.Module):
    """An auto-encoder, whose error is the score (EBGAN, Zhao et al. 2017, section 2.3; BEGAN, Berthelot et al. 2017).

    The trunk encodes, a linear layer makes the code, and a network of the generator's family decodes it. The error is
    the mean over a sample's values, so that margins do not depend on the size of the images.

    Args:
        trunk: samples (N, ...) -> features (N, trunk.n_features).
        decoder: code (N, code_size) -> samples.
        code_size: size of the code, which is the output's `features`.
        norm: `l1` or `l2`, the squared error.
        heads: name -> size of linear heads on the code.
    """

    def __init__(
        self,
        trunk: nn.Module,
        decoder: nn.Module,
        code_size: int,
        norm: Literal["l1", "l2"],
        heads: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(trunk.n_features, code_size)
        self.decoder = decoder
        self.norm = norm
        self.heads = nn.ModuleDict({name: nn.Linear(code_size, size) for name, size in heads.items()})
        _draw_as(trunk, self.score, self.heads)

    def reconstruct(self, trunk_input: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code (N, code_size) and the reconstruction (N, ...), float32."""
        code = self.score(self.trunk(trunk_input))
        return code.float(), self.decoder(code).float()

    def forward(
        self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None, trunk_input: Tensor | None = None
    ) -> CriticOutput:
        """Return the output for x; its score is the energy, at least 0. Arguments as for `Critic`."""
        code, again = self.reconstruct(x if trunk_input is None else trunk_input)
        with torch.autocast(x.device.type, enabled=False):
            difference = (x - again).flatten(1)
            energy = difference.abs().mean(dim=1) if self.norm == "l1" else difference.square().mean(dim=1)
            heads = {name: head(code) for name, head in self.heads.items()}
            return CriticOutput(energy, code, heads, x, y, c)


class ScoreCritic(nn.Module):
    """A critic whose network gives the scores itself, and no features.

    Args:
        trunk: samples (N, ...) -> scores (N,) or (N, 1).
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(
        self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None, trunk_input: Tensor | None = None
    ) -> CriticOutput:
        """Return the output for x (N, ...), without features. Arguments as for `Critic`."""
        score = self.trunk(x if trunk_input is None else trunk_input)
        return CriticOutput(score.float().reshape(len(x)), None, {}, x, y, c)


def _draw_as(trunk: nn.Module, *layers: nn.Module) -> None:
    """Draw the weights of layers as the trunk's are drawn, where it says how."""
    if hasattr(trunk, "init_"):
        trunk.init_(nn.ModuleList(layers))
