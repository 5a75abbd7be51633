"""Labels: closed forms, what is trained, and conditional runs from the command line to the last sample."""

import copy
import json

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from gan_cli.commands.sample import sample
from gan_cli.conditions.auxiliary_classifier import AuxiliaryClassifier
from gan_cli.conditions.class_norm import ClassNorm
from gan_cli.conditions.concat import Concat
from gan_cli.conditions.labels import rows_of
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.models import dcgan, mlp, resnet
from gan_cli.models.critic import Critic
from gan_cli.rng import Draws
from gan_cli.runs import checkpoint, directory
from gan_cli.session import build, restore
from gan_cli.session.job import Earlier
from gan_cli.session.pictures import columns
from gan_cli.session.session import Session
from gan_cli.training.sampling import sample as draw
from tests.command_arguments import arguments_for
from tests.conftest import TINY
from tests.helpers import Labelled, Noise

SHAPE = (1, 16, 16)
CONDITIONAL = ["concat", "projection", "auxiliary_classifier"]
CLASSES = ("a", "b", "c")


def labelled_data(shape=SHAPE):
    train, heldout = (Labelled(shape, 8, 0, name) for name in ("train", "heldout"))
    return RealData(
        shape, CLASSES, train, heldout, "noise", lambda n: Labelled(shape, n).batch(*Noise(shape, n).draw(0))
    )


@pytest.fixture
def begin(config_of, tmp_path):
    def session(name, *overrides, steps=4, resume=False):
        overrides = ("dataset.image_size=16", f"train.steps={steps}", "log.every_steps=2", "log.samples_every_steps=2",
                     "log.sample_count=9", *TINY, *overrides)  # fmt: skip
        plan = build.check(config_of(*overrides), SHAPE, 3)
        (tmp_path / name).mkdir(exist_ok=True)
        run, data = directory.RunDirectory(tmp_path / name), labelled_data()
        state = plan.state(data)
        found = checkpoint.load(run.checkpoints, pytest.fail) if resume else None
        if found:
            restore.restore(state, found)
        return Session(plan, run, data, state, Earlier(found) if resume else None)

    return session


# ---- closed forms


def test_projection_adds_the_inner_product_with_the_classs_vector():
    critic = Critic(mlp.Trunk((2,), (5,)), {}, n_embedded=3)
    x, y = torch.randn(4, 2), torch.tensor([2, 0, 1, 2])
    phi = critic.trunk(x)
    by_hand = torch.stack(
        [critic.score.bias[0] + sum((critic.score.weight[0, j] + critic.embedding.weight[y[i], j]) * phi[i, j]
                                    for j in range(5)) for i in range(4)]
    )  # fmt: skip
    assert_close(critic(x, y).score, by_hand)
    critic(x, torch.tensor([1, 1, 1, 1])).score.sum().backward()
    assert critic.embedding.weight.grad.abs().sum(dim=1).count_nonzero() == 1  # the other classes' vectors stay


def test_concat_adds_planes_to_images_and_numbers_to_points():
    way = Concat(3)
    y = torch.tensor([2, 0])
    x = torch.randn(2, 3, 4, 4)
    seen = way.critic_input(x, y)
    assert seen.shape == (2, *way.critic_shape((3, 4, 4))) == (2, 6, 4, 4)
    assert_close(seen[:, :3], x, rtol=0, atol=0)
    assert_close(seen[:, 3:].amax((2, 3)), torch.tensor([[0.0, 0, 1], [1, 0, 0]]), rtol=0, atol=0)
    assert_close(seen[:, 3:].amin((2, 3)), torch.tensor([[0.0, 0, 1], [1, 0, 0]]), rtol=0, atol=0)
    points = torch.randn(2, 2)
    assert_close(way.critic_input(points, y), torch.cat([points, torch.tensor([[0.0, 0, 1], [1, 0, 0]])], 1))
    (z,) = way.generator_input(points, y)
    assert z.shape == (2, way.latent_size(2)) == (2, 5)


