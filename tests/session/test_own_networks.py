"""Networks of the user's own: what they may be, what is asked of them, and mistakes that leave nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gan_cli.runs.metrics_log import METRICS, read_rows

MODULE = """
import torch
from torch import nn

class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 4 * 7 * 7), nn.ConvTranspose2d(4, 1, 4, 4)
    def forward(self, z):
        return self.last(self.first(z).view(-1, 4, 7, 7).relu()).tanh()

class D(nn.Module):
    def __init__(self, width: int = 4, columns: bool = False):
        super().__init__()
        self.first, self.last, self.columns = nn.Conv2d(1, width, 4, 4), nn.Linear(width * 49, 1), columns
    def forward(self, x):
        score = self.last(self.first(x).relu().view(len(x), -1))
        return score if self.columns else score.squeeze(1)

class Sized(G):
    def __init__(self, latent_size, sample_shape):
        super().__init__()
        self.first = nn.Linear(latent_size, 4 * 7 * 7)

class Features(nn.Module):
    n_features = 5
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 5)
    def forward(self, x):
        return self.layer(x.flatten(1))

class NeedsTwo(D):
    def __init__(self, width: int): super().__init__(width)

class Raises(D):
    def forward(self, x):
        raise KeyError("no such weight")

class Wrong(G):
    def forward(self, z):
        return super().forward(z)[:, :, :20]

class Pair(D):
    def forward(self, x):
        return super().forward(x), x

class PerPixel(D):
    def forward(self, x):
        return x[:, 0]

class Detached(D):
    def forward(self, x):
        return super().forward(x).detach()

class Complex(G):
    def forward(self, z):
        return torch.complex(super().forward(z), super().forward(z))

class Whole(D):
    def forward(self, x):
        return super().forward(x).long()

class Infinite(G):
    def forward(self, z):
        return super().forward(z) / 0

class InPlace(D):
    def forward(self, x):
        return super().forward(x.mul_(2))

class Double(G):
    def __init__(self):
        super().__init__()
        self.double()
    def forward(self, z):
        return super().forward(z.double())

class Still(G):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)

class Lazy(D):
    def __init__(self):
        super().__init__()
        self.last = nn.LazyLinear(1)

class Broken(D):
    def __init__(self):
        super().__init__()
        self.width = self.wdith

class Reads(D):
    def __init__(self):
        super().__init__()
        self.scale = float(torch.ones(1))

class Frozen(D):
    def __init__(self):
        super().__init__()
        self.first.requires_grad_(False)
