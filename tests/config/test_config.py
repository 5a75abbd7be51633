"""Every mistake in a config is one line, exit code 2, with nothing written."""

from __future__ import annotations

import functools
import shutil

import pytest
import yaml

from gan_cli.config.command_schemas import SCHEMAS
from gan_cli.config.tree import conf_dir
from gan_cli.config.validate import validate_saved
from gan_cli.core.text import show
from gan_cli.errors import UserError
from tests.command_arguments import composed
from tests.helpers import rows


def test_every_primary_config_has_a_schema():
    assert {p.stem for p in conf_dir().glob("*.yaml")} == set(SCHEMAS)
    for command in set(SCHEMAS) - {"train", "classifier", "study"}:
        assert composed(command, "run=x").run == "x"


def test_values_come_in_their_types():
    words = ("optimizer.lr=1", "train.ema_halflife_images=1000", "+optimizer.critic.weight_decay=1")
    config = composed("train", *words, "updates=alternating", "+updates.burst_n_critic=3")
    critic = config.optimizer.critic.arguments
    values = (config.optimizer.lr, config.train.ema_halflife_images, critic["lr"], critic["weight_decay"])
    assert [repr(value) for value in values] == ["1.0", "1000.0", "1.0", "1.0"]
    assert config.updates.arguments["burst_n_critic"] == 3


MISTAKES = """\
loss=wgann | loss=wgann: no such option; did you mean loss=wgan? see `gan list loss` for all
model=dcgna | model=dcgna: no such option; did you mean model=dcgan? options of model: dcgan, dcgan_plain,
modle=dcgan | modle=dcgan: no such key; did you mean model=dcgan?
train.stpes=3 | train.stpes=3: no such key; did you mean train.steps=3?
+train.stpes=3 | train.stpes=3: no such key; did you mean train.steps=3?
foo.bar=1 | foo.bar=1: no such key; see `gan train --help`
+foo=1 | foo=1: no such key; keys: seed,
model.critic.widht=3 | model.critic.widht=3: no such key; did you mean model.critic.width=3?
optimizer.lr=fast | optimizer.lr=fast: must be a number above 0, such as optimizer.lr=5e-05
train.steps=ten | train.steps=ten: must be a whole number of at least 1, such as train.steps=2000
train.steps=1e3 | train.steps=1000.0: must be a whole number of at least 1, such as train.steps=1000
optimizer.lr=inf | optimizer.lr=inf: must be a number above 0
optimizer.critic.lr=fast | optimizer.critic.lr=fast: must be a number, such as optimizer.critic.lr=0.01
constraint.c=0 | constraint.c=0: must be a number above 0, such as constraint.c=0.01
updates.n_critic=0 | updates.n_critic=0: must be a whole number above 0, such as updates.n_critic=1
seed=-1 | seed=-1: must be a whole number of at least 0
runtime.device=gpu | runtime.device=gpu: must be auto, cpu, cuda or cuda:N
model.critic.norm=bach | model.critic.norm=bach: must be auto, batch,
train=3 | train=3: must be a mapping with the keys steps,
~loss | no loss is chosen; add loss=OPTION
~optimizer | no optimizer is chosen; add optimizer=OPTION
loss=null | loss=null: loss takes one option (see `gan list loss`)
loss=[wgan,gan] | loss=[wgan,gan]: loss takes one option (see `gan list loss`); a sweep takes several: -m, no brackets
loss=wgan,gan | loss=wgan,gan: several values are a sweep; add -m
~seed | seed: no value is given; add +seed=VALUE: a whole number
train.steps=??? | train.steps: no value is given; add train.steps=VALUE
train.steps | train.steps: not key=value; write train.steps=VALUE
seed=3=4 | seed=3=4: the value cannot be read; quote one with special characters, as in "seed='3=4'"
train.steps=[1 | train.steps=[1: the value cannot be read
optimizer.lr=${foo} | optimizer.lr=${foo}: Interpolation key 'foo' not found
optimizer.lr=${optimizer.lr} | optimizer.lr=${optimizer.lr}: Recursive interpolation
optimizer.lr=${oc.env:HOME} | optimizer.lr=${oc.env:HOME}: a config may refer to its own keys alone
run_dir=${hydra.runtime.cwd} | run_dir=${hydra.runtime.cwd}:
+seed=1 | the config cannot be composed: Could not append to config. An item is already at 'seed'.
loss@x=wgan | the config cannot be composed: Could not override 'loss@x'. Did you mean to override loss?
hydra.sweeper=null | hydra.sweeper=null: Hydra needs one, such as hydra/sweeper=basic; leave it out
hydra.run.dir=x | hydra.run.dir=x: has no effect, since gan itself makes the run's directory
+hydra.callbacks.x={_target_:os.system} | +hydra.callbacks.x={_target_:os.system}: has no effect
hydra.swep.dir=1 | hydra.swep.dir=1: no such key; see `gan train --help`
updates=alternating updates.burst_n_critic=3 | updates.burst_n_critic=3: no such key; did you mean updates=alt
optimizer.lr=1e308 | optimizer.lr=1e+308: torch has no numbers beyond 3e+38
optimizer.critic.eps=-1 | optimizer.critic (RMSprop): Invalid epsilon value: -1.0
loss=wgan_gp optimizer.critic.betas=[0.5,1.5] | optimizer.critic (Adam): Invalid beta parameter at index 1: 1.5
loss=wgan_gp optimizer.critic.betas=[0.5] | optimizer.critic.betas=[0.5]: must be a list of 2, each a number
loss._target_=3 | loss._target_=3: must be a class's dotted name, such as loss._target_=my_losses.MyLoss
loss._target_=os.system | loss._target_=os.system: code outside gan_cli, torch.nn and torch.optim
loss._target_=gan_cli.losses.minimax.Minimaks | loss._target_=gan_cli.losses.minimax.Minimaks:
+model.generator.latent_size=3 | model.generator (Generator): got multiple values for keyword argument 'latent_size'
allow_targets=my | allow_targets=my: must be a list of module names
allow_targets=[1] | allow_targets=[1]: must be a list of module names
resume x train.steps=0 | train.steps=0: must be a whole number of at least 1 or null
sample x format=jpg | format=jpg: must be grid, png or npz
sample x checkpoint=newest | checkpoint=newest: must be latest, best or a whole number of at least 0
sample run= | run=: must be a run directory
"""


