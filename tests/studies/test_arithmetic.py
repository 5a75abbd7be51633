"""Arithmetic on z with a generator and a judge for which the right answers are known."""

from types import SimpleNamespace

import pytest
import torch

from gan_cli.studies import arithmetic

CLASSES = 10


class Judge:
    """The class is the largest of the first ten pixels."""

    class_names = tuple("abcdefghij")

    def __call__(self, x):
        return SimpleNamespace(log_p=x.flatten(1)[:, :CLASSES].log_softmax(dim=1))


def run_with(generator):
    generator.register_parameter("weight", torch.nn.Parameter(torch.zeros(())))
    latent = SimpleNamespace(arguments={"size": CLASSES + 1})
    return SimpleNamespace(generator=generator, config=SimpleNamespace(seed=0, latent=latent))


class Linear(torch.nn.Module):
    """Ten numbers of z, less their mean, choose the class, and the last one is the brightness."""

    def forward(self, z):
        classes = 0.1 * (z[:, :CLASSES] - z[:, :CLASSES].mean(dim=1, keepdim=True))
        return torch.cat([classes, torch.zeros(len(z), 2)], dim=1).unflatten(1, (1, 3, 4)) + 0.1 * z[:, -1:, None, None]


class Constant(torch.nn.Module):
    """The same image of one class for every z."""

    def forward(self, z):
        return torch.cat([torch.ones(len(z), 1), torch.zeros(len(z), 11)], dim=1).unflatten(1, (1, 3, 4))


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(arithmetic, "loaded", lambda chosen, device: Judge())

    def look(generator):
        study = arithmetic.Arithmetic(runs={"gan": []}, claims={}, minutes=1)
        return study.look({"gan": [run_with(generator)]}).numbers["shares"]

    return look


def test_a_linear_generator_obeys_the_arithmetic_as_its_pixels_do(found):
    shares = found(Linear())
    assert shares["arithmetic"][0] > 0.6
    assert shares["arithmetic"] == pytest.approx(shares["pixels"], abs=0.05)  # pixels are cut at 1
    assert shares["random terms"][0] < 0.5 * shares["arithmetic"][0]
    assert shares["C alone"][0] == 0


def test_a_generator_of_one_class_has_no_pairs(found):
    assert all(share == [0.0] for share in found(Constant()).values())