"""
SMALL = (
    *("allow_targets=[mine]", "dataset.image_size=28", "latent.size=6", "train.batch_size=8", "train.steps=2"),
    *("log.every_steps=1", "log.sample_count=4", "runtime=cpu", "runtime.threads=1", "dataset.limit=100"),
)


def networks(generator="G", critic="D"):
    return [f"model.generator._target_=mine.{generator}", f"model.critic._target_=mine.{critic}"]


@pytest.fixture
def place(tmp_path) -> Path:
    (tmp_path / "mine.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("loss=wgan",),
        ("loss=wgan_gp", "+model.critic.columns=true"),
        ("loss=hinge", "constraint=spectral_norm"),
        ("loss=nonsaturating", "updates=unrolled", "updates.k=2", "optimizer=adam"),
        ("loss=nonsaturating", "updates=simultaneous", "constraint=r1", "train.ema_halflife_images=8"),
        ("loss=rgan", "train.accumulate=2", "runtime.precision=bf16"),
        ("loss=mmd", "loss.space=pixels", "constraint=none", "updates=alternating"),
    ],
    ids=" ".join,
)
def test_a_plain_module_trains_samples_and_resumes(gan, place, words):
    ended = gan("train", *networks(), *words, *SMALL, "run_dir=run")
    assert ended.code == 0, ended.err
    assert gan("sample", "run", "allow_targets=[mine]", "count=4").code == 0
    assert gan("resume", "run", "allow_targets=[mine]", "train.steps=4").code == 0
    assert gan("train", *networks(), *words, *SMALL, "train.steps=4", "run_dir=whole").code == 0
    assert Path("run", METRICS).read_bytes() == Path("whole", METRICS).read_bytes()


def test_what_reads_features_takes_a_critic_with_features(gan, place):
    for words in (
        ("loss=infogan", "latent.size=6", "latent.categorical=[2]", "latent.continuous=1"),
        ("loss=wgan_gp", "condition=projection", "condition.generator=concat"),
        ("loss=ebgan", "model.code_size=3"),
        ("loss=mmd",),
    ):
        ended = gan("train", *networks("Sized", "Features"), *SMALL, *words, "train.steps=1")
        assert ended.code == 0, ended.err


def test_a_model_of_ones_own_is_two_lines_of_yaml(gan, place):
    (place / "conf" / "model").mkdir(parents=True)
    text = "# Mine\ngenerator: {_target_: mine.G}\ncritic: {_target_: mine.D, width: 3}\n"
    (place / "conf" / "model" / "my_model.yaml").write_text(text)
    ended = gan("train", "--config-dir", "conf", "model=my_model", *SMALL, "run_dir=run")
    assert ended.code == 0, ended.err
    assert "`gan sample run 'allow_targets=[mine]'` draws from the generator" in ended.err
    assert json.loads(Path("run/run.json").read_text())["choices"]["model"] == "my_model"
    assert "n_features" not in Path("run/config.yaml").read_text()


def test_a_frozen_layer_stays(gan, place):
    ended = gan("train", *networks(critic="Frozen"), *SMALL, "loss=wgan", "run_dir=run")
    assert ended.code == 0, ended.err
    rows = read_rows(Path("run", METRICS))
    assert all(row["critic/clip_saturation"] <= 1 for row in rows)
    from safetensors.torch import load_file

    tensors = load_file("run/checkpoints/step_0000000002/state.safetensors")
    assert tensors["game/critic.trunk.first.weight"].abs().max() > 0.01  # c, which clips what moves
    assert tensors["game/critic.trunk.last.weight"].abs().max() <= 0.01


def test_code_that_reads_values_is_built(gan, place):
    assert gan("train", *networks(critic="Reads"), *SMALL, "train.steps=1").code == 0


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("G", "Raises"), "model.critic (mine.Raises): its forward fails for samples (2, 1, 28, 28): KeyError: "),
        (("Wrong", "D"), "model.generator (mine.Wrong): its forward returns (2, 1, 20, 28) for z (2, 6) (latent"),
        (("G", "Pair"), "model.critic (mine.Pair): its forward returns tuple, and must return a tensor (2,) or (2, 1)"),
        (("G", "PerPixel"), "model.critic (mine.PerPixel): its forward returns (2, 28, 28) for samples"),
        (("G", "Detached"), "model.critic (mine.Detached): its output has no gradient: RuntimeError: element 0"),
        (("Complex", "D"), "model.generator (mine.Complex): its forward returns complex64, and must return floating-"),
        (("G", "Whole"), "model.critic (mine.Whole): its forward returns int64, and must return floating-point"),
        (("Infinite", "D"), "model.generator (mine.Infinite): its forward returns numbers that are not finite for z"),
        (("G", "InPlace"), "model.critic (mine.InPlace): its forward changes what it reads in place; others read it"),
        (("Still", "D"), "model.generator (mine.Still): it has no weights to train"),
        (("G", "Lazy"), "model.critic (mine.Lazy): it has lazy layers"),
        (("G", "Broken"), "model.critic (mine.Broken): AttributeError: 'Broken' object has no attribute 'wdith' ("),
        (("G", "Absent"), "model.critic._target_=mine.Absent: mine has no class Absent"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(refused, place, pair, message):
    assert refused("train", *networks(*pair), *SMALL).startswith(message)


def test_weights_in_double_precision(gan, place):
    words = (*networks("Double"), *SMALL, "loss=nonsaturating", "optimizer=adam")
    assert gan("train", *words, "run_dir=run").code == 0
    assert gan("resume", "run", "allow_targets=[mine]", "train.steps=4").code == 0


def test_the_classes_that_join_z_are_named(refused, place):
    message = "model.generator (mine.G): its forward fails for z (2, 16) (latent.size=6, and 10 of condition=Concat): "
    assert refused("train", *networks("G", "Features"), *SMALL, "condition=concat").startswith(message)


def test_a_mistake_has_its_place(refused, place):
    line = MODULE.splitlines().index('        raise KeyError("no such weight")') + 1
    assert refused("train", *networks("G", "Raises"), *SMALL).endswith(f"weight' ({place}/mine.py, line {line})")
    size = refused("train", *networks(), *SMALL, "latent.size=7")
    assert size.startswith(
        "model.generator (mine.G): its forward fails for z (2, 7) (latent.size=7): RuntimeError: mat1"
    )


def test_all_that_is_missing_is_told_at_once(refused, place):
    words = ("loss=ebgan", "condition=auxiliary_classifier", "model.code_size=null")
    assert refused("train", *networks(), *SMALL, *words) == (
        "loss=EBGAN and condition=AuxiliaryClassifier read features of the critic: model.critic (mine.D) must return "
        "features (N, F), and have n_features = F; the size of its code must be given: +model.code_size=64; "
        "model.generator (mine.G) must take latent_size: the decoder is a second one"
    )
    assert refused("train", *networks("G", "NeedsTwo"), *SMALL, "~model.critic.width").startswith(
        "model.critic (NeedsTwo): missing a required argument: 'width'"
    )
