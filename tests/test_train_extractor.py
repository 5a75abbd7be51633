"""The script that trains the classifier of `extractor=fashion_mnist`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_cli.extractors.fashion_mnist import Classifier

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "train_extractor.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("train_extractor", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_writes_weights_and_says_how_good_they_are(script, capsys, monkeypatch, tmp_path):
    clothes = script.FashionMNIST10k
    monkeypatch.setattr(script, "FashionMNIST10k", lambda side: clothes(side, limit=256))
    monkeypatch.setattr(sys, "argv", ["script", "--out", str(tmp_path / "x.safetensors"), "--epochs", "1"])
    monkeypatch.setattr(script, "FashionMNIST", lambda side, holdout: clothes(side, limit=200))
    script.main()
    out = capsys.readouterr().out
    assert "epoch 1 of 1: loss " in out
    assert out.count("accuracy on ") == 4
    assert "accuracy on 500 images, held out, by way of 32 x 32: 0." in out
    assert hashlib.sha256((tmp_path / "x.safetensors").read_bytes()).hexdigest() in out
    network = Classifier()
    network.load_state_dict(load_file(tmp_path / "x.safetensors"))
    assert all(bool(t.isfinite().all()) for t in network.state_dict().values() if t.dtype == torch.float32)
