"""CycleGAN: its objective and its history as the authors have them, its generator's size, and each mistake's line."""

import pytest
import torch
from PIL import Image

from gan_cli.config import parts
from gan_cli.data.source import Batch
from gan_cli.data.two_sets import two_sets
from gan_cli.models import resnet_translator
from gan_cli.rng import Draws
from gan_cli.schedules.schedule import Schedule
from gan_cli.session import build
from gan_cli.tasks.cycle import Cycle
from gan_cli.training.phases import Microbatch, critic_part, generator_part
from gan_cli.updates.base import Phase
from tests.helpers import noise_data

SHAPE = (1, 16, 16)
SMALL = ("task=cycle", "dataset.image_size=16", "dataset_b=fashion_mnist_10k", "dataset_b.image_size=16")
SMALL += ("model.width=4", "model.generator.blocks=1", "model.critic.halvings=1")


def state_of(config_of, *overrides):
    words = [word.replace("dataset_b=", "dataset@dataset_b=") for word in SMALL]
    return build.check(config_of(*words, *overrides), SHAPE, 0).state_for(SHAPE, 0)


# ---- the data


def test_the_rows_of_a_batch_are_of_each_domain_in_turn_and_in_its_own_order():
    a, b = noise_data(SHAPE, 3, seed=1), noise_data(SHAPE, 3, seed=2)
    both = two_sets(a, b)
    for part in ("train", "heldout"):
        for k in (0, 5):
            found, first, second = (s.batch(*s.draw(k)).x for s in (getattr(data, part) for data in (both, a, b)))
            assert torch.equal(found[::2], first)
            assert torch.equal(found[1::2], second)
    assert torch.equal(both.fixed(3).x[::2], a.fixed(2).x)
    assert both.source_shape == both.shape == SHAPE


def test_the_source_of_each_row_is_the_other_of_its_pair():
    x = torch.arange(6.0).view(6, 1, 1, 1)
    assert Cycle(None).with_source(Batch(x, None), Draws("cpu", 0, 0)).source.flatten().tolist() == [1, 0, 3, 2, 5, 4]


# ---- the objective


def test_the_objective_is_half_of_the_authors_sum(config_of):
    state = state_of(config_of)
    generator, critic = state.game.generator, state.game.critic
    x = torch.rand(6, *SHAPE) * 2 - 1
    part = Microbatch(6, Batch(x, None), Draws("cpu", 0, 0))
    real_a, real_b = x[::2], x[1::2]
    g_a, g_b = generator.a, generator.b  # to A, to B
    fake_a, fake_b = g_a(real_b), g_b(real_a)

    def squares(network, images, label):
        return (network(images).score - label).square().mean()

    def apart(first, second):
        return (first - second).abs().mean()

    cycle = apart(g_a(fake_b), real_a) + apart(g_b(fake_a), real_b)
    identity = apart(g_a(real_a), real_a) + apart(g_b(real_b), real_b)
    game = squares(critic.a, fake_a, 1) + squares(critic.b, fake_b, 1)
    logs = generator_part(state, Phase("generator"), part).logs
    torch.testing.assert_close(2 * logs["generator/cycle"], cycle)
    torch.testing.assert_close(2 * logs["generator/identity"], identity)
    torch.testing.assert_close(2 * logs["generator/loss"], game + 10 * cycle + 10 * 0.5 * identity)
    on_a = (squares(critic.a, real_a, 1) + squares(critic.a, fake_a, 0)) / 2
    on_b = (squares(critic.b, real_b, 1) + squares(critic.b, fake_b, 0)) / 2
    logs = critic_part(state, Phase("critic"), part).logs
    torch.testing.assert_close(2 * logs["critic/loss"], on_a + on_b)


def test_the_learning_rate_is_the_papers(config_of):
    config = config_of("task=cycle", "dataset@dataset_b=fashion_mnist_10k", "train.steps=200")
    schedule = parts.build(config.schedule, "schedule", Schedule)
    rates = [config.optimizer.lr * schedule.rate("generator", step) for step in (0, 99, 150, 200)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 0])