@pytest.mark.parametrize("learn_from_fake", [False, True])
def test_the_auxiliary_classifiers_terms_are_cross_entropies(learn_from_fake):
    way = AuxiliaryClassifier(3, "concat", weight=0.5, learn_from_fake=learn_from_fake)
    y = torch.tensor([0, 2])
    heads = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]]), torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    real, fake = (CriticOutput(h[:, 0], h, {"class": h}, h, y) for h in heads)
    taught = cross_entropy(heads[0], y) + (cross_entropy(heads[1], y) if learn_from_fake else 0.0)
    assert_close(way.critic_term(real, fake), 0.5 * taught)
    assert_close(way.generator_term(fake), 0.5 * cross_entropy(heads[1], y))
    curves = way.estimates(real, fake)
    assert (curves["class_accuracy_real"], curves["class_accuracy_fake"]) == (1.0, 0.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: dcgan.Generator(4, SHAPE, 3),
        lambda: resnet.Generator(4, SHAPE, 3),
        lambda: mlp.Generator(4, (2,), (6, 5), norm="batch"),
    ],
    ids=["dcgan", "resnet", "mlp"],
)
def test_class_norm_scales_and_shifts_by_class(make):
    torch.manual_seed(0)
    plain = make()
    network = ClassNorm(copy.deepcopy(plain), 3)
    z, y = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    assert_close(network(z, y), plain(z))  # every class begins as the network was
    norms = [m for m in network.modules() if hasattr(m, "scale")]
    assert norms
    with torch.no_grad():
        norms[-1].scale[1] *= 2
        norms[-1].shift[1] += 1
    moved = (network.eval()(z, y) - plain.eval()(z)).flatten(1).abs().amax(1)
    assert moved[[1, 4]].min() > 0
    assert_close(moved[[0, 2, 3, 5]], torch.zeros(4), rtol=0, atol=1e-6)
    assert all(m.y is None for m in norms)
    with pytest.raises(TypeError):
        network(z)


def test_rows_of_a_table_and_a_gradient_that_is_the_same_again():
    # An index would add up rows that samples share in the order in which the threads come.
    torch.manual_seed(0)
    table, y, gradient = torch.randn(10, 512, requires_grad=True), torch.arange(256) * 7 % 10, torch.randn(256, 512)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(rows_of(table, y), table[y])
        found = {torch.autograd.grad(rows_of(table, y), table, gradient)[0].numpy().tobytes() for _ in range(50)}
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1
    expected = torch.stack([gradient[y == k].double().sum(0) for k in range(10)]).float()
    assert_close(torch.autograd.grad(rows_of(table, y), table, gradient)[0], expected)
    weights = torch.tensor([[0.25, 0.75]])
    assert_close(rows_of(table[:2], weights), 0.25 * table[:1] + 0.75 * table[1:2])


