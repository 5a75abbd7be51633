"""A config directory from a stranger: Hydra's own settings, interpolations, bombs."""

from __future__ import annotations

import os
import sys

import pytest

from gan_cli.cli import main
from gan_cli.errors import UserError
from tests.children import fresh
from tests.command_arguments import composed as composed_by_words

GLOBAL = "# @package _global_\n"
SECRET = "oc.env:HOSTILE_SECRET"
OWN = "allow_targets: [evil]\nloss: {_target_: evil.Mine}\n"


@pytest.fixture
def conf(here, canary):
    """Write files of a config directory `x`, beside modules that nobody may import."""
    body = f"open({str(canary)!r}, 'w').write('dead')\nclass Mine: pass\n"
    for name in ("evil/__init__.py", "hydra_plugins/evil.py", "torch/__init__.py", "tensorflow.py"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(body)

    def write(**files):
        for name, text in files.items():
            path = here / "x" / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.fixture
def composed(conf):
    """What `gan train --config-dir x experiment=e` makes of an experiment."""

    def compose(text, *overrides):
        conf(experiment__e=f"{GLOBAL}{text}\n")
        return composed_by_words("train", "--config-dir", "x", "experiment=e", *overrides)

    return compose


REFUSED = [  # what the line holds, and the experiment
    ("hydra", "hydra: {run: {dir: ../outside}}"),
    ("hydra", "hydra: {job: {env_set: {PATH: /tmp/evil}}}"),
    ("hydra", "hydra: {callbacks: {x: {_target_: evil.Mine}}}"),
    ("hydra", "hydra: {launcher: {setup: [touch canary]}}"),
    ("hydra", "defaults: [override /hydra/launcher: mine]"),
    ("hydra.mode", f"hydra: {{mode: '${{{SECRET}}}'}}"),
    ("hydra.sweeper.params", "hydra: {sweeper: {params: {+allow_targets: '[evil]'}}}"),
    ("hydra.sweeper.params", "hydra: {sweeper: {params: {run_dir: ../outside}}}"),
    ("hydra.sweeper.params", "hydra: {sweeper: {params: {'seed=1 allow_targets': x}}}"),
    ("hydra.sweeper.params", f"hydra: {{sweeper: {{params: {{loss: '${{{SECRET}}}'}}}}}}"),
    ("command line", OWN),
    ("command line", "defaults: [override /loss: mine]"),
    ("command line", "run_dir: ../outside/new"),
    ("refer to its own", f"run_dir: ${{{SECRET}}}"),
    ("refer to its own", "a: oc.env\nrun_dir: ${${a}:HOSTILE_SECRET}"),
    ("cannot be composed", f"a: &a {{defaults: ['override /loss': '${{{SECRET}}}']}}\n<<: *a"),
    ("", f"dataset: {{'${{{SECRET}}}': 1}}"),
    ("", "\n".join(["a0: lol", *(f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}" for i in range(1, 60))])),
    ("", "\n".join(["a0: &a0 lol", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])),
    ("", "a: " + "[" * 50_000),
    ("", "seed: 1" + "0" * 50_000),
    ("", "a: !!python/object/apply:os.system [true]"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("expected", "text"), REFUSED, ids=lambda v: repr(v)[:50])
def test_experiments_that_are_refused(conf, composed, canary, expected, text):
    conf(hydra__launcher__mine="_target_: evil.Mine\n", loss__mine=GLOBAL + OWN)
    with pytest.raises(UserError) as caught:
        composed(text)
    line = str(caught.value)
    assert expected in line
    assert not [word for word in ("tops3cret", "\n") if word in line]
    assert len(line) < 1000
    assert canary.read_text() == "alive"


def test_what_an_experiment_may_choose(composed):
    text = "defaults: [override /hydra/launcher: basic]\nhydra: {mode: RUN}\ndataset: {classes: ['\\${oc.env:HOME}']}"
    config = composed(text, "dataset=folder")
    assert config.dataset.arguments["classes"] == ["${oc.env:HOME}"]  # escaped, so it is text


@pytest.mark.parametrize("name", ["hydra__output__gan", "hydra__job_logging__none", "train"])
def test_options_of_the_packages_names_are_not_read(conf, composed, name):
    conf(**{name: f"{GLOBAL}seed: 7\nhydra: {{run: {{dir: ../outside}}, job: {{chdir: true}}}}\n"})
    assert composed("log: {every_steps: 3}").seed == 0


MADE = "s: '{search${t}: [\"pkg://evil\"]}'\nt: path\nhydra: ${oc.create:${oc.decode:${s}}}"


@pytest.mark.parametrize("text", ["hydra: {X}", "a: {X}\nhydra: ${a}", "a: &a {X}\nhydra: {<<: *a}", MADE])
def test_a_search_path_imports_nothing(refused, conf, here, canary, monkeypatch, text):
    monkeypatch.setattr(sys, "path", [*sys.path, str(here)])  # as with allow_targets on the command line
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    text = text.replace("X", "searchpath: ['pkg://evil']")
    conf(many=f"defaults: [train, _self_]\n{text}\n", train=f"defaults: [_self_]\n{text}\n")
    for flags in ((), ("--info", "searchpath"), ("-m", "seed=1,2")):
        refused("train", "--config-dir", "x", "-cn", "many", *flags)
        refused("train", "--config-path", "x", *flags)
    monkeypatch.setenv("COMP_LINE", "gan train --config-dir x --config-name many lo")
    assert main(["-sc", "query=bash"]) == 0
    assert canary.read_text() == "alive"


def test_modules_here_hide_nothing(conf, canary, here):
    fresh("-m", "gan_cli", "list", folder=here)
    fresh("-m", "gan_cli", "sample", "nowhere", folder=here, code=2)
    assert canary.read_text() == "alive"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.open("wb").truncate(10 * 2**30)], ids=["pipe", "sparse"])
def test_files_that_are_no_configs_and_the_other_commands_places(refused, conf, here, make):
    conf(many="defaults: [sample, _self_]\nout: ../outside/canary\n")
    line = refused("sample", "run", "--config-dir", "x", "-cn", "many", through_main=True)
    assert line.startswith("out=../outside/canary: taken from the command line alone")
    make(here / "x" / "experiment.yaml")
    assert "experiment.yaml" in refused("train", "--config-dir", "x", "-cn", "many")
    assert main(["list", "--config-dir", "x"]) == 0
