"""The number of parameters of named networks at their paper's size, as published or counted in the authors' code."""

import pytest

from gan_cli.session import build

SIZES = [  # option, sample shape, further overrides, generator's count, critic's count; None: not published
    # WGAN authors' mlp.py, MLP_G of 1 x 32 x 32: 100-512-512-512-1024
    ("mlp", (1, 32, 32), (), 1_102_336, None),
    # WGAN-GP authors' gan_cifar_resnet.py, with its optional biases, and its score's weights and bias
    ("resnet_constant", (3, 32, 32), ("loss=wgan_gp",), None, 1_053_825),
    # mimicry's SNGAN of 128 pixels
    ("resnet", (3, 128, 128), ("loss=hinge", "model.generator.growth=16", "model.critic.growth=16", "latent.size=128"),
     32_150_787, 29_017_857),
]  # fmt: skip


@pytest.mark.parametrize(("model", "shape", "overrides", "generator", "critic"), SIZES, ids=[s[0] for s in SIZES])
def test_the_count_is_the_authors(config_of, model, shape, overrides, generator, critic):
    config = config_of(f"model={model}", *overrides)
    game = build.check(config, shape).outline(shape, 0).game
    counts = {name: sum(p.numel() for p in getattr(game, name).parameters()) for name in ("generator", "critic")}
    assert generator is None or counts["generator"] == generator
    assert critic is None or counts["critic"] == critic
