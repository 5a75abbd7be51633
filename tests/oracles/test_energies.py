"""Auto-encoder critics trained for a few seconds on the shipped images, at small width."""

import pytest
import torch

from gan_cli.session import build
from gan_cli.training.eager import Eager

IMAGES = ("model.code_size=16", "train.batch_size=32", "optimizer.lr=1e-3")
SLOW = pytest.mark.slow


def curves(config, steps, *tags):
    """Train, and return a column of curves a tag, a row a step."""
    plan = build.check(config)
    plan, data = plan.open()
    state = plan.state(data)
    run = Eager(plan.parts.updates, data.train, 32, plan.config.seed, torch.device("cpu"))
    rows = []
    for _ in range(steps):
        critic, _ = run(state)
        state.step += 1
        rows.append(torch.stack([critic[f"critic/{tag}"] for tag in tags]))
    return torch.stack(rows)


def test_ebgan_learns_the_images_and_pushes_what_is_none_towards_the_margin(config_of):
    config = config_of(
        "loss=ebgan",
        "loss.margin=0.5",
        "dataset.image_size=8",
        "model.width=16",
        *IMAGES,
        "optimizer.generator.lr=2e-4",
    )
    real, fake = curves(config, 200, "score_real", "score_fake").unbind(dim=1)
    print(f"\nEBGAN, energy of real: first {real[0]:.3f}, last 50 steps {real[-50:].mean():.3f}; "
          f"fake: first {fake[0]:.3f}, last 50 steps {fake[-50:].mean():.3f}; margin 0.5")  # fmt: skip
    assert fake[0] < real[0]  # an untrained critic returns black, which is what an untrained generator draws
    assert real[-50:].mean() < 0.5 * real[0]
    assert fake[-50:].mean() > 1.25 * real[-50:].mean()


@pytest.mark.parametrize(
    ("gamma", "steps"), [(0.5, 300), pytest.param(0.3, 700, marks=SLOW), pytest.param(0.7, 700, marks=SLOW)]
)
def test_began_holds_gamma(config_of, gamma, steps):
    # With the paper's gain, 0.001, k_t takes thousands of steps to find its place
    config = config_of(
        "loss=began", f"loss.gamma={gamma}", "loss.lambda_k=0.05", "dataset.image_size=16", "model.width=8",
        "model.critic.norm=none", *IMAGES,
    )  # fmt: skip
    columns = curves(config, steps, "score_real", "score_fake", "k_t", "convergence")
    real, fake, k_t, convergence = columns.unbind(dim=1)
    balance = fake[-steps // 2 :].mean() / real[-steps // 2 :].mean()
    print(f"\nBEGAN, gamma {gamma}: E fake / E real {balance:.3f}, k_t {k_t[-steps // 2 :].mean():.3f}, "
          f"M {convergence[0]:.3f} -> {convergence[-50:].mean():.3f}")  # fmt: skip
    assert 0.8 * gamma < balance < 1.2 * gamma
    assert 0 < k_t[-steps // 2 :].mean() < 1  # held by the control, not by a bound
    assert convergence[-50:].mean() < 0.7 * convergence[0]
