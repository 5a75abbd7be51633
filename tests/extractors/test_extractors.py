"""Extractors: shipped weights, what they make of images, which one is chosen, and the error where none can be."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from gan_cli.analysis.reals import open_singly, take
from gan_cli.data.images import MNIST, FashionMNIST10k
from gan_cli.data.source import RealData
from gan_cli.data.stacked import Stacked
from gan_cli.data.synthetic import Ring
from gan_cli.errors import UserError
from gan_cli.extractors import fashion_mnist
from gan_cli.extractors.auto import Auto
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.extractors.inception import Inception
from gan_cli.extractors.pixels import Pixels

CPU = torch.device("cpu")
WEIGHTS = Path(str(files("gan_cli.extractors"))) / "files" / "fashion_mnist.safetensors"


def data_of(names: tuple[str, ...] | None, shape=(1, 32, 32)) -> RealData:
    return RealData(shape, names, None, None, "x", None)


@pytest.fixture(scope="module")
def clothes() -> FashionMNIST:
    extractor = FashionMNIST()
    extractor.load(CPU)
    return extractor


@pytest.mark.parametrize("side", [28, 32, 64])
def test_it_knows_the_clothes_that_it_never_learnt_from(clothes, side):
    heldout = open_singly(FashionMNIST10k(side), CPU).heldout
    batch = take(heldout, 0, 500)
    found = clothes(batch.x)
    assert found.x.shape == (500, 64)
    assert float((found.log_p.argmax(1) == batch.y).double().mean()) > 0.87
    torch.testing.assert_close(found.log_p.exp().sum(1), torch.ones(500))


def test_the_weights_are_small_and_checked(monkeypatch):
    assert WEIGHTS.stat().st_size < 10**6
    monkeypatch.setattr(fashion_mnist, "SHA256", "0" * 64)
    with pytest.raises(UserError, match="is damaged: its SHA-256 is"):
        FashionMNIST().load(CPU)


def test_of_several_channels_each_is_read_by_itself(clothes):
    x = take(open_singly(FashionMNIST10k(28), CPU).heldout, 0, 6).x
    alone, joined = clothes(x), clothes(x.reshape(2, 3, 28, 28))
    torch.testing.assert_close(joined.x, alone.x.reshape(2, 3 * 64))
    a, b, c = alone.log_p.argmax(1).reshape(2, 3).T
    assert joined.log_p.shape == (2, 1000)
    assert (joined.log_p.argmax(1) == 100 * a + 10 * b + c).all()
    torch.testing.assert_close(joined.log_p.exp().sum(1), torch.ones(2))


def test_it_knows_which_of_its_classes_the_datas_are(clothes):
    assert clothes.columns(data_of(("Bag", "Trouser"))) == [8, 1]
    assert clothes.columns(data_of(("Bag", "Hat"))) is None
    assert clothes.columns(data_of(None)) is None
    stacked = open_singly(Stacked(classes=["Bag", "Trouser"]), CPU)
    assert clothes.columns(stacked) == [888, 881, 818, 811, 188, 181, 118, 111]
    assert clothes.columns(open_singly(Ring(), CPU)) is None


def test_pixels_are_the_image_made_smaller():
    x = torch.rand(3, 2, 32, 32) * 2 - 1
    found = Pixels(16)(x)
    assert found.log_p is None
    assert found.x.shape == (3, 2 * 16 * 16)
    torch.testing.assert_close(Pixels(32)(x).x, x.flatten(1))
    torch.testing.assert_close(found.x.mean(), x.mean(), atol=0.02, rtol=0)


def test_auto_suits_the_data(monkeypatch):
    assert isinstance(Auto().choose(data_of(FashionMNIST10k.class_names)), FashionMNIST)
    assert isinstance(Auto().choose(open_singly(Stacked(), CPU)), FashionMNIST)
    digits = data_of(MNIST.class_names)
    monkeypatch.setattr(Inception, "available", lambda self: True)
    assert isinstance(Auto().choose(digits), Inception)
    monkeypatch.setattr(Inception, "available", lambda self: False)
    with pytest.raises(UserError, match=r"extractor=inception .* extractor=pixels .* extractor=fashion_mnist"):
        Auto().choose(digits)


class TestInception:
    def test_without_the_library(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
        assert not Inception().available()
        with pytest.raises(UserError, match=r"needs torch-fidelity: pip install \"gan_cli\[inception\]\""):
            Inception().load(CPU)

    @pytest.fixture
    def cache(self, monkeypatch, tmp_path) -> Path:
        pytest.importorskip("torch_fidelity")
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        return tmp_path / "checkpoints"

    def test_offline(self, cache, monkeypatch):
        def fails(*args, **kwargs):
            raise URLError("Name or service not known")

        monkeypatch.setattr(torch.hub, "download_url_to_file", fails)
        assert not Inception().available()
        with pytest.raises(UserError, match=r"cannot be downloaded .*not known.*; save the file as .*extractor=pixels"):
            Inception().load(CPU)

    def test_another_file_is_not_unpickled(self, cache, tmp_path):
        path = tmp_path / "weights.pth"
        path.write_bytes(b"cos\nsystem\n.")
        with pytest.raises(UserError, match="its SHA-256 starts with"):
            Inception(str(path)).load(CPU)
        with pytest.raises(UserError, match="no such file"):
            Inception(str(tmp_path / "none.pth")).load(CPU)
