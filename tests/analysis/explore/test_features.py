"""`gan explore kind=features` on every family of networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gan_cli.analysis.explore.features import Features
from gan_cli.analysis.look import Look
from gan_cli.analysis.reals import open_singly
from gan_cli.data.images import FashionMNIST10k
from gan_cli.errors import UserError
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.extractors.pixels import Pixels
from gan_cli.session import build
from tests.command_arguments import arguments_for
from tests.conftest import options

MODELS = [model for model in options("model") if not model.startswith(("toy_", "mlp_mirza"))]  # with convolutions
CPU = torch.device("cpu")
CONFIG, _ = arguments_for("explore", "runs/NAME", "kind=features", "seed=0", "batch_size=40")
FEW = {"units": 2, "top": 3, "count": 40, "columns": 4}


@pytest.fixture(scope="module")
def data():
    return open_singly(FashionMNIST10k(16, limit=50, holdout=60), CPU)


class TwoClasses(FashionMNIST):
    """Bright images are shirts, dark ones bags: a generator that was never trained makes both."""

    def differentiable(self, images):
        found = super().differentiable(images)
        bright = images.mean(dim=(1, 2, 3))
        logits = torch.full((len(images), 10), -9.0)
        logits[:, 6], logits[:, 8] = bright - bright.median(), bright.median() - bright
        return found._replace(log_p=logits.log_softmax(1))


@pytest.fixture
def look_of(config_of, data):
    def made(*overrides, extractor=None):
        config = config_of("model.width=4", "dataset.image_size=16", "train.batch_size=8", *overrides)
        n_classes = 10 if any(o.startswith("condition=") for o in overrides) else 0
        plan = build.check(config, data.shape, n_classes)
        state = plan.state_for(data.shape, n_classes)
        extractor = extractor or TwoClasses()
        extractor.load(CPU)
        return Look(Path("run"), state, state.game.generator, data.shape, data, extractor)

    return made


CHOICES = [(f"model={model}",) for model in MODELS] + [
    ("model=dcgan", "condition=projection", "loss=hinge"),
    ("model=resnet", "condition=concat", "loss=wgan_gp"),
    ("model=dcgan", "loss=began"),
    ("model=dcgan", "loss=hinge", "constraint=spectral_norm", "model.generator.attention=8", "latent=infogan"),
]


@pytest.mark.parametrize("overrides", CHOICES, ids=" ".join)
def test_every_family(look_of, overrides):
    look = look_of(*[o for o in overrides if o != "latent=infogan"])
    before = {name: value.clone() for name, value in look.state.game.state_dict().items()}
    modes = [m.training for m in look.state.game.modules()]
    if "model=mlp_goodfellow" in overrides:
        with pytest.raises(
            UserError, match=r"^kind=features: neither the critic nor the generator of this run has a conv"
        ):
            Features(**FEW)(look, CONFIG)
        return
    found = Features(**FEW)(look, CONFIG)
    critic, generator = found.numbers["critic"], found.numbers["generator"]
    assert len(critic) >= 2
    assert all(0 < layer["purity"] <= 1 for layer in critic.values())
    assert {f"critic_{name}" for name in critic} == set(found.pictures) - {"forgotten"}
    assert found.pictures[f"critic_{next(iter(critic))}"].shape[0] == 14 + 2 + 2 * 34
    assert ("forgotten" in found.pictures) == (generator is not None) == ("model=mlp" not in overrides)
    if generator is not None:
        assert generator["target"] in ("Shirt", "Bag")
        assert 1 <= len(generator["dropped"]) <= max(1, generator["maps"] // 5)
        assert found.pictures["forgotten"].shape[0] == 14 + 2 + 3 * 34
    assert [m.training for m in look.state.game.modules()] == modes
    after = look.state.game.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_class_is_forgotten_with_the_map_that_draws_it(look_of):
    look = look_of("model=dcgan", "model.width=8")
    last = look.network.last
    with torch.no_grad():  # one map alone makes an image bright
        last.weight.zero_()
        last.weight[5] = 0.5
        last.bias.fill_(-0.5)
    bright = Bright()
    bright.load(CPU)
    bright.threshold = look.draw(look.z(40, 1)).mean(dim=(1, 2, 3)).median()
    look = look._replace(extractor=bright)
    found = Features(layer="last", target="shirt", drop=0.13, **FEW)(look, CONFIG).numbers["generator"]
    assert found["dropped"] == [5]
    assert found["share_with_all"] > 0.2
    assert found["share_without"] == 0
    assert found["share_without_random"] > 0
    assert found["others_keep_their_class"] == 1


class Bright(TwoClasses):
    """Images with a mean above a fixed one are shirts."""

    def differentiable(self, images):
        found = super().differentiable(images)
        over = images.mean(dim=(1, 2, 3)) - self.threshold
        logits = torch.full((len(images), 10), -9.0)
        logits[:, 6], logits[:, 8] = over, -over
        return found._replace(log_p=logits.log_softmax(1))


def test_without_a_classifier_the_critic_alone(look_of):
    found = Features(**FEW)(look_of("model=dcgan", extractor=Pixels()), CONFIG)
    assert found.numbers["generator"] is None
    assert found.lines[-1] == "no class is removed: extractor=pixels does not know these classes"
    with pytest.raises(UserError, match="kind=features: extractor=pixels does not know the classes"):
        Features(target=1, **FEW)(look_of("model=dcgan", extractor=Pixels()), CONFIG)


class Shirts(TwoClasses):
    """Every image is a shirt."""

    def differentiable(self, images):
        found = super().differentiable(images)
        logits = torch.zeros(len(images), 10)
        logits[:, 6] = 1
        return found._replace(log_p=logits.log_softmax(1))


def test_one_class_alone_cannot_be_forgotten(look_of):
    look = look_of("model=dcgan", extractor=Shirts())
    found = Features(**FEW)(look, CONFIG)
    assert found.numbers["generator"] is None
    assert found.lines[-1].startswith("no class is removed: kind.target=Shirt: 40 of 40 samples are positive")
    with pytest.raises(UserError, match=r"^kind\.target=Shirt: 40 of 40"):
        Features(target="shirt", **FEW)(look, CONFIG)


def test_mistakes(look_of):
    look = look_of("model=dcgan")
    with pytest.raises(UserError, match=r"kind.layer=x: the generator's convolutions are blocks.0.0, last"):
        Features(layer="x", **FEW)(look, CONFIG)
    with pytest.raises(UserError, match=r"kind\.target=hat: there is no class hat"):
        Features(target="hat", **FEW)(look, CONFIG)
    with pytest.raises(UserError, match=r"kind\.target=Dress: 0 of 40 samples are positive"):
        Features(target="Dress", **FEW)(look, CONFIG)
    with pytest.raises(UserError, match=r"this run's generator has no convolutions; leave out kind\.target"):
        Features(target=1, **FEW)(look_of("model=mlp"), CONFIG)


def test_the_command(explore, run_of):
    seen = explore(run_of("classes"), "kind=features", "kind.units=2", "kind.top=3")
    assert seen.json["generator"] is None
    assert set(seen.json["critic"]) == {"layers.0", "layers.2", "layers.4"} or len(seen.json["critic"]) == 2
    assert "no class is removed: the generator has no convolutions" in seen.out
