"""Test whether a run's generator repeats itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gan_cli.analysis import figures
from gan_cli.analysis.birthday import Birthday, Size, birthday
from gan_cli.analysis.collapse import Classes, class_shares, verdict
from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.reals import available, take
from gan_cli.commands._results import Fakes, looking_protocol, write_json
from gan_cli.config.command_line import CommandLine
from gan_cli.config.schema import CollapseConfig
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.extractors.base import Extractor
from gan_cli.extractors.pixels import Pixels
from gan_cli.metrics.modes import ModeCoverage, mode_coverage
from gan_cli.session.look import look

COLLAPSE = "collapse"
REALS = 1_000  # held-out samples at most, where they have no end or many
FEW_REALS = 100  # fewer are made up with samples of the training split
SHOWN = 100  # classes that are listed
COUNT, COUNT_OF_MANY = 2_500, 25_600  # samples for modes and classes, as the literature has them; for > 100 of them


def collapse(config: CollapseConfig, line: CommandLine) -> None:
    """Print the results and a verdict, and write both as JSON beside a picture of the nearest pairs.

    Raises:
        UserError: there is no run, no intact checkpoint, no data to compare with, or no extractor for them.
    """
    run = look(config)
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
    protocol = looking_protocol(run, config) | {
        "real": f"{len(real) - of_training} held-out samples{made_up}, data {data.fingerprint}",
        "duplicates": "pairs nearer than real samples usually are: one real batch in a hundred has such a pair",
    }
    lines = [line for name, test in tests.items() for line in [f"in {name}", *_birthday_lines(test)]]
    lines += _coverage_lines(data, modes, classes)
    print("\n".join([*(f"{key}: {value}" for key, value in protocol.items()), "", *lines]))
    out = Path(config.out) if config.out else run.path / COLLAPSE / _name(protocol, extractor)
    content = {"space": where, **_birthday_content(found)}
    content["others"] = {name: _birthday_content(test) for name, test in tests.items() if name != where}
    write_json(out, {"protocol": protocol, "verdict": line, **content, **_content(data, modes, classes)})
    try:
        figures.save_png(out.with_suffix(".png"), _picture(found, real, fakes))
    except OSError as error:
        raise UserError(f"out={out}: the picture beside it cannot be written ({error.strerror})") from error
    print(f"\n{out}\n{out.with_suffix('.png')}\n\n{line}")


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


def _birthday_lines(found: Birthday) -> list[str]:
    """Return a birthday test as lines."""
    rows = [f"  batches of {s.size:4}: {s.with_duplicate:4} of {s.batches} have a duplicate" for s in found.sizes]
    at = found.at
    rows.append(
        f"  effective support: {found.support:,.0f}, 95 % interval {found.low:,.0f} to {found.high:,.0f}, from batches "
        f"of {at.size}: the number of equally likely samples that would give as many duplicates"
    )
    return rows


def _coverage_lines(data: RealData, modes: ModeCoverage | None, classes: Classes | None) -> list[str]:
    """Return modes and classes as lines."""
    rows = []
    if modes is not None:
        rows.append(
            f"modes: {modes.captured} of {modes.total}; high quality {modes.high_quality_share:.3f}; "
            f"KL to uniform {modes.kl_to_uniform:.3f}"
        )
    if classes is not None:
        rows.append(f"classes found: {classes.met} of {len(classes.fake)}; KL to uniform {classes.kl_to_uniform:.3f}")
        if len(classes.fake) <= SHOWN:
            width = max(map(len, data.class_names))
            rows += [
                f"  {name:{width}}  fake {fake:6.3f}  real {real:6.3f}" + ("  missing" if i in classes.missing else "")
                for i, (name, fake, real) in enumerate(
                    zip(data.class_names, classes.fake.tolist(), classes.real.tolist(), strict=True)
                )
            ]
    return rows


def _birthday_content(found: Birthday) -> dict[str, Any]:
    """Return a birthday test as values for JSON."""
    return {
        "sizes": [size._asdict() for size in found.sizes],
        "effective_support": {
            "value": _number(found.support),
            "low": _number(found.low),
            "high": _number(found.high),
            "at_size": found.at.size,
        },
        "near_pairs": {"samples": found.pairs.tolist(), "distances": found.distances.tolist()},
    }


def _content(data: RealData, modes: ModeCoverage | None, classes: Classes | None) -> dict[str, Any]:
    """Return modes and classes as values for JSON."""
    content: dict[str, Any] = {}
    if modes is not None:
        content["modes"] = {key: _number(value) for key, value in modes._asdict().items()}
    if classes is not None:
        content["classes"] = {
            "names": list(data.class_names),
            "fake": classes.fake.tolist(),
            "real": classes.real.tolist(),
            "missing": [data.class_names[i] for i in classes.missing],
            "met": classes.met,
            "kl_to_uniform": classes.kl_to_uniform,
        }
    return content


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _name(protocol: dict[str, Any], extractor: Extractor | None) -> str:
    parts = [f"step_{protocol['step']:010d}", protocol["weights"], *([extractor.name] if extractor else [])]
    return "_".join([*parts, f"seed_{protocol['seed']}"]) + ".json"
