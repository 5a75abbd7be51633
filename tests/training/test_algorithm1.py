"""Two steps of our loop against an independent transcription of WGAN's Algorithm 1 in plain tensors."""

import torch
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu
from torch.testing import assert_close

from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import TINY
from tests.helpers import Noise

ALPHA, C, M, N_CRITIC = 5e-5, 0.01, 8, 5
SMOOTHING, EPS = 0.99, 1e-8


def generator(w, z):
    x = (z @ w["project.weight"].T).view(len(z), -1, 4, 4)
    x = batch_norm(x, None, None, w["first.0.weight"], w["first.0.bias"], training=True).relu()
    x = conv_transpose2d(x, w["blocks.0.0.weight"], None, stride=2, padding=1)
    x = batch_norm(x, None, None, w["blocks.0.1.weight"], w["blocks.0.1.bias"], training=True).relu()
    return conv_transpose2d(x, w["last.weight"], w["last.bias"], stride=2, padding=1).tanh()


def critic(w, x):
    x = leaky_relu(conv2d(x, w["trunk.layers.0.weight"], w["trunk.layers.0.bias"], 2, 1), 0.2)
    x = conv2d(x, w["trunk.layers.2.weight"], None, 2, 1)
    x = batch_norm(x, None, None, w["trunk.layers.3.weight"], w["trunk.layers.3.bias"], training=True)
    return leaky_relu(x, 0.2).flatten(1) @ w["score.weight"].T.flatten() + w["score.bias"]


def rmsprop(w, gradients, square):
    for name, g in zip(w, gradients, strict=True):
        square[name] = SMOOTHING * square[name] + (1 - SMOOTHING) * g * g
        w[name] = (w[name] - ALPHA * g / (square[name].sqrt() + EPS)).detach().requires_grad_()


def test_two_steps_equal_algorithm_1(config_of):
    plan = build.check(config_of("loss=wgan", "dataset.image_size=16", *TINY), (1, 16, 16))
    state = plan.state_for((1, 16, 16), 0)
    source = Noise((1, 16, 16), M)

    def copy(network):
        return {
            name: p.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
            for name, p in network.named_parameters()
        }

    theta, w = copy(state.game.generator), copy(state.game.critic)
    squares = [{name: torch.zeros_like(p) for name, p in weights.items()} for weights in (theta, w)]
    batches = iter(range(100))
    for step in range(2):
        for t in range(N_CRITIC):  # lines 2 to 8
            x = source.batch(*source.draw(next(batches))).x
            z = Draws("cpu", 0, step, t).normal("z", M, 6)
            g_w = torch.autograd.grad(critic(w, x).mean() - critic(w, generator(theta, z).detach()).mean(), w.values())
            rmsprop(w, [-g for g in g_w], squares[1])  # the paper ascends
            w = {name: p.detach().clamp(-C, C).requires_grad_() for name, p in w.items()}
        z = Draws("cpu", 0, step, N_CRITIC).normal("z", M, 6)  # lines 9 to 11
        g_theta = torch.autograd.grad(-critic(w, generator(theta, z)).mean(), theta.values())
        rmsprop(theta, g_theta, squares[0])

    run = Eager(plan.parts.updates, source, M, plan.config.seed, torch.device("cpu"))
    for _ in range(2):
        run(state)
        state.step += 1
    assert_close(dict(state.game.critic.named_parameters()), w, rtol=1e-4, atol=1e-7)
    assert_close(dict(state.game.generator.named_parameters()), theta, rtol=1e-4, atol=1e-7)
    assert all(p.abs().max() <= C for p in state.game.critic.parameters())
