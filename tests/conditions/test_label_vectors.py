"""Labels that are vectors, of numbers or of 0 and 1: closed forms, and runs from YAML and Python to the last sample."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss, one_hot
from torch.testing import assert_close

import gan_cli
from gan_cli.conditions.auxiliary_classifier import AuxiliaryClassifier
from gan_cli.conditions.base import EXAMPLES
from gan_cli.conditions.class_norm import ClassNorm
from gan_cli.conditions.concat import Concat
from gan_cli.data.array_set import as_arrays
from gan_cli.errors import UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.models import mlp
from gan_cli.models.critic import Critic
from tests.conftest import TINY

CONDITIONS = ["concat", "projection", "auxiliary_classifier"]
KINDS = {"numbers": 3, "binary": 4}
SMALL = (*TINY, "dataset=array", "dataset.holdout=16", "loss=hinge", "log.every_steps=1", "log.to=[]")


def labels(kind, n=80):
    y = np.random.default_rng(0).random((n, KINDS[kind]))
    return (y > 0.5).astype(np.int64) if kind == "binary" else y


@pytest.fixture
def data(gan, tmp_path):
    """A file of images for each kind of label, in the directory that commands run in."""
    x = np.random.default_rng(1).integers(0, 256, (80, 1, 16, 16), dtype=np.uint8)
    for kind in KINDS:
        np.savez(tmp_path / f"{kind}.npz", images=x, labels=labels(kind))
    return x


# ---- closed forms


def test_a_vector_joins_z_and_the_critics_input_as_it_is():
    way = Concat(2, "numbers")
    y, z, x = torch.tensor([[0.5, -2.0]]), torch.randn(1, 3), torch.randn(1, 1, 4, 4)
    assert torch.equal(way.generator_input(z, y)[0], torch.cat([z, y], dim=1))
    seen = way.critic_input(x, y)
    assert seen.shape == (1, *way.critic_shape((1, 4, 4)))
    assert torch.equal(seen[0, 1:], y[0, :, None, None].expand(-1, 4, 4))


def test_projection_is_linear_in_the_vector():
    critic = Critic(mlp.Trunk((2,), (5,)), {}, n_embedded=3)
    x, y = torch.randn(4, 2), torch.randn(4, 3)
    phi = critic.trunk(x)
    by_hand = critic.score(phi)[:, 0] + torch.einsum("nf,kf,nk->n", phi, critic.embedding.weight, y)
    assert_close(critic(x, y).score, by_hand)
    classes = torch.tensor([2, 0, 1, 2])
    assert_close(critic(x, one_hot(classes, 3).float()).score, critic(x, classes).score)


def test_scale_and_shift_are_linear_in_the_vector_and_start_as_they_were():
    plain = nn.BatchNorm1d(2)
    nn.init.normal_(plain.weight), nn.init.normal_(plain.bias)
    z, y = torch.randn(6, 2), torch.randn(6, 3)
    expected = plain(z)
    unscaled = (expected - plain.bias) / plain.weight
    weight, bias = plain.weight.detach().clone(), plain.bias.detach().clone()
    network = ClassNorm(nn.Sequential(plain), 3, vectors=True)
    assert_close(network(z, y), expected)
    layer = network.network[0]
    nn.init.normal_(layer.scale[:3]), nn.init.normal_(layer.shift[:3])
    by_hand = unscaled * (weight + y @ layer.scale[:3]) + bias + y @ layer.shift[:3]
    assert_close(network(z, y), by_hand)


@pytest.mark.parametrize("kind", KINDS)
def test_the_auxiliary_terms_compare_each_number(kind):
    way = AuxiliaryClassifier(2, "concat", weight=0.5, labels=kind)
    y, real, fake = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.randn(2, 2), torch.randn(2, 2)
    outputs = [CriticOutput(h[:, 0], h, {"class": h}, h, y) for h in (real, fake)]
    error = {"numbers": mse_loss, "binary": binary_cross_entropy_with_logits}[kind]
    assert_close(way.critic_term(*outputs), 0.5 * error(real, y))
    assert_close(way.generator_term(outputs[1]), 0.5 * error(fake, y))
    predicted = fake.sigmoid() if kind == "binary" else fake
    assert_close(way.estimates(*outputs)["label_error_fake"], mse_loss(predicted, y))


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (torch.tensor([[0.5], [1.0]]), "numbers"),
        (np.array([[0, 1], [1, 1]]), "binary"),
        (np.array([[True], [False]]), "binary"),
        (np.array([[0, 7], [1, 1]]), "numbers"),
        (torch.tensor([0, 1]), "class"),
    ],
)
def test_the_kind_of_labels_is_seen_in_them(y, kind):
    from gan_cli.data.in_memory import InMemory

    found = InMemory()
    found.given = as_arrays((torch.zeros(2, 3), y))
    assert found.expected_labels() == kind
    assert found.expected_classes() == (2 if kind == "class" else y.shape[1])


@pytest.mark.parametrize(
    ("y", "what"),
    [
        (np.array([[0], [3]]), r"labels are int64 \(2, 1\); .* one for each of the 2 samples, or vectors \(2, F\)"),
        (np.array([0.5, 1.5]), r"labels are float64 \(2,\)"),
        (np.zeros((3, 2)), r"labels are float64 \(3, 2\)"),
        (np.array([[0.0], [np.nan]]), "some numbers of the labels .* are not finite"),
    ],
)
def test_labels_that_are_neither_are_refused(y, what):
    with pytest.raises(UserError, match=what):
        as_arrays((np.zeros((2, 3)), y))


# ---- runs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_run_trains_samples_and_is_exported(gan, data, tmp_path, condition, kind):
    path = f"dataset.path={kind}.npz"
    assert gan("train", *SMALL, path, f"condition={condition}", "train.steps=2", "run_dir=run").code == 0
    run = gan_cli.load(tmp_path / "run")
    assert run.config.condition.arguments["labels"] == kind
    logged = {"critic/label_error_real", "critic/label_error_fake"}
    assert (logged & run.metrics.keys() == logged) is (condition == "auxiliary_classifier")
    kept = run.sample(EXAMPLES + 1).labels
    assert kept.shape == (EXAMPLES + 1, KINDS[kind])
    assert torch.equal(kept[0], kept[EXAMPLES])
    every = torch.tensor(labels(kind), dtype=torch.float32)
    assert all((every == one).all(dim=1).any() for one in kept)
    one = labels(kind)[3].tolist()
    assert torch.equal(run.sample(2, y=[one]).labels, torch.tensor([one, one], dtype=torch.float32))
    other = run.sample(2, y=[[9.0 * v + 1 for v in one]])
    assert not torch.equal(run.sample(2, y=[one]), other)
    assert run.generator(torch.zeros(2, 6), kept[:2]).shape == run.sample(2).shape
    assert run.critic(run.sample(2), kept[:2]).shape == (2,)
    run.export(out=tmp_path / "out")
    assert torch.equal(gan_cli.load(tmp_path / "out").sample(3), run.sample(3))
    assert run.evaluate(count=16, w1_count=8, extractor="pixels").scores


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_resumed_run_is_the_same(gan, data, tmp_path, condition):
    words = (*SMALL, "dataset.path=numbers.npz", f"condition={condition}")
    assert gan("train", *words, "train.steps=4", "run_dir=whole").code == 0
    assert gan("train", *words, "train.steps=2", "run_dir=parts").code == 0
    assert gan("resume", "parts", "train.steps=4").code == 0
    whole, parts = (gan_cli.load(tmp_path / name)._loaded.state.tensors() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert whole.keys() == parts.keys()


def test_python_gives_the_same_run(gan, data, tmp_path):
    words = [*SMALL, "condition=projection", "train.steps=2"]
    assert gan("train", *words, "dataset.path=numbers.npz", "run_dir=file").code == 0
    words.remove("dataset=array")
    run = gan_cli.train([*words, "run_dir=python"], dataset=(data, labels("numbers")), progress=False)
    assert torch.equal(run.sample(4), gan_cli.load(tmp_path / "file").sample(4))


def test_a_task_reads_them_too(gan, data):
    words = ("task=restore", "loss=lsgan", "condition=concat", "dataset.path=binary.npz", "model.generator.blocks=1")
    left = [word for word in SMALL if not word.startswith(("latent", "loss"))]
    assert gan("train", *left, *words, "train.steps=1", "run_dir=run").code == 0
    assert gan("sample", "run", "count=4").code == 0


def test_samples_are_written_with_their_vectors(gan, data, tmp_path):
    gan("train", *SMALL, "dataset.path=numbers.npz", "condition=concat", "train.steps=1", "run_dir=run")
    assert gan("sample", "run", "count=3", "y=[[0,0,1],[1,0,0]]", "format=npz", "labels=true", "out=x.npz").code == 0
    with np.load(tmp_path / "x.npz") as found:
        assert found["labels"].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert re.search(r"y_[0-9a-f]{8}\.png", gan("sample", "run", "count=2", "y=[[0,0,1]]").out)
    for words in (("explore", "run", "kind=walk"), ("explore", "run", "kind=arithmetic"), ("collapse", "run")):
        assert gan(*words, *(["extractor=pixels"] if words[0] == "collapse" else [])).code == 0


def test_what_cannot_be_is_refused_in_a_line(gan, data, refused):
    gan("train", *SMALL, "dataset.path=numbers.npz", "condition=concat", "train.steps=1", "run_dir=run")
    gan("train", *TINY, "condition=concat", "train.steps=1", "run_dir=classes", "dataset.image_size=16")
    train = ("train", *SMALL, "dataset.path=numbers.npz", "condition=projection")
    for words, what in (
        ((*train, "condition.labels=binary"), "dataset=ArrayFile are vectors of numbers: condition.labels=numbers"),
        ((*train, "condition.labels=class"), "dataset=ArrayFile are vectors of numbers: condition.labels=numbers"),
        ((*train, "dataset.classes=[0]"), "these images have no class labels"),
        (("sample", "run", "y=3"), "the labels of this run are vectors of 3 numbers: y=[[0,0,0]]"),
        (("sample", "run", "y=[[1,2]]"), "the labels of this run are vectors of 3 numbers: y=[[0,0,0]]"),
        (("sample", "classes", "y=[[1,2]]"), "the labels of this run are classes"),
        (("explore", "run", "kind=walk", "kind.y=1"), "kind.y=1: the labels of this run are vectors"),
        (("explore", "run", "kind=classes"), "trained without classes"),
        (("evaluate", "run", "within_classes=true", "extractor=pixels", "count=16"), "the fakes have no classes"),
    ):
        assert what in refused(*words)


@pytest.mark.slow
def test_the_label_decides_what_is_generated(gan):
    """Numbers near the one that their label is."""
    y, noise = np.random.default_rng(0).random((2, 1000, 1)) * 2 - 1
    words = ["model=toy_mlp", "model.width=32", "loss=energy_distance", "condition=concat", "optimizer.lr=2e-3"]
    words += ["train.batch_size=64", "train.steps=300", "log.to=[]", "run_dir=run"]
    run = gan_cli.train(words, dataset=(y + 0.1 * noise, y), progress=False)
    asked = np.linspace(-1, 1, 50)[:, None]
    found = np.asarray(run.sample(50, y=asked))
    assert np.corrcoef(found[:, 0], asked[:, 0])[0, 1] > 0.9


def test_a_run_from_before_there_were_vectors_goes_on(gan, data, tmp_path):
    words = ("train", *TINY, "condition=projection", "loss=hinge", "dataset.image_size=16", "run_dir=run")
    assert gan(*words, "train.steps=1").code == 0
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("  labels: class\n", ""))
    assert gan(*words, "train.steps=2", "resume=auto").code == 0
