"""Measures runs of task=translate and task=cycle on the sets of make_domains.py, whose truth no run has seen.

    python scripts/measure_translation.py pairs DIRECTORY both=runs/both l1=runs/l1 --picture x.png
    python scripts/measure_translation.py turned DIRECTORY cycle=runs/cycle no_cycle=runs/no_cycle --picture x.png

`pairs` compares clothes with those made from their outlines: the mean absolute difference (of grey values in [0, 1]),
PSNR, and the Frechet distance in the features of extractor=fashion_mnist. `turned` and
`inverted`, the names of the other domain, compare translated clothes with the truth, and test a classifier of clothes,
which is trained here, on that domain before and after translation. Pictures have the size of those that the runs learnt
from. Behind a name stands a run, or a sweep over seeds: the table has its mean and, in brackets, its smallest and
largest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from make_domains import CPU
from torch import Tensor
from train_extractor import BATCH, SIDE, fit

from gan_cli.analysis.evaluation import extract
from gan_cli.analysis.figures import image_grid, save_png, side_by_side
from gan_cli.analysis.reals import as_stored
from gan_cli.core.text import columns
from gan_cli.data.file_collection import FileCollection
from gan_cli.data.folder import Folder
from gan_cli.data.loader import Order, to_float
from gan_cli.data.pairs import Pairs
from gan_cli.data.source import Batch
from gan_cli.extractors.fashion_mnist import Classifier, FashionMNIST, to_side
from gan_cli.metrics.frechet import frechet_distance
from gan_cli.rng import Draws
from gan_cli.session.load import generator_of, load
from gan_cli.training.sampling import generate

SHOWN, SIDE_SHOWN, EPOCHS = 12, 64, 8
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pairs", "turned", "inverted"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", type=lambda word: word.partition("=")[::2])
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    measure = of_pairs if arguments.what == "pairs" else partial(of_domains, arguments.what)
    named = {name: runs_in(Path(place)) for name, place in arguments.runs}
    size = load(next(iter(named.values()))[0], "cpu").shape[-1]
    table, panels = measure(arguments.directory, named, size)
    measures = list(next(reversed(table.values()))[0])
    print("\n".join(columns([["", *measures], *(_line(name, rows, measures) for name, rows in table.items())])))
    if arguments.picture:
        rows = torch.linspace(0, len(panels[0]) - 1, SHOWN).long()  # of every class, where they lie in its order
        shown = side_by_side([panel[rows] for panel in panels], (1, SIDE_SHOWN, SIDE_SHOWN))
        by_panel = shown.unflatten(0, (SHOWN, -1)).transpose(0, 1).flatten(0, 1)
        save_png(arguments.picture, image_grid(by_panel, SHOWN))


def runs_in(place: Path) -> list[Path]:
    """Return the runs at or below a directory."""
    found = sorted(path.parent for path in place.rglob("config.yaml"))
    if not found:
        raise SystemExit(f"{place} holds no run")
    return found


def of_pairs(directory: Path, named: dict[str, list[Path]], size: int) -> tuple[dict[str, list[Row]], list[Tensor]]:
    """Return rows of measures by name, and panels of pictures, of clothes made from their outlines."""
    data = pairs(size, directory / "edges" / "test")
    features = features_of()
    real = features(data.x)
    other = features(pairs(size, directory / "edges" / "train").x[: len(data.x)])
    table = {"other clothes": [{"frechet": frechet_distance(real, other)}]}
    panels = [data.source]
    for name, runs in named.items():
        table[name] = []
        for run in runs:
            made = translated(run, data.source)
            table[name].append(compared(made, data.x) | {"frechet": frechet_distance(real, features(made))})
            panels += [made] if run == runs[0] else []
    return table, [*panels, data.x]


def of_domains(
    domain: str, directory: Path, named: dict[str, list[Path]], size: int
) -> tuple[dict[str, list[Row]], list[Tensor]]:
    """Return rows of measures by name, and panels of pictures, of clothes and of another domain."""
    data = pairs(size, directory / "test" / "clothes", directory / "test" / domain)
    clothes, others = data.source, data.x
    classify = classifier(directory, size)

    def accuracy(x: Tensor) -> float:
        return float((classify(x) == data.y).double().mean())

    def both(to_b: Tensor, to_a: Tensor) -> Row:
        of_b, of_a = compared(to_b, others), compared(to_a, clothes)
        return {f"psnr to {domain}": of_b["psnr"], "psnr to clothes": of_a["psnr"], "accuracy": accuracy(to_a)}

    table = {"the truth": [{"accuracy": accuracy(clothes)}], "as they are": [both(clothes, others)]}
    if domain == "turned":
        table["inverted alone"] = [both(-clothes, -others)]
    panels = [clothes]
    for name, runs in named.items():
        table[name] = []
        for run in runs:
            made = translated(run, torch.stack([others, clothes], dim=1).flatten(0, 1))
            table[name].append(both(made[1::2], made[::2]))
            panels += [made[1::2]] if run == runs[0] else []
    return table, [*panels, others]


def pairs(size: int, path: Path, path_b: Path | None = None) -> Batch:
    """Return all pairs of a directory or of two, in the order of their names, A as the source of B."""
    found = Pairs(size, str(path), path_b and str(path_b)).collect()
    a, b = to_float(everything(found)).chunk(2, dim=1)
    return Batch(b, None if found.labels is None else torch.from_numpy(found.labels), None, a)


def everything(found: FileCollection) -> Tensor:
    """Return the prepared pictures (N, C, S, S) uint8 in the order of their names."""
    return torch.from_numpy(np.concatenate([chunk.images for chunk in found.chunks(np.arange(len(found)))]))


def translated(run: Path, source: Tensor) -> Tensor:
    """Return what a run's generator makes of pictures, as it would be stored."""
    state = load(run, "cpu").state
    z = state.game.latent.sample(len(source), Draws(CPU, 0, 0))
    return as_stored(torch.cat(list(generate(state.game, generator_of(state, "auto"), z, source=source))))