@pytest.mark.parametrize(("line", "expected"), rows(MISTAKES))
def test_one_line(refused, line, expected):
    words = line.split()
    assert refused(*([] if words[0] in SCHEMAS else ["train"]), *words).startswith(expected)


OWN = "loss=mine allow_targets=[my_losses]"


@pytest.fixture
def own(tmp_path):
    """A user's config directory, and a loss of the user's own beside it."""
    conf = tmp_path / "conf"
    for group, name, text in (
        ("loss", "mine", "# My loss (me, 2026)\nloss: {_target_: my_losses.Mine, weight: 2}\n"),
        ("experiment", "sneak", "allow_targets: [my_losses]\n"),
        ("experiment", "refers", "defaults: [override /loss: nope]\n"),
        ("experiment", "callback", "hydra: {callbacks: {x: {_target_: os.system}}}\n"),
        ("experiment", "broken", "train: {a:\n - b\n"),
        ("experiment", "list", "- 1\n"),
    ):
        (conf / group).mkdir(parents=True, exist_ok=True)
        (conf / group / f"{name}.yaml").write_text(f"# @package _global_\n{text}")
    (tmp_path / "my_losses.py").write_text(
        "from pydantic import PositiveFloat\nclass Mine:\n    def __init__(self, weight: PositiveFloat) -> None: ...\n"
    )
    return conf


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("loss=mine", "loss._target_=my_losses.Mine: code outside gan_cli"),
        ("loss=mine allow_targets=[my_loss]", "loss._target_=my_losses.Mine: code outside gan_cli"),
        (OWN + " loss.weight=0", "loss.weight=0: must be a number above 0"),
        (OWN + " +loss.wieght=3", "loss.wieght=3: no such key; did you mean loss.weight=3?"),
        ("loss=mien", "loss=mien: no such option; did you mean loss=mine?"),
        ("experiment=sneak", "allow_targets=[my_losses]: taken from the command line alone"),
        ("experiment=sneak allow_targets=[] loss=mine", "loss._target_=my_losses.Mine: code outside gan_cli"),
        ("experiment=refers", "chosen by a config, loss=nope: no such option"),
        ("experiment=callback --help", "hydra.callbacks.x._target_=os.system: a config directory may choose"),
        ("experiment=list", "the config cannot be composed"),
        ("experiment=broken", "the config cannot be composed: while parsing a flow node"),
        ("--config-name mine", "--config-name mine: no such config"),
        ("--config-dir nowhere", "--config-dir nowhere: no such directory"),
        ("--config-path nowhere", "--config-path nowhere: no such directory"),
    ],
)
def test_one_line_about_the_users_own_configs(refused, own, line, expected):
    said = refused("train", "--config-dir", str(own), *line.split())
    assert said.startswith(expected)
    assert ('experiment/broken.yaml", line 3' in said) == ("broken" in line)


