"""Every network at every kind of shape."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.models import dcgan, mlp, resnet
from gan_cli.models.critic import Critic
from gan_cli.models.layers import map_sizes

IMAGES = [
    (1, 8, 8),
    (3, 9, 9),
    (3, 28, 28),
    (1, 32, 32),
    (3, 45, 45),
    (1, 64, 64),
    (2, 8, 30),
    (4, 45, 33),
    (16, 24, 16),
]
NORMS = ["auto", "batch", "layer", "instance", "none"]


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("make", [dcgan.Generator, dcgan.PlainGenerator, resnet.Generator, mlp.Generator])
def test_generators_make_images_of_any_size(make, shape):
    x = make(5, shape, **({"width": 2} if make is not mlp.Generator else {}))(torch.randn(3, 5))
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1


@pytest.mark.parametrize("shape", IMAGES)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("trunk", [dcgan.Trunk, resnet.Trunk])
def test_critic_scores_images_of_any_size(trunk, shape, norm):
    output = Critic(trunk(shape, 2, norm=norm), {"q": 3})(torch.randn(4, *shape))
    assert output.score.shape == (4,)
    assert output.heads["q"].shape == (4, 3)
    assert output.features.shape[0] == 4


def test_dcgan_at_64_is_the_papers():
    # figure 1 of the paper at width 128: 1024 filters at 4 x 4, halved three times
    generator = dcgan.Generator(100, (3, 64, 64), 128)
    filters = [block[0].in_channels for block in generator.blocks] + [generator.last.in_channels]
    assert generator.maps == [(size, size) for size in (4, 8, 16, 32, 64)]
    assert filters == [1024, 512, 256, 128]
    trunk = dcgan.Trunk((3, 64, 64), 64, "batch")
    assert [m.out_channels for m in trunk.modules() if isinstance(m, nn.Conv2d)] == [64, 128, 256, 512]
    assert trunk.n_features == 512 * 4 * 4
    assert sum(isinstance(m, nn.BatchNorm2d) for m in trunk.modules()) == 3  # none after the first layer


def test_plain_generator_has_no_batch_norm_and_constant_filters():
    generator = dcgan.PlainGenerator(100, (1, 64, 64), 16)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert not [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {m.in_channels for m in convolutions} == {16}


@pytest.mark.parametrize(("init", "times"), [("auto", 2**0.5), ("glorot", 1.0)])
def test_residual_weights_begin_as_in_the_authors_codes(init, times):
    torch.manual_seed(0)
    trunk = resnet.Trunk((3, 32, 32), 64, growth=1, init=init)
    for block in (trunk.layers[1], trunk.layers[2]):
        for layer, expected in ((block.conv_1, times), (block.conv_2, times), (block.shortcut, 1.0)):
            if not isinstance(layer, torch.nn.Identity):
                glorot = (2 / (layer.weight[0].numel() + layer.weight[:, 0].numel())) ** 0.5
                assert layer.weight.std().item() == pytest.approx(expected * glorot, rel=0.03)


def test_initial_weights_follow_the_paper():
    torch.manual_seed(0)
    trunk = dcgan.Trunk((3, 64, 64), 64, "batch")
    weights = torch.cat([m.weight.flatten() for m in trunk.modules() if isinstance(m, nn.Conv2d)])
    scales = torch.cat([m.weight for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)])
    assert_close(weights.std(), torch.tensor(0.02), rtol=0.01, atol=0)
    assert_close(scales.mean(), torch.tensor(1.0), rtol=0.01, atol=0)
    assert_close(scales.std(), torch.tensor(0.02), rtol=0.2, atol=0)


def test_score_is_the_final_convolution():
    critic = Critic(dcgan.Trunk((1, 16, 16), 2, "none"), {})
    x = torch.randn(5, 1, 16, 16)
    maps = critic.trunk.layers(x)
    kernel = critic.score.weight.view(1, *maps.shape[1:])
    expected = nn.functional.conv2d(maps, kernel, critic.score.bias).flatten()
    assert_close(critic(x).score, expected)


def test_outputs_of_the_perceptron():
    z = torch.randn(64, 3) * 100
    assert mlp.Generator(3, (2,), (8,))(z).abs().max() > 1  # points are unbounded
    stretched = mlp.Generator(3, (1, 8, 8), (8,), "sigmoid")(z)
    assert stretched.min() < 0 < stretched.max()
    assert stretched.abs().max() <= 1
    with pytest.raises(ValueError, match="unbounded"):
        mlp.Generator(3, (2,), (8,), "tanh")


def test_maxout_is_the_largest_piece():
    trunk = mlp.MaxoutTrunk((2,), hidden=(3,), pieces=4)
    x = torch.randn(5, 2)
    pieces = trunk.layers[0](x).view(5, 3, 4)
    assert_close(trunk(x), torch.stack([pieces[:, :, i] for i in range(4)]).max(0).values)


@pytest.mark.parametrize("make", [dcgan.Generator, dcgan.Trunk])
def test_convolutions_refuse_points_and_name_the_fix(make):
    with pytest.raises(ValueError, match="model=toy_mlp"):
        make(**({"latent_size": 3} if make is dcgan.Generator else {}), sample_shape=(2,))


@pytest.mark.parametrize("size", range(8, 131))
def test_maps_double_up_to_the_images(size):
    for other in (size, 2 * size + 1):
        maps = map_sizes((size, other))
        assert maps[-1] == (size, other)
        assert 4 <= maps[0][0] < 8
        for sizes in zip(*maps, strict=True):
            assert all(after in (2 * before, 2 * before - 1) for before, after in pairwise(sizes))
        assert map_sizes((other, size)) == [sides[::-1] for sides in maps]


def test_images_of_fewer_than_8_pixels_are_refused():
    for make, sizes in ((dcgan.Trunk, {}), (resnet.Generator, {"latent_size": 3})):
        with pytest.raises(ValueError, match="images of 7 x 9 have fewer than 8 pixels a side: model=toy_mlp"):
            make(**sizes, sample_shape=(1, 7, 9))


def test_attention_at_a_map_of_two_sides():
    generator = dcgan.Generator(5, (3, 32, 48), 2, attention=16)
    trunk = resnet.Trunk((3, 32, 48), 8, attention=8)
    assert list(generator.attention) == ["16"]
    assert generator(torch.randn(2, 5)).shape == (2, 3, 32, 48)
    assert trunk(torch.randn(2, 3, 32, 48)).shape == (2, trunk.n_features)
    with pytest.raises(ValueError, match="attention=24: no feature map has this size; use one of 4, 8, 16, or null"):
        dcgan.Generator(5, (3, 32, 48), 2, attention=24)


@pytest.mark.parametrize(
    "network", [mlp.Generator(3, (4,), (200,), dropout=0.5), mlp.MaxoutTrunk((3,), (200,), dropout=0.5)]
)
def test_dropout_drops_its_share_of_the_hidden_units_in_training_alone(network):
    hidden = []
    at = network.layers[-2] if isinstance(network, mlp.Generator) else network.dropout
    at.register_forward_hook(lambda module, inputs, output: hidden.append((inputs[0], output)))
    x = torch.ones(20, 3)
    torch.manual_seed(0)
    network(x)
    ((before, after),) = hidden
    kept = after != 0
    share = (kept.sum() / (before != 0).sum()).item()
    assert 0.4 < share < 0.6
    torch.testing.assert_close(after[kept], 2 * before[kept])
    assert torch.equal(network.eval()(x), network(x))
