"""What lies between two classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gan_cli.conditions.class_norm import ClassNorm
from gan_cli.conditions.concat import Concat
from gan_cli.conditions.labels import one_hot


def test_one_hot_weights_are_the_class_itself():
    y = torch.tensor([2, 0])
    assert torch.equal(one_hot(one_hot(y, 3), 3), one_hot(y, 3))
    z = torch.randn(2, 4)
    condition = Concat(3)
    assert torch.equal(condition.generator_input(z, y)[0], condition.generator_input(z, one_hot(y, 3))[0])


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_scale_and_shift_of_a_class_norm_are_between_those_of_the_classes(weight):
    network = ClassNorm(nn.Sequential(nn.BatchNorm1d(4)), 3).eval()
    torch.nn.init.normal_(network.network[0].scale)
    torch.nn.init.normal_(network.network[0].shift)
    z = torch.randn(1, 4)
    mixed = torch.tensor([[1 - weight, weight, 0]])
    ends = [network(z, torch.tensor([y])) for y in (0, 1)]
    torch.testing.assert_close(network(z, mixed), (1 - weight) * ends[0] + weight * ends[1])
