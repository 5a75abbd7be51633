"""The images that excite single units, and samples without some feature maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gan_cli.analysis.explore.base import Found, Kind
from gan_cli.analysis.explore.forgetting import forget
from gan_cli.analysis.explore.judging import Judge
from gan_cli.analysis.explore.panels import panels
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import available, take
from gan_cli.analysis.units import (
    convolutions,
    evaluated,
    purity,
    responses,
    sensitivity,
)
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.data.source import Batch
from gan_cli.errors import UserError
from gan_cli.rng import generator

HELDOUT = 1_000  # held-out images at most
DIMMED = 0.25  # brightness outside a unit's receptive field


class Features(Kind):
    """The images to which the critic's units respond, and a generator without the feature maps of a class.

    The first is DCGAN's figure 5 in another way: the held-out images that excite a filter most, darkened where its
    response does not depend on them. The second is DCGAN's section 6.3.1 (Radford et al. 2016): logistic regression
    finds the feature maps of a layer that indicate a class; those with the largest positive weights are dropped, and
    the same z are drawn again. The paper drops all maps of positive weight, and reads them at places in and out of
    boxes drawn by hand; here it is the mean of a map, and a classifier finds the class of the image. As many random
    maps are dropped as a control. The networks use their running statistics.

    Args:
        units: number of units shown for each of the critic's layers, the first ones.
        top: number of images for each unit.
        target: class to forget, by name or number; None: the most common class among the samples.
        layer: layer of the generator that reads the feature maps to be dropped; `auto`: the last convolution but
            one, DCGAN's second highest.
        drop: largest share of the layer's feature maps that is dropped.
        count: number of samples for the regression, and of others that are drawn with and without the maps.
        columns: number of samples in the picture of the forgotten class.
    """

    data = "needed"

    def __init__(
        self,
        units: PositiveInt = 8,
        top: Annotated[int, Field(ge=2)] = 8,
        target: NonNegativeInt | str | None = None,
        layer: str = "auto",
        drop: Annotated[float, Field(gt=0, le=1)] = 0.2,
        count: Annotated[int, Field(ge=20)] = 500,
        columns: PositiveInt = 12,
    ) -> None:
        self.units, self.top, self.target, self.layer = units, top, target, layer
        self.drop, self.count, self.columns = drop, count, columns

    def __call__(self, look: Look, config: ExploreConfig) -> Found:
        """Return one picture for each layer of the critic, and one of the samples without the class."""
        trunk = getattr(look.state.game.critic, "trunk", look.state.game.critic)
        seeing, drawing = convolutions(trunk), convolutions(look.network)
        if not seeing and not drawing:
            raise UserError(
                "kind=features: neither the critic nor the generator of this run has a convolution with feature maps "
                "to show; train a run with model=dcgan or model=resnet"
            )
        asked = self.target is not None or self.layer != "auto"
        if asked and not drawing:
            raise UserError(
                "kind=features: this run's generator has no convolutions; leave out kind.target and kind.layer"
            )
        judge = self._judge(look, asked)
        pictures, numbers, lines = {}, {"critic": None, "generator": None}, []
        if seeing:
            pictures, numbers["critic"], lines = self._seen(look, seeing, config.batch_size)
        else:
            lines.append("the critic has no convolutions")
        if judge is None:
            lines.append(f"no class is removed: extractor={look.extractor.name} does not know these classes")
        elif not drawing:
            lines.append("no class is removed: the generator has no convolutions")
        else:
            name = self._layer(drawing)
            layer, rest = drawing[name], (self.target, self.drop, self.count, self.columns, config)
            try:
                pictures["forgotten"], numbers["generator"], text = forget(look, judge, name, layer, *rest)
            except UserError as error:
                if asked:
                    raise
                text = [f"no class is removed: {error}"]
            lines += text
        if not pictures:
            raise UserError(f"kind=features: {'; '.join(lines)}; there is nothing to show")
        return Found(pictures, numbers, lines)

    def _judge(self, look: Look, asked: bool) -> Judge | None:
        try:
            return Judge(look, "kind=features")
        except UserError:
            if asked:
                raise
            return None

    def _seen(
        self, look: Look, layers: dict[str, nn.Module], size: int
    ) -> tuple[dict[str, np.ndarray], dict[str, Any], list[str]]:
        """Return the held-out images that excite the first units of each layer most."""
        game, heldout = look.state.game, look.data.heldout
        real = take(heldout, 0, min(HELDOUT, available(heldout) or HELDOUT))
        top = min(self.top, len(real.x))
        y = real.y if game.condition.needs_labels else None

        def parts() -> Iterator[Batch]:
            for start in range(0, len(real.x), size):
                rows = slice(start, start + size)
                yield Batch(real.x[rows], None if y is None else y[rows])

        pictures, numbers, lines = {}, {}, []
        with evaluated(game.critic):
            for name, layer in layers.items():
                found = responses(layer, lambda batch: game.ask(game.input.alone(batch.x), *batch[1:]), parts())
                best = found.topk(top, dim=0).indices.T
                rows = []
                for unit in range(min(self.units, len(best))):
                    shown = best[unit]
                    ask = _asker(game, None if y is None else y[shown])
                    seen = sensitivity(layer, unit, ask, real.x[shown])
                    rows.append((real.x[shown] + 1) * (DIMMED + (1 - DIMMED) * seen) - 1)
                pictures[f"critic_{name}"] = panels([(f"critic, layer {name}: one row per unit", torch.stack(rows))])
                numbers[name] = {"units": len(best)}
                line = f"critic, layer {name}: {len(best)} units"
                if look.data.class_names is not None:
                    pure = float(purity(best, real.y).mean())
                    chance = float(purity(_random_rows(len(best), top, len(real.x)), real.y.cpu()).mean())
                    numbers[name] |= {"purity": pure, "purity_by_chance": chance}
                    line += f"; on average {100 * pure:.0f} % of a unit's {top} images have the same class"
                    line += f", {100 * chance:.0f} % for randomly chosen images"
                lines.append(line)
        return pictures, numbers, lines

    def _layer(self, layers: dict[str, nn.Module]) -> str:
        """Return the name of the generator layer that `layer` chooses.

        Raises:
            UserError: there is no such layer.
        """
        if self.layer == "auto":
            return list(layers)[-2:][0]
        if self.layer not in layers:
            raise UserError(f"kind.layer={self.layer}: the generator's convolutions are {', '.join(layers)}")
        return self.layer


def _asker(game: Any, y: Tensor | None) -> Any:
    return lambda x: game.ask(game.input.alone(x), y)


def _random_rows(n: int, k: int, among: int) -> Tensor:
    rng = generator("cpu", 0, "purity")
    return torch.stack([torch.randperm(among, generator=rng)[:k] for _ in range(n)])
