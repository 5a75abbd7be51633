"""Units of networks that are small enough to know what they do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_cli.analysis import units


def test_convolutions_in_order_without_those_of_one_pixel():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.ConvTranspose2d(2, 1, 4), nn.Flatten()
    )
    assert list(units.convolutions(network)) == ["0", "3"]
    assert units.convolutions(nn.Linear(3, 3)) == {}


def edges():
    """A network whose unit 0 sees an upright edge and unit 1 a lying one; the activation works in place."""
    layer = nn.Conv2d(1, 2, 2, bias=False)
    layer.weight.data = torch.tensor([[[[-1.0, 1], [-1, 1]]], [[[-1.0, -1], [1, 1]]]])
    return layer, nn.Sequential(layer, nn.ReLU(inplace=True), nn.Flatten())


def pictures():
    upright, lying = torch.full((2, 1, 1, 8, 8), -1.0)
    upright[..., 4:] = 1
    lying[..., 4:, :] = 1
    return torch.cat([upright, lying])


def test_what_a_unit_responds_to_and_where():
    layer, network = edges()
    found = units.responses(layer, network, pictures().split(1))
    assert found.tolist() == [[4.0, 0.0], [0.0, 4.0]]
    seen = units.sensitivity(layer, 0, network, pictures()[:1])
    assert seen.shape == (1, 1, 8, 8)
    assert seen.amax() == 1
    assert (seen[0, 0].sum(0) > 0).nonzero()[:, 0].tolist() == [2, 3, 4, 5]  # the edge, and a pixel of smoothing
    assert not layer._forward_hooks


def test_modes_are_restored():
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3))
    network[0].eval()
    with units.evaluated(network):
        assert not any(m.training for m in network.modules())
    assert [m.training for m in network.modules()] == [True, False, True]


def test_dropped_maps_are_zero_for_the_layer_alone():
    first, second = nn.Conv2d(1, 3, 1), nn.Conv2d(3, 1, 3, padding=1)
    network = nn.Sequential(first, nn.ReLU(), second)
    x = torch.rand(2, 1, 4, 4)
    whole = network(x)
    with units.inputs_of(second) as read, units.without(second, torch.tensor([0, 2])):
        less = network(x)
    maps = first(x).relu()
    torch.testing.assert_close(read[0], maps)
    maps[:, [0, 2]] = 0
    torch.testing.assert_close(less, second(maps))
    with units.without(second, None):
        torch.testing.assert_close(network(x), whole)
    assert not second._forward_pre_hooks


def test_purity():
    y = torch.tensor([0, 0, 0, 1, 2, 2])
    assert units.purity(torch.tensor([[0, 1, 2], [0, 3, 4], [3, 4, 5]]), y).tolist() == pytest.approx([1, 1 / 3, 2 / 3])


def test_selective_features():
    rng = torch.Generator().manual_seed(0)
    y = torch.rand(400, generator=rng) < 0.2
    x = torch.randn(400, 4, generator=rng)
    x[:, 1] += 3 * y
    x[:, 2] -= 2 * y
    weights, accuracy = units.selective(100 * x + 7, y)  # scale and offset do not matter
    assert weights.argmax() == 1
    assert weights.argmin() == 2
    assert weights[[0, 3]].abs().max() < 0.5 * weights[1]
    assert 0.9 < accuracy <= 1
    assert units.selective(torch.randn(400, 4, generator=rng), y)[1] < 0.65


def test_logistic_regression_is_at_its_minimum():
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 3, generator=rng).double(), torch.rand(60, generator=rng) < 0.4
    w, b = (t.clone().requires_grad_() for t in units._logistic(x, y))
    weight = torch.where(y, 60 / (2 * y.sum()), 60 / (2 * (~y).sum())).double()
    loss = nn.functional.binary_cross_entropy_with_logits(x @ w + b, y.double(), weight, reduction="sum")
    (loss + units.RIDGE / 2 * w.square().sum()).backward()
    assert w.grad.abs().max() < 1e-5
    assert b.grad.abs() < 1e-4


def test_features_that_separate_a_label_completely():
    x = torch.cat([torch.zeros(20, 2), torch.ones(20, 2)])
    weights, accuracy = units.selective(x, x[:, 0] > 0)
    assert torch.isfinite(weights).all()
    assert accuracy == 1


def test_a_label_that_is_not_met():
    with pytest.raises(ValueError, match="1 of 9 samples"):
        units.selective(torch.randn(9, 2), torch.arange(9) == 3)
