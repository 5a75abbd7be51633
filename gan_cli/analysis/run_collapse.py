"""The tests whether a run's generator repeats itself."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis import figures, page
from gan_cli.analysis.birthday import Birthday, Size, birthday
from gan_cli.analysis.collapse import Classes, class_shares, verdict
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.fakes import Fakes
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import available, take
from gan_cli.config.command_schemas import CollapseConfig
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.extractors.pixels import Pixels
from gan_cli.metrics.modes import ModeCoverage, mode_coverage

REALS = 1_000  # held-out samples at most, where they have no end or many
FEW_REALS = 100  # fewer are made up with samples of the training split
COUNT, COUNT_OF_MANY = 2_500, 25_600  # samples for modes and classes, as the literature has them; for > 100 of them


class RunCollapse(NamedTuple):
    """The result of the tests.

    Attributes:
        protocol: everything that the results depend on.
        verdict: in one line, whether the generator has collapsed, and the evidence.
        space: the space of the test that counts: that with the fewest different samples.
        tests: the birthday test in each space, by its name.
        modes: where the data are a mixture of known modes.
        classes: where the extractor knows those of the data.
        class_names: of the data, or None.
        picture: the nearest pairs side by side, (height, width, 3) uint8; for points, a plot of all samples.
    """

    protocol: dict[str, Any]
    verdict: str
    space: str
    tests: Mapping[str, Birthday]
    modes: ModeCoverage | None
    classes: Classes | None
    class_names: tuple[str, ...] | None
    picture: np.ndarray

    def __repr__(self) -> str:
        return self.verdict

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.verdict)}</p>{page.image('the nearest pairs', figures.png(self.picture))}"


def run_collapse(run: Look, config: CollapseConfig) -> RunCollapse:
    """Test a run's generator.

    Raises:
        UserError: there are too few real samples.
    """
    data, extractor = run.data, run.extractor
    (real, labels, *_), of_training = _reals(data)
    fakes = Fakes(run, labels, config)
    if len(real) < 3:
        raise UserError(f"{run.path}: {len(real)} real samples are too few to define a duplicate; at least 3 needed")
    tests = {name: _birthday(space, real, fakes, config) for name, space in _spaces(extractor).items()}
    # The fewer samples count: copies with noise look unlike to a classifier, and alike things are not alike in pixels.
    where = min(tests, key=lambda name: (tests[name].high, tests[name].support))
    found = tests[where]
    modes, classes = _coverage(data, extractor, real, fakes, config)
    line = verdict(found, available(data.train), modes, classes)
    made_up = f" and {of_training} of the train split" if of_training else ""
    protocol = run.protocol(config) | {
        "real": f"{len(real) - of_training} held-out samples{made_up}, data {data.fingerprint}",
        "duplicates": "pairs nearer than real samples usually are: one real batch in a hundred has such a pair",
    }
    picture = _picture(found, real, fakes)
    return RunCollapse(protocol, line, where, tests, modes, classes, data.class_names, picture)


def _reals(data: RealData) -> tuple[Batch, int]:
    """Return held-out samples, completed with training samples if they are few, and the number of these."""
    heldout = take(data.heldout, 0, min(REALS, available(data.heldout) or REALS))
    lacking = min(FEW_REALS - len(heldout.x), available(data.train) or FEW_REALS)
    if lacking <= 0:
        return heldout, 0
    more = take(data.train, 0, lacking)
    return Batch(*(None if a is None else torch.cat([a, b]) for a, b in zip(heldout, more, strict=True))), lacking


def _spaces(extractor: Extractor | None) -> dict[str, Extractor | None]:
    """Return the spaces of the comparison by name: for points their plane, for images features and pixels."""
    if extractor is None:
        return {"the plane of the samples": None}
    return {extractor.name: extractor, Pixels.name: extractor if extractor.name == Pixels.name else Pixels()}


def _birthday(extractor: Extractor | None, real: Tensor, fakes: Fakes, config: CollapseConfig) -> Birthday:
    """Run the birthday test in one space."""

    def features(x: Tensor) -> Tensor:
        return x if extractor is None else extract(extractor, x, config.batch_size).x

    with tqdm(unit="size", desc="birthday test", disable=None, leave=False) as bar:

        def seen(size: Size) -> None:
            bar.set_postfix_str(f"{size.with_duplicate} of {size.batches} batches of {size.size} have a duplicate")
            bar.update()

        return birthday(
            lambda start, stop: features(fakes.rows(start, stop)),
            features(real),
            config.batches,
            config.max_size,
            config.pairs,
            seen,
        )


def _picture(found: Birthday, real: Tensor, fakes: Fakes) -> np.ndarray:
    """Return a grid of the nearest pairs, with pairs side by side; for points, a plot of all samples."""
    shown = torch.cat([fakes.rows(int(i), int(i) + 1) for i in found.pairs.flatten()])
    if shown.dim() != 4:
        return figures.points_figure(real[:COUNT], fakes.rows(0, COUNT), None)
    return figures.image_grid(shown, 2 * max(1, math.isqrt(len(found.pairs) // 2 or 1)))


def _coverage(
    data: RealData, extractor: Extractor | None, real: Tensor, fakes: Fakes, config: CollapseConfig
) -> tuple[ModeCoverage | None, Classes | None]:
    """Count the modes if they are known, and the classes if the extractor knows those of the data."""
    columns = None if extractor is None else extractor.columns(data)
    if data.modes is None and columns is None:
        return None, None
    many = (len(data.modes[0]) if data.modes is not None else len(columns)) > 100
    n = (COUNT_OF_MANY if many else COUNT) if config.count == "auto" else config.count
    if data.modes is not None:
        centres, std = data.modes
        return mode_coverage(fakes.rows(0, n), centres, std), None
    of_fakes = (_classes(extractor, fakes.rows(i, min(i + COUNT, n)), columns, config) for i in range(0, n, COUNT))
    return None, class_shares(torch.cat(list(of_fakes)), _classes(extractor, real, columns, config), len(columns))


def _classes(extractor: Extractor, x: Tensor, columns: list[int], config: CollapseConfig) -> Tensor:
    """Return the class (N,) of each image, among those of the data."""
    return extract(extractor, x, config.batch_size).log_p[:, columns].argmax(1)