def test_without_an_identity_term_there_is_no_such_curve(config_of):
    state = state_of(config_of, "task.identity_weight=0")
    part = Microbatch(2, Batch(torch.zeros(2, *SHAPE), None), Draws("cpu", 0, 0))
    logs = generator_part(state, Phase("generator"), part).logs
    assert "generator/cycle" in logs
    assert "generator/identity" not in logs


# ---- the history


class Pool:
    """Up to `size` images of one domain; each new one is seen, or takes the place of one that is seen in its stead."""

    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, images, exchanged, places):
        if len(self.images) < self.size:
            self.images += images
            return images
        seen = []
        for image, exchange, place in zip(images, exchanged, places, strict=True):
            seen.append(self.images[place] if exchange else image)
            if exchange:
                self.images[place] = image
        return seen


@pytest.mark.parametrize(("history", "n"), [(6, 1), (6, 3), (7, 3), (50, 4)])
def test_the_history_is_that_of_a_pool_of_each_domain(history, n):
    task = Cycle(None, history=history)
    task.build((1, 1, 1), None)
    capacity = history // n * n
    pools = [Pool(capacity), Pool(capacity)]
    earlier = 0
    for step in range(60):
        new = 2 * n * step + torch.arange(2 * n)
        draws = Draws("cpu", 0, step)
        u = draws.again().uniform("history", 2 * n, capacity + 1)
        exchanged, places = (u[:n, 0] < 0.5).tolist(), u[0, 1:].argsort()[:n].tolist()
        seen = task.remembered(Batch(new.float().view(-1, 1, 1, 1), None), draws).x.flatten()
        for i, pool in enumerate(pools):
            assert seen[i::2].tolist() == pool.query(new[i::2].tolist(), exchanged, places)
        earlier += int((seen < new[0]).sum())
    share = earlier / (2 * n * (60 - capacity // n))
    assert 0.3 < share < 0.7


def test_more_images_than_the_history_keeps_pass_by():
    task = Cycle(None, history=2)
    task.build((1, 1, 1), None)
    for step in range(20):
        new = 10.0 * step + torch.arange(10.0)
        seen = task.remembered(Batch(new.view(-1, 1, 1, 1), None), Draws("cpu", 0, step)).x.flatten()
        assert torch.equal(seen[4:], new[4:])
        assert (seen[:4] <= new[:4]).all()


def test_no_history_keeps_nothing(config_of):
    game = state_of(config_of, "task.history=0").game
    fake = Batch(torch.zeros(2, *SHAPE), None)
    assert game.task.remembered(fake, Draws("cpu", 0, 0)) is fake
    assert not list(game.task.buffers())


# ---- the generator


@pytest.mark.parametrize(("blocks", "parameters"), [(9, 11_388_675), (6, 7_845_123)])
def test_the_generator_has_the_parameters_of_the_authors(blocks, parameters):
    """Their first published code has instance norms with scales and shifts, as here; 9 blocks of it print as above."""
    with torch.device("meta"):
        network = resnet_translator.Generator((3, 256, 256), (3, 256, 256), blocks=blocks)
    assert sum(p.numel() for p in network.parameters()) == parameters


# ---- mistakes


def write(folder, n=8, colour="L", side=16):
    folder.mkdir()
    for i in range(n):
        Image.new(colour, (side, side), 9 * i).save(folder / f"{i}.png")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ("dataset_b.image_size=32",),
            "dataset has samples of [1, 16, 16] and dataset_b of [1, 32, 32], and both must",
        ),
        (("train.batch_size=5",), "train.batch_size=5: task=cycle takes as many images of each domain: train.batch_"),
        (("dataset_b=folder",), "dataset_b=folder needs a directory of pictures, flat or in one sub-folder for each"),
        (("dataset_b=folder", "dataset_b.path=empty"), "dataset_b.path=empty and its sub-folders have no pictures"),
        (("dataset_b=folder", "dataset_b.path=absent"), "dataset_b.path=absent does not exist"),
        (
            ("dataset_b=folder", "dataset_b.path=colours"),
            "and dataset_b of [3, 16, 16], and both must be images of one",
        ),
        (("task.cycle_weight=0", "task.adversarial_weight=0"), "the generator would have nothing to minimise"),
    ],
)
def test_mistakes(refused, tmp_path, overrides, expected):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "colours", colour="RGB")
    assert expected in refused("train", *SMALL, *overrides, "runtime=cpu", "run_dir=run")