def test_a_norm_of_batch_statistics_is_the_formula():
    norm = ClassNorm(nn.Sequential(nn.BatchNorm2d(2)), 2).network[0]
    with torch.no_grad():
        norm.scale.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        norm.shift.copy_(torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    x, norm.y = torch.randn(4, 2, 3, 3), torch.tensor([0, 1, 1, 0])
    standard = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
    expected = standard * norm.scale[norm.y][:, :, None, None] + norm.shift[norm.y][:, :, None, None]
    assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model", "by"), [("dcgan", "norm"), ("resnet", "norm"), ("mlp", "concat")])
def test_the_generators_way_follows_its_family_and_is_frozen(config_of, model, by):
    plan = build.check(config_of("condition=projection", f"model={model}"))
    assert plan.config.condition.arguments["generator"] == by
    state = plan.state_for((1, 32, 32), 10)
    assert isinstance(state.game.generator, ClassNorm) == (by == "norm")


def test_class_norm_without_batch_norm_is_refused(config_of):
    with pytest.raises(UserError, match=r"generator=norm: this generator has no batch norm to condition"):
        build.check(config_of("condition=projection", "model=mlp", "condition.generator=norm"))


# ---- whole runs


@pytest.mark.parametrize("condition", CONDITIONAL)
def test_a_conditional_run_resumes_bit_equal_and_its_average_is_drawn_from(begin, tmp_path, condition):
    ema = (f"condition={condition}", "loss=hinge", "train.ema_halflife_images=20")
    begin("whole", *ema).train()
    begin("parts", *ema, steps=3).train()
    begin("parts", *ema, resume=True).train()
    whole, parts = (
        checkpoint.load(tmp_path / n / directory.CHECKPOINTS, pytest.fail).tensors for n in ("whole", "parts")
    )
    assert_close(parts, whole, rtol=0, atol=0)
    assert any(name.startswith("ema/") for name in whole)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert ("critic/class_accuracy_real" in rows[-1]) == (condition == "auxiliary_classifier")


@pytest.mark.parametrize("condition", CONDITIONAL)
def test_a_grid_has_a_column_a_class(begin, tmp_path, capsys, condition):
    session = begin("run", f"condition={condition}", "loss=hinge", steps=1)
    session.train()
    game = session.state.game
    assert columns(game.condition, 9) == 3
    network = session.state.best_generator()
    drawn = torch.cat(list(draw(game, network, 7, Draws("cpu", 0, "sample"), batch_size=2)))
    z = game.latent.sample(7, Draws("cpu", 0, "sample"))
    with torch.no_grad():
        expected = game.generate(z, torch.tensor([0, 1, 2, 0, 1, 2, 0]), network.eval())
    assert_close(drawn, expected)
    sample(*arguments_for("sample", str(tmp_path / "run"), "count=9", "batch_size=4", "device=cpu"))
    with Image.open(capsys.readouterr().out.strip().splitlines()[-1]) as grid:
        width, height = grid.size
    assert width == height  # nine images, three classes


@pytest.mark.parametrize("condition", CONDITIONAL)
@pytest.mark.parametrize("model", ["dcgan", "resnet"])
def test_under_bf16_scores_stay_float32(config_of, condition, model):
    overrides = ["runtime.precision=bf16", "loss=hinge", f"condition={condition}", f"model={model}", *TINY]
    plan = build.check(config_of(*overrides), SHAPE, 3)
    game = plan.state_for(SHAPE, 3).game
    y = torch.tensor([0, 1, 2, 1])
    fake = game.fake(4, Batch(torch.zeros(4, *SHAPE), y), Draws("cpu", 0, 0))
    output = game.ask(fake.x, y)
    assert fake.x.dtype == output.score.dtype == torch.float32
    assert all(head.dtype == torch.float32 for head in output.heads.values())
    assert output.score.isfinite().all()


def test_a_projection_critic_under_other_weights(config_of):
    plan = build.check(
        config_of("loss=nonsaturating", "condition=projection", "model.critic.norm=none", *TINY), SHAPE, 3
    )
    game = plan.state_for(SHAPE, 3).game
    x, y = torch.randn(4, *SHAPE), torch.tensor([0, 1, 2, 1])
    weights = {name: p.detach().clone() for name, p in game.critic.named_parameters()}
    assert_close(game.ask_with(weights)(x, y).score, game.ask(x, y).score)
    weights["embedding.weight"][1] += 1
    difference = game.ask_with(weights)(x, y).score - game.ask(x, y).score
    assert_close(difference, torch.where(y == 1, game.ask(x, y).features.sum(1), 0.0), rtol=1e-4, atol=1e-5)


# ---- no labels


@pytest.mark.parametrize("condition", CONDITIONAL)
@pytest.mark.parametrize("where", ["swiss_roll", "celeba", "flat folder"])
def test_data_without_labels_are_refused_and_nothing_is_created(tmp_path, monkeypatch, capsys, condition, where):
    from gan_cli.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for i in range(4):
        Image.new("L", (16, 16), i).save(tmp_path / "pictures" / f"{i}.png")
    data = {
        "swiss_roll": ["dataset=swiss_roll", "model=toy_mlp"],
        "celeba": ["dataset=celeba"],
        "flat folder": ["dataset=folder", f"dataset.path={tmp_path / 'pictures'}", "train.batch_size=2"],
    }[where]
    assert main(["train", f"condition={condition}", *data]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs labels" in line
    assert "condition=none" in line
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]
