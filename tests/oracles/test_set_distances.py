"""Generators trained on points by a distance between the two batches alone."""

import pytest
import torch
from scipy.stats import wasserstein_distance

from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.eager import Eager

POINTS = ("loss.space=pixels", "constraint=none", "model=toy_mlp", "model.width=64", "train.batch_size=256")


def train(config, steps):
    """Return the data and the trained game."""
    plan = build.check(config)
    plan, data = plan.open()
    state = plan.state(data)
    run = Eager(plan.parts.updates, data.train, 256, plan.config.seed, torch.device("cpu"))
    for _ in range(steps):
        run(state)
        state.step += 1
    return data, state.game


@torch.no_grad()
def samples(game):
    return game.fake(5000, None, Draws("cpu", 1, 0)).x


@pytest.mark.parametrize("loss", ["mmd", "energy_distance"])
def test_fits_the_mixture_on_a_line(config_of, loss):
    config = config_of(f"loss={loss}", "dataset=gaussian_mixture_1d", "optimizer.lr=1e-3", *POINTS)
    data, before = train(config, 0)
    _, after = train(config, 160)
    real = data.fixed(5000).x[:, 0]
    first, last = (wasserstein_distance(samples(game)[:, 0], real) for game in (before, after))
    floor = wasserstein_distance(real[:2500], real[2500:])
    print(f"\n{loss}: W1 to the mixture {first:.3f} -> {last:.3f}; between two halves of the data {floor:.3f}")
    assert last < 0.25 < 0.25 * first


@pytest.mark.slow
def test_a_kernel_narrow_enough_finds_every_mode_of_the_ring(config_of):
    config = config_of(
        "loss=mmd", "loss.kernel=rbf", "loss.scales=[0.1,0.3,1,3]", "dataset=ring", "optimizer.lr=1e-3", *POINTS
    )
    data, game = train(config, 800)
    centres, _ = data.modes
    nearest, mode = torch.cdist(samples(game), centres).min(dim=1)
    shares = torch.bincount(mode[nearest < 0.2], minlength=8) / 5000
    print(f"\nmmd on the ring: shares within 0.2 of each mode {[round(s, 3) for s in shares.tolist()]}")
    assert shares.min() > 0.05
    assert shares.sum() > 0.6
