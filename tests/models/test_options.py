"""Norm, attention, activation and initial weights: the keys that families of networks share."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.models import dcgan, mlp, resnet
from gan_cli.models.critic import Critic
from gan_cli.models.initial import draw_, fans
from gan_cli.models.layers import SelfAttention

CONVOLUTIONAL = [dcgan.Trunk, resnet.Trunk]
NORMS = {"batch": nn.BatchNorm2d, "layer": nn.GroupNorm, "instance": nn.InstanceNorm2d}


def kinds(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("make", CONVOLUTIONAL)
def test_the_critic_has_the_norm_asked_for_and_no_other(make, norm):
    trunk = make((3, 32, 32), 4, norm=norm)
    assert kinds(trunk, NORMS[norm])
    assert not [m for other in NORMS if other != norm for m in kinds(trunk, NORMS[other])]
    assert not [m for n in NORMS for m in kinds(make((3, 32, 32), 4, norm="none"), NORMS[n])]


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_perceptrons_have_a_norm_only_where_asked_for(norm, kind):
    assert len(kinds(mlp.Trunk((2,), (5, 4), norm=norm), kind)) == 2
    assert len(kinds(mlp.Generator(3, (2,), (5, 4), norm=norm), kind)) == 2
    assert not kinds(mlp.Trunk((2,), (5,)), kind)


@pytest.mark.parametrize("model", ["toy_mlp", "toy_tanh"])
def test_instance_norm_of_a_perceptron_is_refused(config_of, model):
    from gan_cli.errors import UserError

    with pytest.raises(UserError, match=r"model\.critic\.norm=instance: must be batch, layer or none"):
        config_of(f"model={model}", "dataset=ring", "model.critic.norm=instance")


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_a_perceptron_computes_what_it_says(activation):
    trunk = mlp.Trunk((3,), (4,), activation)
    x = torch.randn(7, 3)
    h = x @ trunk.layers[0].weight.T + trunk.layers[0].bias
    expected = {"relu": h.clamp_min(0), "leaky_relu": torch.where(h > 0, h, 0.2 * h), "tanh": h.tanh()}[activation]
    assert_close(trunk(x), expected)


def test_attention_is_the_papers_formula():
    torch.manual_seed(0)
    layer = SelfAttention(16)
    x = torch.randn(2, 16, 6, 6)
    assert_close(layer(x), x, rtol=0, atol=0)  # gamma is 0 at first
    with torch.no_grad():
        layer.gamma.fill_(0.5)
    pooled = nn.functional.max_pool2d(layer.value(x), 2), nn.functional.max_pool2d(layer.key(x), 2)
    value, key = (t.flatten(2) for t in pooled)
    query = layer.query(x).flatten(2)
    i, j = 1, 17  # of one image, at one position
    weights = torch.softmax(key[i].T @ query[i, :, j], 0)
    o = (layer.output.weight[:, :, 0, 0] @ (value[i] * weights).sum(1)) * 0.5
    assert_close(layer(x)[i].flatten(1)[:, j], x[i].flatten(1)[:, j] + o)


@pytest.mark.parametrize(
    ("make", "size"), [(dcgan.Trunk, 8), (resnet.Trunk, 8), (dcgan.Generator, 16), (resnet.Generator, 32)]
)
def test_attention_where_it_was_asked_for(make, size):
    latent = {"latent_size": 3} if make.__name__ == "Generator" else {}
    network = make(sample_shape=(1, 32, 32), width=4, attention=size, **latent)
    (layer,) = kinds(network, SelfAttention)
    seen = []
    layer.register_forward_hook(lambda m, i, out: seen.append(out.shape[-1]))
    network(torch.randn(2, 3) if latent else torch.randn(2, 1, 32, 32))
    assert seen == [size]
    with pytest.raises(ValueError, match=r"attention=20: no feature map has this size; use one of 4, 8, 16"):
        make(sample_shape=(1, 32, 32), width=4, attention=20, **latent)


def test_attention_is_twice_differentiable():
    torch.manual_seed(0)
    critic = Critic(dcgan.Trunk((1, 16, 16), 8, norm="none", attention=8), {})
    (layer,) = kinds(critic, SelfAttention)
    with torch.no_grad():
        layer.gamma.fill_(1.0)
    x = torch.randn(2, 1, 16, 16, requires_grad=True)
    (first,) = torch.autograd.grad(critic(x).score.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), layer.query.weight)
    assert second.abs().max() > 0


@pytest.mark.parametrize(
    "layer", [nn.Linear(300, 200), nn.Conv2d(20, 40, 3), nn.ConvTranspose2d(64, 32, 4, stride=2)], ids=str
)
@pytest.mark.parametrize("init", ["normal", "glorot", "he", "orthogonal"])
def test_initial_weights_have_the_spread_they_claim(layer, init):
    torch.manual_seed(0)
    draw_(layer, init, gain=1.4)
    inputs, outputs = fans(layer)
    rows = layer.weight.flatten(1)
    expected = {
        "normal": 0.02,
        "glorot": (2 / (inputs + outputs)) ** 0.5,
        "he": (2 / inputs) ** 0.5,
        "orthogonal": (min(rows.shape) / rows.numel()) ** 0.5,
    }[init]
    assert_close(layer.weight.std().item(), 1.4 * expected, rtol=0.03, atol=0)
    assert layer.bias.abs().max() == 0
    if init == "orthogonal":
        product = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
        assert_close(product, 1.96 * torch.eye(len(product)), rtol=0, atol=1e-4)


def test_a_transposed_convolution_keeps_the_size_of_the_signal():
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1)
    draw_(layer, "he")
    x = torch.randn(8, 64, 16, 16).relu()
    inner = layer(x)[..., 2:-2, 2:-2]
    assert_close(inner.square().mean(), 2 * x.square().mean(), rtol=0.1, atol=0)  # half of it passes the next ReLU


def test_the_layers_after_the_trunk_are_drawn_as_it_is():
    torch.manual_seed(0)
    critic = Critic(mlp.Trunk((2,), (64,), "tanh", init="orthogonal", gain=1.4), {"class": 10}, n_embedded=10)
    for layer in (critic.score, critic.heads["class"], critic.embedding):
        rows = layer.weight @ layer.weight.T
        assert_close(rows, 1.96 * torch.eye(len(rows)), rtol=0, atol=1e-5)
    critic = Critic(dcgan.Trunk((1, 32, 32), 8), {}, n_embedded=10)
    assert_close(critic.embedding.weight.std().item(), 0.02, rtol=0.05, atol=0)


def test_the_unrolled_gans_networks(config_of):
    from gan_cli.session import build

    plan = build.check(config_of("model=toy_tanh", "dataset=ring", "loss=gan", "latent.size=256"))
    game = plan.state_for((2,), 0).game
    assert [tuple(p.shape) for p in game.generator.parameters()][::2] == [(128, 256), (128, 128), (2, 128)]
    assert [tuple(p.shape) for p in game.critic.parameters()][::2] == [(128, 2), (128, 128), (1, 128)]
    assert len(kinds(game, nn.Tanh)) == 4
    for p in [*game.parameters()][::2]:
        small = p @ p.T if len(p) <= p.shape[1] else p.T @ p
        assert_close(small, 1.96 * torch.eye(len(small)), rtol=0, atol=1e-4)


def test_residual_networks_of_the_papers():
    # WGAN-GP at 64 pixels: 512 filters at 4 x 4, halved three times; constant filters at 32
    generator = resnet.Generator(128, (3, 64, 64), 64)
    assert [(b.conv_1.in_channels, b.conv_2.out_channels) for b in generator.blocks] == [
        (512, 512), (512, 256), (256, 128), (128, 64),
    ]  # fmt: skip
    trunk = resnet.Trunk((3, 32, 32), 128, growth=1)
    assert {m.out_channels for m in kinds(trunk, nn.Conv2d)} == {128}
    assert trunk.n_features == 128
    assert len(kinds(trunk, resnet.Block)) == 4
    assert not kinds(trunk, nn.modules.batchnorm._BatchNorm)


@pytest.mark.parametrize("resample", ["up", "down", None])
def test_a_block_of_zero_weights_is_its_shortcut(resample):
    block = resnet.Block(4, 6, resample, "none")
    nn.init.zeros_(block.conv_2.weight)
    nn.init.zeros_(block.conv_2.bias)
    x = torch.randn(2, 4, 8, 8)
    sized = {"up": lambda t: t.repeat_interleave(2, 2).repeat_interleave(2, 3),
             "down": lambda t: t.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5)), None: lambda t: t}  # fmt: skip
    assert_close(block(x), block.shortcut(sized[resample](x)))


def test_features_are_the_sum_over_the_map():
    trunk = resnet.Trunk((1, 16, 16), 3)
    x = torch.randn(2, 1, 16, 16)
    assert_close(trunk(x), trunk.layers(x).flatten(2).sum(2))
    assert trunk.layers(x).min() >= 0
