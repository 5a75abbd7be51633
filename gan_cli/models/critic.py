"""A critic: a trunk of any family, a score, and the heads a loss asks for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gan_cli.losses.base import Answer
from gan_cli.models.layers import init_normal_


class Critic(nn.Module):
    """Scores samples.

    The linear score on the flattened last feature map is DCGAN's final convolution, written as what it computes.

    Args:
        trunk: samples (N, ...) -> features (N, trunk.n_features).
        heads: name -> size of the further linear heads.
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.score = nn.Linear(trunk.n_features, 1)
        self.heads = nn.ModuleDict({name: nn.Linear(trunk.n_features, size) for name, size in heads.items()})
        if trunk.normal_init:
            init_normal_(self.score)
            init_normal_(self.heads)

    def forward(self, x: Tensor, y: Tensor | None = None, c: Tensor | None = None) -> Answer:
        """Return the answer to x (N, ...), its scores in float32 whatever the trunk computes in."""
        features = self.trunk(x)
        with torch.autocast(x.device.type, enabled=False):
            features = features.float()
            heads = {name: head(features) for name, head in self.heads.items()}
            return Answer(self.score(features).squeeze(1), features, heads, y, c)
