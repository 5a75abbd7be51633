"""task=tag: what a batch is, what a checkpoint keeps of the words, that it learns, and each mistake's line."""

import pytest
import torch

from gan_cli.analysis import tagging
from gan_cli.errors import UserError
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.rng import Draws
from gan_cli.runs import checkpoint
from gan_cli.session import build, single_parts
from gan_cli.session.load import load
from gan_cli.training.eager import Eager
from tests.data.small_sets import COLOURS, SHADES, write_tagged

SMALL = ("task=tag", "extractor=pixels", "dataset.image_size=16", "dataset.holdout=6", "task.vector_size=4")
TINY = (*SMALL, "model.width=8", "model.critic.hidden=[8]", "train.batch_size=8", "task.draws=3", "task.nearest=2")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def data_of(tmp_path):
    """The overrides that name small tagged data."""
    return write_tagged(tmp_path / "tagged")


def opened(config_of, *overrides):
    return build.check(config_of(*TINY, *overrides)).open()


def test_a_batch_has_the_vector_of_one_of_each_images_tags_drawn_by_seed_and_number(config_of, data_of):
    plan, data = opened(config_of, *data_of)
    state = plan.state(data)
    vocabulary = data.tags.vocabulary
    assert set(vocabulary) == {*COLOURS, *SHADES}
    assert (data.shape, data.source_shape, data.class_names) == ((4,), (3 * 16 * 16,), None)
    again = opened(config_of, *data_of)[1]
    other = build.check(config_of(*TINY, *data_of, "seed=1")).open()[1]
    counts = torch.zeros(len(vocabulary))
    for k in range(40):
        index, word = data.train.draw(k)
        assert all(torch.equal(a, b) for a, b in zip((index, word), again.train.draw(k), strict=True))
        assert all(w in data.train.tags[i] for i, w in zip(index.tolist(), word.tolist(), strict=True))
        counts += torch.bincount(word, minlength=len(vocabulary))
    assert not torch.equal(data.train.draw(0)[1], other.train.draw(0)[1])
    assert counts[[vocabulary.index(word) for word in SHADES]].sum() / counts.sum() == pytest.approx(0.5, abs=0.1)
    real = state.game.read(data.train.batch(index, word), Draws("cpu", 0, 0))
    assert torch.equal(real.x, state.game.task.vectors[word])
    assert torch.equal(real.source, data.train.features[index])
    torch.testing.assert_close(real.x.norm(dim=1), torch.full((8,), 2.0))  # sqrt(D)


def test_features_are_standardised_by_those_of_the_training_images(config_of, data_of):
    plan, data = opened(config_of, *data_of)
    torch.testing.assert_close(data.train.features.mean(dim=0), torch.zeros(768), atol=1e-5, rtol=0)
    torch.testing.assert_close(data.train.features.std(dim=0), torch.ones(768), atol=1e-4, rtol=0)
    task = plan.state(data).game.task
    extractor = single_parts.extractor(plan.config)
    torch.testing.assert_close(task.source_of(extractor, data.heldout.pictures(6)), data.heldout.features)


def test_features_of_an_extractor_with_weights_are_kept(config_of, data_of, monkeypatch):
    weights = ("extractor=fashion_mnist",)
    first = opened(config_of, *data_of, *weights)[1]
    monkeypatch.setattr(FashionMNIST, "__call__", lambda *_: pytest.fail("the features are there"))
    again = opened(config_of, *data_of, *weights, "seed=1")[1]
    assert torch.equal(again.train.features, first.train.features)
    assert torch.equal(again.heldout.features, first.heldout.features)
    with pytest.raises(pytest.fail.Exception):
        opened(config_of, *data_of, *weights, "dataset.holdout=7")


def test_the_generator_reads_z_and_features_and_the_critic_vector_and_features(config_of, data_of):
    plan, data = opened(config_of, *data_of)
    game = plan.state(data).game
    assert game.generator.layers[0].in_features == 100 + 768
    assert game.critic.trunk.layers[0].in_features == 4 + 768
    fake = game.fake(8, game.read(data.train.batch(*data.train.draw(0)), Draws("cpu", 0, 0)), Draws("cpu", 0, 0))
    other = game.generate(torch.randn(8, 100), None, source=fake.source)
    assert fake.x.shape == (8, 4)
    assert not torch.equal(fake.x, other)


def test_a_checkpoint_has_the_words_and_their_vectors(gan, data_of, tmp_path):
    run = tmp_path / "run"
    assert gan("train", *TINY, *data_of, "train.steps=2", "runtime=cpu", f"run_dir={run}").code == 0
    found = checkpoint.load(run / "checkpoints", pytest.fail)
    assert set(found.meta["task"]["vocabulary"]) == {*COLOURS, *SHADES}
    for path in (tmp_path / "tagged").rglob("*.*"):
        path.unlink()
    task = load(run, "cpu").state.game.task
    assert task.vocabulary == tuple(found.meta["task"]["vocabulary"])
    assert torch.equal(task.vectors, found.tensors["game/task.vectors"])
    assert task.cosines(task.vectors).argmax(dim=1).tolist() == list(range(5))


@pytest.mark.parametrize("broken", [{}, {"vocabulary": "red"}, {"vocabulary": [1]}, {"vocabulary": ["red"]}])
def test_a_checkpoint_of_other_words_is_refused(gan, data_of, tmp_path, broken):
    run = tmp_path / "run"
    assert gan("train", *TINY, *data_of, "train.steps=1", "runtime=cpu", f"run_dir={run}").code == 0
    plan = build.check(load(run, "cpu").config, (4,), 0, (768,))
    tensors = checkpoint.load(run / "checkpoints", pytest.fail).tensors

    def recalled():
        plan.parts.task.recall(broken)
        plan.outline((4,), 0, (768,)).check_fit(tensors)

    with pytest.raises(ValueError, match=r"its vocabulary is not a list of words|task\.vectors"):
        recalled()