def compared(made: Tensor, true: Tensor) -> Row:
    """Return the mean difference of grey values in [0, 1], and the mean PSNR in dB."""
    difference = (made - true).flatten(1).double() / 2
    mse = difference.square().mean(dim=1)
    return {"l1": float(difference.abs().mean()), "psnr": float(-10 * mse.log10().mean())}


def features_of() -> Callable[[Tensor], Tensor]:
    """Return the function that gives the features of images."""
    extractor = FashionMNIST()
    extractor.load(CPU)
    return lambda x: extract(extractor, x, 500).x


def classifier(directory: Path, size: int) -> Callable[[Tensor], Tensor]:
    """Return a classifier of images that has learnt from clothes, as they lie in sub-folders."""
    found = Folder(size, str(directory / "clothes")).collect()
    x, y = to_side(to_float(everything(found)), SIDE), torch.from_numpy(found.labels)
    order = Order(len(x), BATCH, 0, "train", CPU)
    torch.manual_seed(0)
    network = Classifier()
    fit(network, lambda k: Batch(x[order.indices(k)], y[order.indices(k)]), len(x), EPOCHS)
    return torch.no_grad()(lambda x: torch.cat([network(to_side(part, SIDE))[1].argmax(1) for part in x.split(500)]))


def _line(name: str, rows: list[Row], measures: list[str]) -> list[str]:
    """Return a line of the table: the means over runs, and the smallest and the largest where there are several."""
    words = [name]
    for measure in measures:
        values = [row[measure] for row in rows if measure in row]
        span = f" ({min(values):.4g} to {max(values):.4g})" if len(values) > 1 else ""
        words.append(f"{sum(values) / len(values):.4g}{span}" if values else "")
    return words


if __name__ == "__main__":
    main()
