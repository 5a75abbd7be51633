"""Whether arithmetic on z is arithmetic on what images show (Radford et al. 2016, section 6.3.2, figure 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.analysis.figures import image_grid
from gan_cli.api.run import Run
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.session.single_parts import loaded
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels, show_picture
from gan_cli.studies.measured import difference, over_seeds

_POOL = 4000  # samples from which the terms are drawn
_TERM = 3  # samples of a term, as in the paper
_TRIALS = 5  # of each pair of classes
_SHOWN = 8


class _Trials(NamedTuple):
    """All trials of a run.

    Attributes:
        wanted: (N,) the class of C.
        terms: name -> (N, 3) numbers of samples: bright A, dark B, dark C, and any samples `one` and `other`.
        z: (P, size) of the pool.
        x: (P, C, H, W), their images.
    """

    wanted: Tensor
    terms: dict[str, Tensor]
    z: Tensor
    x: Tensor


class Arithmetic(Study):
    """Reads one run, `gan`: mean z of bright images of a class, minus dark ones of it, plus dark ones of another class.

    The result should be a bright image of the other class: by a classifier, and brighter than the median of that class.
    The samples are drawn among the brightest and the darkest quarter of each class, for every pair of classes.
    """

    def look(self, runs: Runs) -> Finding:
        """Compare the share of results that are as they should be with random terms, with C alone and with pixels."""
        kinds = ("arithmetic", "random terms", "C alone", "pixels")
        shares: dict[str, list[float]] = {kind: [] for kind in kinds}
        classes: list[float] = []
        pictures = []
        for run in runs["gan"]:
            judge = loaded(FashionMNIST(), torch.device("cpu"))
            trials, medians = _trials(run, judge)
            images = _results(run, trials)
            for kind in kinds:
                found, brightness = _class(judge, images[kind]), _brightness(images[kind])
                right = (found == trials.wanted) & (brightness > medians[trials.wanted])
                shares[kind].append(_share(right))
                if kind == "arithmetic":
                    classes.append(_share(found == trials.wanted))
            pictures.append(_picture(trials, images))
        measured = {
            "share": over_seeds(shares["arithmetic"], within=(0, 1)),
            "random": difference(shares["arithmetic"], shares["random terms"]),
            "alone": difference(shares["arithmetic"], shares["C alone"]),
            "pixels": difference(shares["arithmetic"], shares["pixels"]),
        }
        figure, axes = panels(2, width=5.4, height=4.6)
        axes[0, 0].bar([*kinds], [np.mean(shares[kind]) for kind in kinds], color="#1864ab")
        labelled(axes[0, 0], "Results that are bright and of C's class", "", "share")
        show_picture(axes[0, 1], pictures[0], "rows: a sample of A, B, C; A - B + C in z; in pixels")
        lines = [f"{kind}: {', '.join(f'{share:.3f}' for share in each)}" for kind, each in shares.items()]
        lines.append(f"of C's class, bright or not: {', '.join(f'{share:.3f}' for share in classes)}")
        return Finding(figure, measured, lines, {"shares": shares})


def _trials(run: Run, judge: Callable) -> tuple[_Trials, Tensor]:
    """Draw the terms of every pair of classes; return them, and the median brightness (10,) of each class."""
    rng = torch.Generator().manual_seed(run.config.seed)
    z = torch.randn(_POOL, run.config.latent.arguments["size"], generator=rng)
    x = _made(run, z)
    found, brightness = _class(judge, x), _brightness(x)
    dark, bright, medians = {}, {}, torch.zeros(len(judge.class_names))
    for k in range(len(medians)):
        members = (found == k).nonzero()[:, 0]
        members = members[brightness[members].argsort()]
        quarter = len(members) // 4
        if quarter >= _TERM:  # the generator makes this class
            dark[k], bright[k] = members[:quarter], members[-quarter:]
            medians[k] = brightness[members].median()

    def some(members: Tensor) -> Tensor:
        return members[torch.randperm(len(members), generator=rng)[:_TERM]]

    everything = torch.arange(_POOL)
    wanted = [(a, c) for a in dark for c in dark if a != c for _ in range(_TRIALS)]
    sets = {"A": bright, "B": dark, "C": dark}
    terms = {name: _stacked([some(sets[name][c if name == "C" else a]) for a, c in wanted]) for name in sets} | {
        name: _stacked([some(everything) for _ in wanted]) for name in ("one", "other")
    }
    return _Trials(torch.tensor([c for _, c in wanted], dtype=torch.long), terms, z, x), medians


def _stacked(rows: list[Tensor]) -> Tensor:
    """Return (N, 3), with no rows too, as of a generator that makes one class."""
    return torch.stack(rows) if rows else torch.zeros(0, _TERM, dtype=torch.long)


def _results(run: Run, trials: _Trials) -> dict[str, Tensor]:
    """Return the images (N, C, H, W) of each kind of result."""
    z = {name: trials.z[numbers].mean(dim=1) for name, numbers in trials.terms.items()}
    x = {name: trials.x[numbers].mean(dim=1) for name, numbers in trials.terms.items()}
    return {
        "arithmetic": _made(run, z["A"] - z["B"] + z["C"]),
        "random terms": _made(run, z["one"] - z["other"] + z["C"]),
        "C alone": _made(run, z["C"]),
        "pixels": (x["A"] - x["B"] + x["C"]).clamp(-1, 1),
    }


def _picture(trials: _Trials, images: dict[str, Tensor]) -> np.ndarray:
    """Return columns of trials, far apart from each other, with the terms' first samples above the results."""
    if not len(trials.wanted):
        return image_grid(trials.x[:_SHOWN], _SHOWN)
    chosen = torch.linspace(0, len(trials.wanted) - 1, _SHOWN).long()
    rows = [trials.x[trials.terms[name][chosen, 0]] for name in "ABC"]
    return image_grid(torch.cat([*rows, images["arithmetic"][chosen], images["pixels"][chosen]]), _SHOWN)


@torch.no_grad()
def _made(run: Run, z: Tensor) -> Tensor:
    device = next(run.generator.parameters()).device
    return torch.cat([run.generator(part.to(device)).float().cpu() for part in z.split(500)])


def _class(judge: Callable, x: Tensor) -> Tensor:
    return torch.cat([judge(part).log_p.argmax(dim=1) for part in x.split(500)])


def _brightness(x: Tensor) -> Tensor:
    return x.mean(dim=(1, 2, 3))


def _share(right: Tensor) -> float:
    """Return the share of true values, 0 where there are none at all."""
    return float(right.float().sum() / max(1, len(right)))
