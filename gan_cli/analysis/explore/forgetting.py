"""Removal of a class from a generator by dropping the feature maps that indicate it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.analysis.explore.base import labels
from gan_cli.analysis.explore.judging import Judge
from gan_cli.analysis.explore.panels import panels
from gan_cli.analysis.look import Look
from gan_cli.analysis.units import inputs_of, selective, without
from gan_cli.config.command_schemas import ExploreConfig
from gan_cli.errors import UserError
from gan_cli.rng import generator

CONTROLS = 5  # random choices of as many feature maps

Forgotten = tuple[np.ndarray, dict[str, Any], list[str]]  # a picture, numbers for JSON, lines


def forget(
    look: Look,
    judge: Judge,
    name: str,
    layer: nn.Module,
    wanted: int | str | None,
    drop: float,
    count: int,
    columns: int,
    config: ExploreConfig,
) -> Forgotten:
    """Drop the feature maps that indicate a class, and as many at random.

    Args:
        look: has the generator.
        judge: classifies samples.
        name: name of the layer.
        layer: a convolution of the generator; the maps are its inputs.
        wanted: the class; None: the most common class among the samples.
        drop: largest share of the maps that is dropped; maps of negative weight are kept.
        count: number of samples for the regression, and of others that are drawn with and without the maps.
        columns: number of samples in the picture.
        config: config of the command.

    Raises:
        UserError: there is no such class, or too few samples have it.
    """
    size, y = config.batch_size, labels(look, None, count)
    z, others = look.z(2 * count, config.seed).split(count)
    target, weights, accuracy = _regression(look, judge, layer, wanted, z, y, size)
    chosen = weights.topk(min(max(1, int(drop * len(weights))), int((weights > 0).sum()))).indices
    rng = generator("cpu", config.seed, "dropped")
    by_chance = [torch.randperm(len(weights), generator=rng)[: len(chosen)].to(chosen) for _ in range(CONTROLS)]

    def drawn(dropped: Tensor | None) -> Tensor:
        with without(layer, dropped):
            return look.draw(others, y, size)

    images = [drawn(dropped) for dropped in (None, chosen, *by_chance)]
    found = torch.stack([judge.classes(x, size) for x in images])
    numbers = {
        "layer": name,
        "target": judge.names[target],
        "maps": len(weights),
        "maps_of_positive_weight": int((weights > 0).sum()),
        "dropped": sorted(chosen.tolist()),
        "regression_accuracy": accuracy,
        **_shares(found, target),
    }
    return _picture(images, found[0] == target, judge.names[target], columns), numbers, _lines(numbers, count)


def _regression(
    look: Look, judge: Judge, layer: nn.Module, wanted: int | str | None, z: Tensor, y: Tensor | None, size: int
) -> tuple[int, Tensor, float]:
    """Return the class, the weight of each map (F,) in a regression for it, and the regression's accuracy."""
    with inputs_of(layer) as maps:
        x = look.draw(z, y, size)
    read, classes = torch.cat([m.mean(dim=(2, 3)) for m in maps]), judge.classes(x, size)
    target = int(classes.mode().values) if wanted is None else judge.number(wanted)
    try:
        return target, *selective(read, classes == target)
    except ValueError as error:
        text = f"kind.target={judge.names[target]}: {error}; choose another class, or a larger kind.count"
        raise UserError(text) from error


def _picture(images: list[Tensor], of_class: Tensor, name: str, columns: int) -> np.ndarray:
    """Draw samples of the class, (N,) bool: with all maps, without the chosen, and without as many random maps."""
    shown = torch.where(of_class)[0][:columns]
    shown = shown if len(shown) else torch.arange(min(columns, len(of_class)))
    title = f"{name}: with all maps; without the maps that indicate it; without as many random maps"
    return panels([(title, torch.stack([x[shown] for x in images[:3]]))])


def _shares(found: Tensor, target: int) -> dict[str, float | None]:
    """Return the shares of the class and of the others; found (2 + CONTROLS, N) are classes of the same z."""
    share = (found == target).double().mean(dim=1)
    rest = found[0] != target
    kept = (found[:, rest] == found[0][rest]).double().mean(dim=1) if rest.any() else None
    return {
        "share_with_all": float(share[0]),
        "share_without": float(share[1]),
        "share_without_random": float(share[2:].mean()),
        "others_keep_their_class": None if kept is None else float(kept[1]),
        "others_keep_their_class_random": None if kept is None else float(kept[2:].mean()),
    }


def _lines(numbers: dict[str, Any], count: int) -> list[str]:
    shares = [numbers[key] for key in ("share_with_all", "share_without", "share_without_random")]
    whole, less, random = (f"{100 * share:.0f} %" for share in shares)
    name, indicating = numbers["target"], numbers["maps_of_positive_weight"]
    lines = [
        f"generator, layer {numbers['layer']}: of its {numbers['maps']} feature maps {indicating} indicate {name} (a "
        f"regression on them is right for {100 * numbers['regression_accuracy']:.0f} % of samples)",
        f"  {name}: {whole} of {count} samples; {less} without the {len(numbers['dropped'])} maps that indicate it "
        f"most, {random} without as many random maps",
    ]
    if numbers["others_keep_their_class"] is not None:
        kept, by_chance = numbers["others_keep_their_class"], numbers["others_keep_their_class_random"]
        lines.append(
            f"  of the other samples {100 * kept:.0f} % keep their class, {100 * by_chance:.0f} % without random maps"
        )
    return lines
