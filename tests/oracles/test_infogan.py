"""InfoGAN's categorical code, read from real images by Q, against the labels, which it never sees."""

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2

from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.studies.critic_features import best_match
from gan_cli.training.eager import Eager

STEPS = 1500


def test_the_match_is_found_whatever_the_groups_are_called():
    labels = np.arange(1000) % 10
    assert best_match((labels * 3 + 4) % 10, labels) == 1.0
    assert best_match(np.zeros(1000, dtype=int), labels) == 0.1


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_code_finds_classes_of_fashion_mnist(config_of):
    config = config_of(
        "loss=infogan", "dataset.image_size=16", "model.width=24", "latent.size=16", "latent.continuous=0"
    )
    plan = build.check(config)
    plan, data = plan.open()
    state = plan.state(data)
    run = Eager(plan.parts.updates, data.train, 64, plan.config.seed, torch.device("cpu"))
    for _ in range(STEPS):
        run(state)
        state.step += 1
    real = data.fixed(5000)
    labels = real.y.numpy()
    with torch.no_grad():
        code = torch.cat([state.game.ask(x).heads["code0_categorical"].argmax(dim=1) for x in real.x.split(100)])
        fake = state.game.fake(5000, None, Draws("cpu", 1, 0))
        read = state.game.ask(fake.x).heads["code0_categorical"].argmax(dim=1)
    found = best_match(code.numpy(), labels)
    pixels = real.x.flatten(1).numpy()
    kmeans = [best_match(kmeans2(pixels, 10, iter=30, minit="++", seed=seed)[1], labels) for seed in range(3)]
    legible = (read == fake.c.argmax(dim=1)).float().mean().item()
    print(f"\nInfoGAN after {STEPS} steps: the code matches {found:.3f} of 5,000 real labels; k-means on pixels "
          f"{', '.join(f'{share:.3f}' for share in kmeans)}; chance 0.100; Q reads {legible:.3f} of the codes behind "
          f"generated images")  # fmt: skip
    assert legible > 0.9
    assert found > 0.35
