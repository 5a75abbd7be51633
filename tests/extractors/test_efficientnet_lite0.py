"""EfficientNet-Lite0: its shape as published, its weights where they are installed, one line where they are not."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import conv2d, pad

from gan_cli.errors import UserError
from gan_cli.extractors import efficientnet_lite0
from gan_cli.extractors.efficientnet_lite0 import PACKAGE, SHA256, Convolution, EfficientNetLite0, Network

CPU = torch.device("cpu")
installed = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason='pip install "gan_cli[efficientnet]"')


def test_as_many_weights_as_published():
    with torch.device("meta"):
        network = Network()
    assert sum(p.numel() for p in network.parameters()) == 4_652_008
    assert len(network.blocks) == 16
    assert network.stem(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 32, 112, 112)
    features, logits = network(torch.empty(2, 3, 224, 224, device="meta"))
    assert (features.shape, logits.shape) == ((2, 1280), (2, 1000))


@pytest.mark.parametrize(("side", "size", "extra"), [(3, 8, (0, 1)), (3, 7, (1, 1)), (5, 8, (1, 2)), (1, 8, (0, 0))])
def test_an_odd_row_of_padding_goes_to_the_lower_right(side, size, extra):
    layer = Convolution(2, 2, side, stride=2 if side > 1 else 1).eval()
    x = torch.rand(1, 2, size, size)
    stride = layer.convolution.stride
    expected = conv2d(pad(x, [*extra, *extra]), layer.convolution.weight, stride=stride)
    torch.testing.assert_close(layer.convolution(pad(x, [*extra, *extra])), expected)
    torch.testing.assert_close(layer(x), layer.norm(expected))


@installed
def test_features_of_colour_and_of_grey():
    extractor = EfficientNetLite0()
    extractor.load(CPU)
    assert extractor.sha256 == SHA256
    grey = torch.rand(2, 1, 16, 16) * 2 - 1
    found = extractor(grey)
    assert found.x.shape == (2, 1280)
    assert float(found.x.min()) >= 0
    torch.testing.assert_close(found.log_p.exp().sum(1), torch.ones(2))
    torch.testing.assert_close(extractor(grey.expand(-1, 3, -1, -1)).x, found.x)
    bright, dark = (extractor(torch.full((1, 3, 8, 8), v)).x for v in (1.0, -1.0))
    assert not torch.allclose(bright, dark, rtol=0.1)
    assert not extractor.standard  # its scores do not go by the literature's names


@installed
def test_weights_that_are_damaged(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="is damaged: its SHA-256 is"):
        EfficientNetLite0().load(CPU)


@pytest.mark.parametrize("spec", [None, SimpleNamespace(submodule_search_locations=None)])
def test_weights_that_are_not_installed(monkeypatch, spec):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match=r'needs its weights: pip install "gan_cli\[efficientnet\]"'):
        EfficientNetLite0().load(CPU)


def test_weights_that_are_gone(monkeypatch, tmp_path):
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match="cannot be read"):
        EfficientNetLite0().load(CPU)
