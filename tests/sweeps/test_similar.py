"""A command line that is composed from one that chose the same options is what it is when it is composed again."""

from __future__ import annotations

import itertools
import random

import pytest
from omegaconf import OmegaConf

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.errors import UserError
from gan_cli.sweeps.similar import SimilarComposer
from tests.conftest import CONF, options

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name not in ("hydra", "kind"))
VALUES = (
    *("seed=3", "train.steps=7", "optimizer.lr=1e-3", "optimizer.critic.lr=2e-3", "train.ema_halflife_images=null"),
    *(
        "log.to=[wandb,mlflow]",
        "log={every_steps: 3}",
        "++loss.pull=0.5",
        "+loss.pull={a: [1]}",
        "run_dir='runs/${seed}'",
    ),
    *("latent.size=2", "dataset.path='a b'", "model.width=8", "checkpoint.background=true", "allow_targets=[mine]"),
)


@pytest.fixture
def composers() -> tuple[Composer, SimilarComposer]:
    composer = Composer.of("train", Arguments([], {}))
    return composer, SimilarComposer(composer)


def composed(composer: Composer | SimilarComposer, overrides: list[str]) -> object:
    """Everything but Hydra's block, in its order, or the error."""
    try:
        if isinstance(composer, Composer):
            composer.parse(overrides)
        found = OmegaConf.to_container(composer.compose(overrides), resolve=False)
    except UserError as error:
        return str(error)
    found.pop("hydra", None)
    return repr(found)


@pytest.mark.parametrize("count", [6, pytest.param(None, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_pairs_of_options_and_values(composers, count):
    rng = random.Random(0)
    choices = [[f"{group}={name}" for name in options(group)] for group in GROUPS]
    pairs = list(itertools.combinations(choices, 2))
    for two in rng.sample(pairs, count or len(pairs)):
        pair = [rng.choice(names) for names in two]
        for _ in range(2):  # of the same options: the second time is a copy of the first
            overrides = [*pair, *rng.sample(VALUES, 3)]
            rng.shuffle(overrides)
            anew, similar = (composed(composer, overrides) for composer in composers)
            assert similar == anew, overrides


@pytest.mark.parametrize(
    "words",
    [
        *("++log.to=x log=y", "log=y ++log.to=x", "train.steps=4 ++train.steps=3", "++train.steps=3 train.steps=4"),
        *("optimizer={lr:3} optimizer.lr=4", "optimizer.lr=4 optimizer={lr:3}", "~dataset.path", "~log log.to=[]"),
        *(
            "+train.steps=3",
            "train.step=3",
            "seed.x=3",
            "+mine.x=3 mine.x=4",
            "mine.x=4 +mine.x=3",
            "loss=wgn",
            "loss=3",
        ),
        *("loss=null", "dataset@data=ring", "experiment=[quickstart]", "hydra.verbose=true seed=1", "hydra/output=x"),
        *("seed", "seed=[", "model.critic={a:1} model.critic={b:2}", "sweep=optuna sweep.search.n_trials=3"),
    ],
)
def test_lines_that_could_mean_something_else(composers, words):
    overrides = words.split()
    anew, similar = (composed(composer, overrides) for composer in composers)
    assert similar == anew
    assert composed(composers[1], overrides) == anew


def test_the_files_of_a_choice_are_read_once(composers, monkeypatch):
    lines, real = [], Composer.compose
    monkeypatch.setattr(Composer, "compose", lambda composer, line: lines.append(line) or real(composer, line))
    for loss, seed, lr in itertools.product(("wgan", "hinge"), range(3), (1e-3, 2e-3)):
        composers[1].compose([f"loss={loss}", f"seed={seed}", f"optimizer.lr={lr}"])
    assert lines == [("loss=wgan",), ("loss=hinge",)]


def test_a_directory_of_the_users(tmp_path):
    (tmp_path / "latent").mkdir()
    (tmp_path / "latent" / "mine.yaml").write_text("_target_: gan_cli.latents.Normal\nsize: ${model.width}\n")
    composer = Composer.of("train", Arguments([], {"--config-dir": str(tmp_path)}))
    similar = SimilarComposer(composer)
    for line in (["latent=mine", "model.width=3"], ["latent=mine", "model.width=5"], ["latent=main", "seed=1"]):
        assert composed(similar, line) == composed(composer, line)
    (tmp_path / "latent" / "evil.yaml").write_text("# @package _global_\nhydra: {verbose: true}\n")
    assert composed(similar, ["latent=evil", "seed=1"]).startswith("hydra.verbose=true: a config directory may choose")
