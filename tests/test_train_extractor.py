"""The training command of `extractor=fashion_mnist` learns."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from gan_cli.data.source import Batch
from gan_cli.extractors.fashion_mnist import Classifier

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "train_extractor.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_extractor", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_learns(script, capsys, monkeypatch):
    monkeypatch.setattr(script, "BATCH", 32)
    torch.manual_seed(0)
    y = torch.arange(128) % 2
    x = -torch.ones(128, 1, 28, 28)
    x[torch.arange(128), 0, 4 + 14 * y] = 1.0  # a bright line at the height of its class; the shift is 2 at most
    network = Classifier(4)
    script.train(network, Batch(x, y), 5)
    script.report(network, "toy", Batch(x, y))
    shares = [float(line.rpartition(": ")[2]) for line in capsys.readouterr().out.splitlines() if "accuracy" in line]
    assert len(shares) == 2
    assert min(shares) > 0.9


def test_augmented_images_stay_images(script):
    x = torch.rand(7, 1, 28, 28) * 2 - 1
    found = script.augmented(x)
    assert found.shape == x.shape
    assert found.min() >= -1.0001
    assert found.max() <= 1.0001