def test_it_learns_the_tags_of_images_that_it_has_not_seen(config_of, tmp_path):
    config = config_of(
        *SMALL, *write_tagged(tmp_path / "many", n=72), "dataset.holdout=12", "extractor.side=4", "optimizer.lr=2e-3",
        "model.width=32", "model.critic.hidden=[32]", "model.generator.dropout=0", "train.batch_size=16",
        "task.draws=20", "task.nearest=1",
    )  # fmt: skip
    plan, data = build.check(config).open()
    state = plan.state(data)
    run = Eager(plan.parts.updates, data.train, 16, 0, plan.device)

    def precision():
        scores = tagging.votes(state.game, state.game.generator, data.heldout.features, 0)
        ranked = scores.argsort(dim=1, descending=True)[:, :2].tolist()
        pairs = zip(ranked, data.heldout.tags, strict=True)
        return sum(len({*words} & {*tags}) for words, tags in pairs) / 24

    assert precision() <= 0.5
    for _ in range(150):
        run(state)
        state.step += 1
    assert precision() > 0.6  # `dark` and `light` for every image would be 0.5


def test_the_content_term_is_the_squared_distance_from_the_drawn_word(config_of, data_of):
    plan, data = opened(config_of, *data_of, "loss=none", "task.content_weight=3")
    state = plan.state(data)
    (logs,) = Eager(plan.parts.updates, data.train, 8, 0, plan.device)(state)
    assert logs["generator/loss"] == 3 * logs["generator/content"]


def test_the_target_of_the_content_term_may_be_the_mean_of_an_images_tags(config_of, data_of):
    plan, data = opened(config_of, *data_of, "task.content_weight=3", "task.content_target=mean", "dataset.min_count=1")
    game = plan.state(data).game
    index, _ = drawn = data.train.draw(0)
    vectors = game.task.vectors
    means = torch.stack([vectors[data.train.tags[i]].mean(dim=0) for i in index])
    means *= 2 / means.norm(dim=1, keepdim=True)  # sqrt(D), the length of a word's vector
    assert len({len(tags) for tags in data.train.tags}) > 1
    real = game.read(data.train.batch(*drawn), Draws("cpu", 0, 0))
    torch.testing.assert_close(real.y, means)
    fake = game.fake(8, real, Draws("cpu", 0, 0))
    value, weight = game.further_terms(fake, real)["content"]
    torch.testing.assert_close(value, (fake.x - means).square().mean())
    assert weight == 3


def vector_file(tmp_path, *words):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{word} {i} 1 {-i}\n" for i, word in enumerate(words)))
    return f"task.vectors={path}"


def test_vectors_from_a_file(config_of, data_of, tmp_path):
    plan, data = opened(config_of, *data_of, vector_file(tmp_path, *COLOURS, *SHADES))
    task = plan.state(data).game.task
    assert data.shape == (3,)
    expected = torch.tensor([[i, 1.0, -i] for i in map([*COLOURS, *SHADES].index, task.vocabulary)])
    torch.testing.assert_close(task.vectors, torch.nn.functional.normalize(expected) * 3**0.5)


def test_words_without_a_vector(config_of, data_of, tmp_path):
    given = (*data_of, vector_file(tmp_path, "red", *SHADES, "green"))
    with pytest.raises(UserError, match=r"vectors\.txt: 1 of 5 words have no vector \(blue\): task.skip_missing=true"):
        opened(config_of, *given)
    _, data = opened(config_of, *given, "task.skip_missing=true")
    assert set(data.tags.vocabulary) == {"red", "green", *SHADES}
    assert all(data.train.tags)
    with pytest.raises(UserError, match=r"vectors\.txt: 5 of 5 words have no vector \([^)]*\)$"):
        opened(config_of, *data_of, vector_file(tmp_path, "cat"), "task.skip_missing=true")


def test_images_without_any_word_that_has_a_vector_are_left_out(config_of, data_of, tmp_path):
    given = (*data_of, "task.skip_missing=true", vector_file(tmp_path, "red"))
    _, data = opened(config_of, *given)
    assert data.train.size + data.heldout.size == 12
    assert (data.train.pictures(12)[:, 0] > data.train.pictures(12)[:, 1]).float().mean() > 0.9
    with pytest.raises(UserError, match=r"training and \d held-out images have a word with a vector"):
        opened(config_of, *given, "train.batch_size=13")


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("loss=none",), "loss=NoGame: the generator would have nothing to minimise; task.content_weight=1, or"),
        (("condition=concat",), "condition=Concat needs labels"),
        (("task.vectors=no.txt",), "task.vectors=no.txt: No such file or directory"),
        (("task.adversarial_weight=0",), "content_weight=0 and adversarial_weight=0"),
        (("task.vector_size=5",), "task.vector_size=5: 5 words have vectors of at most 4 numbers: task.vector_size=3"),
        (("dataset.min_count=50",), "dataset.min_count=50: no tag has so many of the 30 training images"),
        (("evaluate.split=heldout",), "evaluate.* and extractor: no effect"),
    ],
)
def test_mistakes(gan, data_of, overrides, expected):
    ended = gan("train", "runtime=cpu", *TINY, *data_of, *overrides)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert expected in ended.err


def test_other_data_and_other_models(gan, data_of):
    expected = "task=tag: learns from images with tags: dataset=tagged_folder"
    assert gan("train", "task=tag", "dataset=fashion_mnist_10k").err == f"gan: {expected}\n"
    error = gan("train", *SMALL, *data_of, "model=unet").err
    assert error.endswith("it reads a picture, and task=Tag gives it none: model=mlp_mirza\n")
