"""Minibatch discrimination against its formula, and where it cannot be."""

import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import UserError
from gan_cli.models.layers import MinibatchDiscrimination
from gan_cli.session import build
from tests.helpers import noise_data


def test_it_adds_up_how_near_the_others_are():
    layer = MinibatchDiscrimination(5, kernels=3, size=4)
    f = torch.randn(6, 5)
    rows = layer.linear(f).view(6, 3, 4)
    expected = torch.zeros(6, 3)
    for i in range(6):
        for j in range(6):
            if i != j:
                expected[i] += torch.exp(-(rows[i] - rows[j]).abs().sum(dim=1))
    assert_close(layer(f), torch.cat([f, expected], dim=1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "family"), [((2,), ("model=toy_mlp", "dataset=ring")), ((1, 16, 16), ("dataset.image_size=16",))]
)
def test_a_critic_reads_the_numbers(config_of, shape, family):
    config = config_of("loss=gan", *family, "model.width=4", "model.critic.minibatch_kernels=3")
    game = build.check(config, shape).state(noise_data(shape, 4)).game
    plain = build.check(config_of("loss=gan", *family, "model.width=4"), shape).state(noise_data(shape, 4)).game
    assert game.critic.score.in_features == plain.critic.score.in_features + 3
    assert game.ask(torch.zeros(4, *shape)).features.shape[1] == game.critic.score.in_features


def test_it_mixes_the_samples_of_a_batch(config_of):
    with pytest.raises(UserError, match=r"MinibatchDiscrimination of model.critic mixes the images of a batch"):
        build.check(config_of("loss=wgan_gp", "model.critic.minibatch_kernels=3"))
