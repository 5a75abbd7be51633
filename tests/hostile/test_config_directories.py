"""A config directory from a stranger: Hydra's own settings, interpolations, bombs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gan_cli.cli import main
from gan_cli.config.arguments import parse
from gan_cli.config.compose import Composer
from gan_cli.config.validate import validate
from gan_cli.errors import UserError

GLOBAL = "# @package _global_\n"
SECRET = "oc.env:HOSTILE_SECRET"


@pytest.fixture
def conf(here, canary):
    """Write files of a config directory `x`; modules beside it that nobody may import."""
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
        conf(experiment__e=GLOBAL + text)
        overrides = ["experiment=e", *overrides]
        cfg = Composer.of("train", parse(["--config-dir", "x"])).compose(overrides)
        return validate("train", cfg, overrides)

    return compose


def lines(make, n, first):
    return "\n".join([first, *(make(i) for i in range(1, n))])


OWN = "allow_targets: [evil]\nloss: {_target_: evil.Mine}\n"
REFUSED = {  # by what the line then holds
    "hydra": [
        *("hydra: {run: {dir: ../outside}}", "hydra: {job: {env_set: {PATH: /tmp/evil}}}"),
        *("hydra: {callbacks: {x: {_target_: evil.Mine}}}", "hydra: {launcher: {_target_: hydra.utils.call}}"),
        *("hydra: {launcher: {setup: [touch canary]}}", "hydra: {job_logging: {formatters: {x: {(): evil.Mine}}}}"),
        "hydra: {job_logging: {handlers: {f: {class: logging.FileHandler, filename: ../outside/canary, mode: w}}}}",
        "defaults: [override /hydra/launcher: mine]",
    ],
    "hydra.sweeper.params": [
        *(
            "hydra: {sweeper: {params: {+allow_targets: '[evil]'}}}",
            "hydra: {sweeper: {params: {run_dir: ../outside}}}",
        ),
        *("hydra: {sweeper: {params: {hydra.run.dir: x}}}", "hydra: {sweeper: {params: {'seed=1 allow_targets': x}}}"),
        f"hydra: {{sweeper: {{params: {{loss: '${{{SECRET}}}'}}}}}}",
    ],
    "command line": [OWN, "defaults: [override /loss: mine]", "run_dir: ../outside/new"],
    "hydra.mode": [f"hydra: {{mode: '${{{SECRET}}}'}}"],
    "refer to its own": [
        *(f"run_dir: ${{{SECRET}}}", "a: oc.env\nrun_dir: ${${a}:HOSTILE_SECRET}", f"run_dir: '\\\\${{{SECRET}}}'"),
        *("run_dir: ${oc.decode:'${oc.env:HOSTILE_SECRET}'}", f"defaults: ['override /loss': '${{{SECRET}}}']"),
        "defaults: ['override /loss': '${oc.${a}:HOSTILE_SECRET}']\na: env",
        f"a: &a {{defaults: ['override /loss': '${{{SECRET}}}']}}\n<<: *a",
    ],
    "": [
        f"dataset: {{'${{{SECRET}}}': 1}}",
        lines(lambda i: f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}", 60, "a0: lol"),
        lines(lambda i: f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]", 12, "a0: &a0 lol"),
        *("a: {b: '${a}', c: '${a}'}", "a: " + "[" * 50_000, "a: '" + "${b}" * 20_000 + "'\nb: 1"),
        *("seed: 1" + "0" * 50_000, "a: '" + "x" * 10**6 + "'", "a: !!python/object/apply:os.system [true]"),
        "optimizer: {lr: .inf}",
    ],
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("told", "text"), [(told, text) for told, texts in REFUSED.items() for text in texts], ids=lambda v: repr(v)[:50]
)
def test_experiments_that_are_refused(conf, composed, canary, told, text):
    conf(hydra__launcher__mine="_target_: evil.Mine\n", loss__mine=GLOBAL + OWN)
    with pytest.raises(UserError) as caught:
        composed(text + "\n")
    line = str(caught.value)
    assert told in line
    assert "tops3cret" not in line
    assert "\n" not in line
    assert len(line) < 1000
    assert canary.read_text() == "alive"


@pytest.mark.parametrize("text", ["defaults: [override /hydra/launcher: basic]\n", "hydra: {mode: RUN}\n"])
def test_what_may_be_chosen_of_hydra(composed, text):
    assert composed(f"{text}seed: 5\n").seed == 5


@pytest.mark.parametrize("name", ["hydra__output__gan", "hydra__job_logging__none", "train"])
def test_options_of_the_packages_names_are_not_read(conf, composed, name):
    conf(**{name: f"{GLOBAL}seed: 7\nhydra: {{run: {{dir: ../outside}}, job: {{chdir: true}}}}\n"})
    assert composed("log: {every_steps: 3}\n").seed == 0


PATHS = ["hydra: {searchpath: ['pkg://evil']}", "a: {searchpath: ['pkg://evil']}\nhydra: ${a}"]
PATHS += ["b: 2001-01-01\nhydra: {searchpath: ['pkg://evil']}", "a: &a {searchpath: ['pkg://evil']}\nhydra: {<<: *a}"]


@pytest.mark.parametrize("flags", [(), ("--info", "searchpath"), ("-m", "seed=1,2")], ids=lambda f: " ".join(f))
@pytest.mark.parametrize("text", PATHS)
def test_a_search_path_imports_nothing(refused, conf, here, canary, monkeypatch, flags, text):
    monkeypatch.setattr(sys, "path", [*sys.path, str(here)])  # as with allow_targets on the command line
    monkeypatch.delitem(sys.modules, "evil", raising=False)
    conf(many=f"defaults: [train, _self_]\n{text}\n", train=f"defaults: [_self_]\n{text}\n")
    refused("train", "--config-dir", "x", "-cn", "many", *flags)
    refused("train", "--config-path", "x", *flags)
    monkeypatch.setenv("COMP_LINE", "gan train --config-dir x --config-name many lo")
    assert main(["-sc", "query=bash"]) == 0
    assert canary.read_text() == "alive"


def test_modules_here_hide_nothing(conf, canary, here):
    for words in (["list"], ["sample", "nowhere"]):
        ended = subprocess.run([sys.executable, "-m", "gan_cli", *words], cwd=here, capture_output=True, text=True)
        assert ended.returncode in (0, 2), ended.stderr
    assert canary.read_text() == "alive"


def test_the_other_commands_places(refused, conf, run):
    conf(many="defaults: [sample, _self_]\nout: ../outside/canary\n")
    line = refused("sample", str(run), "--config-dir", "x", "-cn", "many", through_main=True)
    assert line.startswith("out=../outside/canary: taken from the command line alone")


def test_an_escaped_interpolation_is_text(composed):
    config = composed("dataset: {classes: ['\\${oc.env:HOME}']}", "dataset=folder")
    assert config.dataset.arguments["classes"] == ["${oc.env:HOME}"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "sparse"])
def test_files_that_are_no_configs(refused, conf, here, kind):
    conf(experiment__e=GLOBAL)
    path = here / "x" / "experiment" / "e.yaml"
    if kind == "sparse":
        os.truncate(path, 10 * 2**30)
    else:
        path.unlink()
        os.mkfifo(path)
    refused("train", "--config-dir", "x", "experiment=e")
    assert main(["list", "--config-dir", "x"]) == 0
