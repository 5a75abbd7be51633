"""The scores of pictures against other pictures, without a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gan_cli.analysis.evaluation import Reference
from gan_cli.analysis.further_scores import further_scores
from gan_cli.analysis.look import protocol_of
from gan_cli.analysis.reals import AUTO_COUNT, Reals
from gan_cli.analysis.run_scores import RunScores
from gan_cli.config.command_schemas import EvaluateConfig
from gan_cli.core.shapes import sides_of
from gan_cli.data.classes import is_number
from gan_cli.data.digest import digest
from gan_cli.data.loader import to_float
from gan_cli.data.picture_set import PictureSet, picture_set
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.metrics.manifold import LEAST
from gan_cli.session import runtime, single_parts


def picture_scores(config: EvaluateConfig, fakes: Any = None, real: Any = None) -> RunScores:
    """Score pictures against others, of which as many more stand in their place for the floors.

    Both are brought to the shape of the fakes (cropped and resized), and to as many channels: grey pictures that are
    stored in colour count as grey.

    Args:
        config: names both, and the extractor.
        fakes: what Python gives in the place of `fakes`; None: nothing.
        real: likewise.

    Raises:
        UserError: there are no such pictures, too few of them, or no extractor for them.
    """
    made, true = (
        picture_set(getattr(config, key) if given is None else given, key)
        for key, given in (("fakes", fakes), ("real", real))
    )
    n, size = _count(made, true, config), config.image_size
    sides = made.sides if size is None else sides_of(size)
    if min(sides) < 8:
        raise UserError(f"fakes={made.name}: pictures of {sides[0]} x {sides[1]}; image_size=8 enlarges them")
    device = torch.device(runtime.device_of(config.device))
    (a, of_a), (b, of_b) = made.first(n, sides), true.first(2 * n, sides)
    a, b = _alike(a, b)
    fake, first, second = (
        Batch(to_float(torch.from_numpy(x)).to(device), None if y is None else torch.from_numpy(y).to(device))
        for x, y in (
            (a, _renamed(of_a, made, true)),
            (b[:n], _part(of_b, slice(n))),
            (b[n:], _part(of_b, slice(n, None))),
        )
    )
    shape = tuple(first.x.shape[1:])
    data = RealData(shape, true.class_names, None, None, digest(b), None)
    extractor = single_parts.extractor(config).choose(data)
    extractor.load(device)
    reference = Reference(data, Reals(first, second, "real"), extractor, config.w1_count, config.batch_size)
    scores = reference.scores(fake.x) + further_scores(reference, fake, config)
    kind = f"{n} pictures of {' x '.join(map(str, shape))}"
    protocol = {
        "fake": f"{kind}, of {made.size:,} in {made.name}, data {digest(a)}",
        "real": f"{kind}, of {true.size:,} in {true.name}, data {data.fingerprint}",
        "floor": f"{n} other real pictures in place of the fakes",
        "seed": config.seed,
        **protocol_of(extractor),
    }
    return RunScores(protocol, {score.name: score for score in scores}, n)


def _count(made: PictureSet, true: PictureSet, config: EvaluateConfig) -> int:
    most = min(made.size, true.size // 2)
    if most < LEAST:
        raise UserError(
            f"fakes={made.name} has {made.size} pictures and real={true.name} {true.size}; the scores need at least "
            f"{LEAST} and {2 * LEAST}"
        )
    if config.count == "auto":
        return min(AUTO_COUNT, most)
    if config.count > most:
        raise UserError(
            f"count={config.count}: fakes has {made.size:,} pictures and real {true.size:,}, of which as many again "
            f"are the floor: count={most} or less"
        )
    return config.count


def _alike(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets (N, C, H, W) with as many channels: 1 if both are grey, else 3, or more if both have as many."""
    if max(a.shape[1], b.shape[1]) > 3 or 2 in (a.shape[1], b.shape[1]):
        if a.shape[1] != b.shape[1]:
            raise UserError(f"fakes have {a.shape[1]} channels and real ones {b.shape[1]}; both must have as many")
        return a, b
    if all((x == x[:, :1]).all() for x in (a, b)):
        return a[:, :1], b[:, :1]
    return np.repeat(a, 3 // a.shape[1], axis=1), np.repeat(b, 3 // b.shape[1], axis=1)


def _part(y: np.ndarray | None, rows: slice) -> np.ndarray | None:
    return None if y is None else y[rows]


def _renamed(y: np.ndarray | None, made: PictureSet, true: PictureSet) -> np.ndarray | None:
    """Return the fakes' classes as those of the real pictures, by name or by number; None where neither is theirs."""
    names = true.class_names
    if y is None or names is None:
        return None
    if set(made.class_names) <= set(names):
        return np.array([names.index(name) for name in made.class_names])[y]
    if any(map(is_number, names)) or not all(map(str.isdecimal, made.class_names)):
        return None
    numbers = np.array(list(map(int, made.class_names)))  # as `gan sample labels=true` writes them
    return numbers[y] if numbers.max() < len(names) else None
