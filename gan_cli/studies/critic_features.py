"""What a trained critic has learnt of the classes: its features (Radford et al. 2016), its code (Chen et al. 2016)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from gan_cli.api.run import Run
from gan_cli.rng import Draws
from gan_cli.session.load import load
from gan_cli.session.single_parts import dataset
from gan_cli.studies.base import Finding, Runs, Study
from gan_cli.studies.drawing import labelled, panels, show_picture, show_samples
from gan_cli.studies.measured import difference, over_seeds
from gan_cli.training.game import Game

_LABELLED, _TESTED = 1000, 4000
_CENTRES = 100
_BATCH = 250


class CriticFeatures(Study):
    """Reads `trained` and `random`, a critic that has hardly moved; classifies by a linear map of 1,000 labels."""

    def look(self, runs: Runs) -> Finding:
        """Compare the accuracy on other images of critics' features, pixels and k-means."""
        accuracy: dict[str, list[float]] = {}
        for name, each in runs.items():
            accuracy[name] = [_accuracy(_features(run), _images(run)[1]) for run in each]
        for run in runs["trained"]:
            x, y = _images(run)
            pixels = x.flatten(1)
            accuracy.setdefault("pixels", []).append(_accuracy(pixels, y))
            accuracy.setdefault("k-means", []).append(_accuracy(_triangle(pixels.numpy(), run.config.seed), y))
        measured = {
            "value": over_seeds(accuracy["trained"], within=(0, 1)),
            "random": difference(accuracy["trained"], accuracy["random"]),
            "pixels": difference(accuracy["trained"], accuracy["pixels"]),
            "kmeans": difference(accuracy["trained"], accuracy["k-means"]),
        }
        figure, axes = panels(2)
        names = ["trained", "random", "k-means", "pixels"]
        axes[0, 0].bar(names, [np.mean(accuracy[name]) for name in names], color="#1864ab")
        labelled(axes[0, 0], f"Accuracy with {_LABELLED:,} labels", "features")
        show_samples(axes[0, 1], runs["trained"][0], "samples")
        return Finding(figure, measured, numbers={"accuracy": accuracy})


class Codes(Study):
    """Reads `infogan`, whose first code is categorical: how well it agrees with classes that training never sees."""

    def look(self, runs: Runs) -> Finding:
        """Compare the code that Q reads of real images with their labels, and with the clusters of k-means."""
        found, clusters, legible, share = [], [], [], []
        for run in runs["infogan"]:
            game = _game(run)
            x, y = _images(run)
            labels = y.numpy()
            found.append(best_match(_code(game, x).numpy(), labels))
            pixels = x.flatten(1).numpy()
            clusters.append(best_match(kmeans2(pixels, 10, iter=30, minit="++", seed=run.config.seed)[1], labels))
            with torch.no_grad():
                fake = game.fake(_TESTED, None, Draws("cpu", 1, 0))
            legible.append(float((_code(game, fake.x) == fake.c[:, :10].argmax(dim=1)).float().mean()))
            share.append(float(run.metrics["critic/mutual_information"][-1] / np.log(10)))
        measured = {
            "bound": over_seeds(share, within=(0, 1)),
            "legible": over_seeds(legible, within=(0, 1)),
            "classes": over_seeds(found, within=(0, 1)),
            "kmeans": difference(found, clusters),
        }
        figure, axes = panels(2, width=5.0, height=4.2)
        run = runs["infogan"][0]
        axes[0, 0].plot(run.metrics["step"], run.metrics["critic/mutual_information"], label="lower bound")
        axes[0, 0].axhline(np.log(10), color="black", linestyle="--", label="entropy of the code, log 10")
        labelled(axes[0, 0], "Mutual information of code and sample", "step", "nats")
        show_picture(axes[0, 1], next(iter(run.explore("codes").pictures.values())), "the values of the code")
        return Finding(figure, measured, [f"agreement of k-means: {', '.join(f'{c:.3f}' for c in clusters)}"])


def _images(run: Run) -> tuple[Tensor, Tensor]:
    """Return 5,000 real images and their labels, the same for every seed."""
    data = dataset(run.config).open(1, 0, torch.device("cpu"))
    batch = data.fixed(_LABELLED + _TESTED)
    return batch.x, batch.y


def _game(run: Run) -> Game:
    return load(run.path, "cpu", "latest").state.game.eval()


@torch.no_grad()
def _features(run: Run) -> Tensor:
    game = _game(run)
    return torch.cat([game.ask(x).features for x in _images(run)[0].split(_BATCH)])


@torch.no_grad()
def _code(game: Game, x: Tensor) -> Tensor:
    return torch.cat([game.ask(part).heads["code0_categorical"].argmax(dim=1) for part in x.split(_BATCH)])


def _triangle(pixels: np.ndarray, seed: int) -> Tensor:
    """Return how much nearer than usual each image is to each of the centres of k-means (Coates et al. 2011)."""
    centres, _ = kmeans2(pixels, _CENTRES, iter=20, minit="++", seed=seed)
    distances = cdist(pixels, centres)
    return torch.from_numpy(np.maximum(0, distances.mean(axis=1, keepdims=True) - distances)).float()


def _accuracy(features: Tensor, y: Tensor) -> float:
    """Return the accuracy on the last images of a ridge regression of the first ones' classes."""
    train, test = features[:_LABELLED].double(), features[_LABELLED:].double()
    mean, scale = train.mean(dim=0), train.std(dim=0) + 1e-6
    train, test = ((part - mean) / scale for part in (train, test))
    targets = torch.nn.functional.one_hot(y[:_LABELLED], int(y.max()) + 1).double()
    gram = train @ train.T
    ridge = gram.diagonal().mean() * torch.eye(len(train), dtype=torch.float64)
    weights = train.T @ torch.linalg.solve(gram + ridge, targets - targets.mean(dim=0))
    return float(((test @ weights + targets.mean(dim=0)).argmax(dim=1) == y[_LABELLED:]).double().mean())


def best_match(groups: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of samples in their class under the best one-to-one match of groups with classes."""
    table = np.zeros((10, 10))
    np.add.at(table, (groups, labels), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(labels))