def test_opting_in_by_the_hint_works(gan, own, monkeypatch):
    quoted = gan("train", "--config-dir", str(own), "loss=mine").err.rpartition("add ")[2].strip()
    assert quoted == "'allow_targets=[my_losses]'"
    hint = quoted.strip("'")
    monkeypatch.syspath_prepend(own.parent)  # as the command line does where it opts in
    config = composed("train", "loss=mine", hint, "--config-dir", str(own))
    assert (config.loss.target, config.loss.arguments) == ("my_losses.Mine", {"weight": 2.0})


def test_other_places_of_configs(own, tmp_path):
    (own / "mine.yaml").write_text("defaults: [train, _self_]\nseed: 3\n")
    assert composed("train", "--config-dir", str(own), "--config-name", "mine", "loss=gan").seed == 3
    shutil.copytree(conf_dir() / "loss", tmp_path / "further" / "loss")
    (tmp_path / "further" / "loss" / "gan.yaml").rename(tmp_path / "further" / "loss" / "theirs.yaml")
    further = f"hydra.searchpath=[file://{tmp_path}/further]"
    assert composed("train", "--config-dir", str(own), "loss=theirs", further) == composed("train", "loss=gan")
    tree = shutil.copytree(conf_dir(), tmp_path / "tree")
    shutil.copy(tree / "loss" / "gan.yaml", tree / "loss" / "mine.yaml")
    assert composed("train", "--config-path", str(tree), "loss=mine") == composed("train", "loss=gan")


@pytest.mark.parametrize(
    ("value", "text"), [("a\n\x1b[31mb", "a [31mb"), ("x" * 99, "x" * 77 + "..."), ([None], "[null]")]
)
def test_values_are_shown_as_typed(value, text):
    assert show(value) == text


def with_value(config, key, value):
    """Put a value into a saved config."""
    *parents, name = key.split(".")
    saved = config.plain()
    functools.reduce(dict.__getitem__, parents, saved)[name] = value
    return saved


def test_a_saved_config_is_valid_again(config_of):
    assert validate_saved(yaml.safe_load(yaml.safe_dump(config_of().plain()))) == config_of()


@pytest.mark.parametrize("key", ["train.steps", "dataset.path", "loss._target_"])
def test_a_saved_config_holds_no_interpolation(config_of, key):
    with pytest.raises(UserError, match="a saved config holds values, not interpolations"):
        validate_saved(with_value(config_of(), key, "${oc.env:HOME}"))


def test_what_is_no_config_is_refused(config_of):
    deep = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    whole = config_of().plain()
    others = ({"train": 3}, {1: 2}, {"loss": []}, {"seed": 2**63}, {"hydra": {}}, {"${oc.env:HOME}": 1})
    wrong = [whole | other for other in others]
    wrong += [with_value(config_of(), key, value) for key, value in (("dataset.path", deep), ("latent.size", 0))]
    for config in (None, [], 3, {}, *wrong):
        with pytest.raises(UserError):
            validate_saved(config)
