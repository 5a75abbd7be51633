"""pix2pix: its objective, its networks as the authors publish them, and a run of pairs from end to end."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import softplus

from gan_cli.data.source import Batch
from gan_cli.models import unet
from gan_cli.models.critic import Critic
from gan_cli.rng import Draws
from gan_cli.session import build
from gan_cli.training.phases import Microbatch, critic_part, generator_part
from gan_cli.training.sampling import generate
from gan_cli.updates.base import Phase
from tests.tasks.made_pairs import write_pairs

SHAPE = (1, 16, 16)
SMALL = ("dataset.image_size=16", "model.width=4", "model.critic.halvings=1", "train.batch_size=4")
TRAIN = ("train", "task=translate", *SMALL, "runtime=cpu", "runtime.threads=1", "log.every_steps=1")


@pytest.fixture(autouse=True)
def _prepared_here(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def state_of(config_of, *overrides):
    config = config_of("task=translate", *SMALL, *overrides)
    return build.check(config, SHAPE, 0, SHAPE).state_for(SHAPE, 0, SHAPE)


def batch():
    x, source = torch.rand(2, 4, *SHAPE) * 2 - 1
    return Microbatch(4, Batch(x, None, None, source), Draws("cpu", 0, 0))


# ---- the objective


def test_the_objective_is_the_papers(config_of):
    state = state_of(config_of, "model.generator.dropout=0")
    game, found = state.game, batch()
    x, source = found.real.x, found.real.source
    fake = game.generator(source)
    on_fake, on_real = (game.critic.score(game.critic.trunk(torch.cat([image, source], dim=1))) for image in (fake, x))
    l1 = (fake - x).abs().mean()
    logs = generator_part(state, Phase("generator"), found).logs
    torch.testing.assert_close(logs["generator/content"], l1)
    torch.testing.assert_close(logs["generator/loss"], softplus(-on_fake).mean() + 100 * l1)
    logs = critic_part(state, Phase("critic"), found).logs
    torch.testing.assert_close(logs["critic/loss"], softplus(-on_real).mean() + softplus(on_fake).mean())


def test_l1_alone_has_no_game_and_the_game_alone_no_l1(config_of):
    alone = state_of(config_of, "loss=none", "model.generator.dropout=0")
    found = batch()
    logs = generator_part(alone, Phase("generator"), found).logs
    torch.testing.assert_close(
        logs["generator/loss"], 100 * (alone.game.generator(found.real.source) - found.real.x).abs().mean()
    )
    game = state_of(config_of, "task.content_weight=0")
    assert "generator/content" not in generator_part(game, Phase("generator"), found).logs


def test_the_optimizer_is_the_papers(config_of):
    for player in ("generator", "critic"):
        part = getattr(config_of("task=translate").optimizer, player)
        assert part.target == "torch.optim.Adam"
        assert (part.arguments["lr"], part.arguments["betas"]) == (2e-4, [0.5, 0.999])


def test_dropout_is_the_only_noise_and_off_after_training(config_of):
    game = state_of(config_of).game
    source = batch().real.source
    z = game.latent.sample(4, Draws("cpu", 0, 0))
    assert z.shape == (4, 0)
    in_training = [game.generate(z, source=source) for _ in range(2)]
    assert not torch.equal(*in_training)
    afterwards = [torch.cat(list(generate(game, game.generator, z, source=source))) for _ in range(2)]
    assert torch.equal(*afterwards)


# ---- the networks


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("channels", "size", "millions"), [(3, 256, "54.414"), (1, 256, "54.408"), (1, 64, "29.238")])
def test_the_u_net_has_the_parameters_of_the_authors(channels, size, millions):
    """They print millions; their first and their innermost layer have no biases."""
    with torch.device("meta"):
        network = unet.Generator((channels, size, size), (channels, size, size))
    biases = sum(network.down[i][-1].bias.numel() for i in (0, -1))
    assert f"{(count(network) - biases) / 1e6:.3f}" == millions


@pytest.mark.parametrize(("channels", "halvings", "millions"), [(6, 3, "2.769"), (2, 3, "2.765"), (2, 2, "0.662")])
def test_the_critic_of_patches_has_the_parameters_of_the_authors(channels, halvings, millions):
    with torch.device("meta"):
        critic = Critic(unet.Trunk((channels, 256, 256), halvings=halvings), {})
    assert f"{count(critic) / 1e6:.3f}" == millions


@pytest.mark.parametrize(("halvings", "side"), [(3, 70), (2, 34), (1, 16)])
def test_a_patch_is_what_its_score_depends_on(halvings, side):
    critic = Critic(unet.Trunk((1, 128, 128), width=2, halvings=halvings, norm="none"), {})
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    scores = critic.score(critic.trunk(x))
    middle = scores.shape[2] // 2
    (gradient,) = torch.autograd.grad(scores[0, 0, middle, middle], x)
    rows, columns = (gradient[0, 0].abs().sum(dim=i).nonzero().flatten() for i in (1, 0))
    assert [int(places[-1] - places[0] + 1) for places in (rows, columns)] == [side, side]
    assert len(critic(x).score) == scores.numel()


# ---- a run


def test_a_run_shows_source_result_and_target(gan, tmp_path):
    write_pairs(tmp_path / "pairs")
    ended = gan(*TRAIN, "dataset.path=pairs", "train.steps=1", "log.samples_every_steps=1", "run_dir=run")
    assert ended.code == 0, ended.err
    pixels = np.asarray(Image.open(tmp_path / "run" / "samples" / "step_0000000001.png"))[:, :, 0].astype(int)
    assert pixels.shape == (2 * 18 + 2, 3 * 18 + 2)  # as many pairs are held out
    source, _, target = (pixels[2:18, 18 * i + 2 : 18 * i + 18] for i in range(3))
    assert np.array_equal(target, 255 - source[::-1])


def test_a_run_finds_its_pairs_from_another_directory_and_where_they_moved_to(gan, tmp_path, monkeypatch):
    whole = write_pairs(tmp_path / "pairs")
    for path in whole.iterdir():
        pair = Image.open(path)
        for i, name in enumerate("ab"):
            (tmp_path / name).mkdir(exist_ok=True)
            pair.crop((16 * i, 0, 16 * i + 16, 16)).save(tmp_path / name / path.name)
    places = ("dataset.path=a", "dataset.path_b=b")
    assert gan(*TRAIN, *places, "train.steps=1", "run_dir=run").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert gan("resume", "../run", "train.steps=2").code == 0
    (tmp_path / "b").rename(tmp_path / "c")
    assert gan("resume", "../run", "train.steps=3").code == 2
    assert gan("resume", "../run", "train.steps=3", "dataset.path_b=../c").code == 0
    text = gan("resume", "../run", "train.steps=4", "dataset_b.path=../c").err
    assert text == "gan: dataset_b.path=../c: this run's dataset_b has no such key; leave it out\n"
