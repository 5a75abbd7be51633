"""A config directory from a stranger: Hydra's own settings, interpolations, bombs."""

from __future__ import annotations

import os

import pytest

from gan_cli.cli import main
from gan_cli.config.arguments import parse
from gan_cli.config.compose import Composer
from gan_cli.config.validate import validate
from gan_cli.errors import UserError

GLOBAL = "# @package _global_\n"


@pytest.fixture
def conf(here, canary):
    """Write files of a config directory `x`; a module beside it that nobody may import."""
    body = f"open({str(canary)!r}, 'w').write('dead')\nclass Mine: pass\n"
    for name in ("evil.py", "hydra_plugins/evil.py", "torch/__init__.py", "gan_cli/losses_evil.py", "tensorflow.py"):
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
    """What `gan train --config-dir x experiment=e` makes of an experiment, without the second that `main` takes."""

    def compose(text, *overrides):
        conf(experiment__e=GLOBAL + text)
        overrides = ["experiment=e", *overrides]
        cfg = Composer.of("train", parse(["--config-dir", "x"])).compose(overrides)
        return validate("train", cfg, overrides)

    return compose


HYDRA = {
    "run directory": "run: {dir: /tmp/evil}",
    "run directory beside": "run: {dir: ../outside}",
    "sweep directory": "sweep: {dir: ../outside}",
    "subdirectory": "output_subdir: .",
    "working directory": "job: {chdir: true}",
    "environment": "job: {env_set: {PATH: /tmp/evil}}",
    "copied environment": "job: {env_copy: [HOSTILE_SECRET]}",
    "job's name": "job: {name: ../../outside/x}",
    "callback": "callbacks: {x: {_target_: evil.Mine}}",
    "Hydra's callback": "callbacks: {x: {_target_: hydra.experimental.callbacks.PickleJobInfoCallback}}",
    "launcher's class": "launcher: {_target_: evil.Mine}",
    "launcher of another package": "launcher: {_target_: hydra_pluginsevil.Mine}",
    "Hydra's function as launcher": "launcher: {_target_: hydra.utils.call}",
    "launcher's commands": "launcher: {setup: [touch canary]}",
    "sweeper's class": "sweeper: {_target_: evil.Mine}",
    "sweeper's module": "sweeper: {sampler: {_target_: evil.Mine}}",
    "sweep of code": "sweeper: {params: {allow_targets: '[evil]'}}",
    "sweep of added code": "sweeper: {params: {+allow_targets: '[evil]'}}",
    "sweep of places": "sweeper: {params: {run_dir: ../outside/new}}",
    "sweep of Hydra": "sweeper: {params: {hydra.run.dir: ../outside}}",
    "sweep of Hydra's groups": "sweeper: {params: {hydra/launcher: evil}}",
    "sweep of two words": "sweeper: {params: {'seed=1 allow_targets': '[evil]'}}",
    "log handler": "job_logging: {handlers: {x: {class: evil.Mine}}}",
    "log factory": "job_logging: {formatters: {x: {(): evil.Mine}}}",
    "log file": (
        "job_logging: {version: 1, root: {handlers: [f]}, "
        "handlers: {f: {class: logging.FileHandler, filename: ../outside/canary, mode: w}}}"
    ),
    "Hydra's log file": "hydra_logging: {handlers: {f: {class: logging.FileHandler, filename: ../outside/canary}}}",
    "external object": "job_logging: {handlers: {x: {class: logging.StreamHandler, stream: ext://evil.Mine}}}",
    "verbose": "verbose: true",
}


@pytest.mark.parametrize("kind", HYDRA)
def test_hydras_settings_are_not_a_config_directorys(composed, canary, here, kind):
    with pytest.raises(UserError, match=r"^[^\n]*hydra\.[^\n]*$"):
        composed(f"hydra: {{{HYDRA[kind]}}}\n")
    assert canary.read_text() == "alive"


def test_nothing_is_written_by_main_either(refused, conf):
    conf(experiment__e=f"{GLOBAL}hydra: {{{HYDRA['log file']}}}\n")
    assert refused("train", "--config-dir", "x", "experiment=e").startswith("hydra.job_logging")


@pytest.mark.parametrize("option", ["hydra/launcher: basic", "hydra/sweeper: basic"])
def test_installed_plugins_may_be_chosen(composed, option):
    assert composed(f"defaults: [override /{option}]\nseed: 5\n").seed == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("launcher", "_target_: evil.Mine\n"),
        ("launcher", "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n"),
        ("sweeper", "_target_: evil.Mine\n"),
        ("callbacks", "x: {_target_: evil.Mine}\n"),
    ],
)
def test_own_options_of_hydras_groups(conf, composed, name, text):
    conf(**{f"hydra__{name}__mine": text})
    override = "" if name == "callbacks" else "override "
    with pytest.raises(UserError, match="hydra"):
        composed(f"defaults: [{override}/hydra/{name}: mine]\n")


@pytest.mark.parametrize("name", ["hydra__output__gan", "hydra__job_logging__none", "train"])
def test_options_of_the_packages_names_are_not_read(conf, composed, name):
    conf(**{name: "# @package _global_\nseed: 7\nhydra: {run: {dir: ../outside}, job: {chdir: true}}\n"})
    assert composed("log: {every_steps: 3}\n").seed == 0


def test_logging_stays_the_packages(conf):
    conf(hydra__job_logging__mine="version: 1\ndisable_existing_loggers: true\n")
    conf(experiment__e=f"{GLOBAL}defaults: [override /hydra/job_logging: mine]\n")
    cfg = Composer.of("train", parse(["--config-dir", "x"])).compose(["experiment=e"])
    assert cfg.hydra.job_logging.disable_existing_loggers is False


FLAGS = [(), ("--cfg", "job"), ("--info", "searchpath"), ("--help",), ("-m", "seed=1,2")]


@pytest.mark.parametrize("flags", FLAGS, ids=lambda f: " ".join(f))
@pytest.mark.parametrize(
    "text", ["hydra: {searchpath: ['pkg://evil']}", "a: {searchpath: ['pkg://evil']}\nhydra: ${a}"]
)
def test_a_search_path_imports_nothing(refused, conf, canary, flags, text):
    conf(many=f"defaults: [train, _self_]\n{text}\n", train=f"defaults: [_self_]\n{text}\n")
    assert "hydra.searchpath" in refused("train", "--config-dir", "x", "-cn", "many", *flags)
    assert "hydra.searchpath" in refused("train", "--config-path", "x", *flags)


def test_completion_imports_nothing(conf, canary, monkeypatch, capsys):
    conf(many="defaults: [train, _self_]\nhydra: {searchpath: ['pkg://evil']}\n")
    monkeypatch.setenv("COMP_LINE", "gan train --config-dir x --config-name many lo")
    assert main(["-sc", "query=bash"]) == 0
    assert capsys.readouterr().out == ""
    assert canary.read_text() == "alive"


def test_modules_here_hide_nothing(conf, canary, here, capsys):
    import subprocess
    import sys

    for argv in ([sys.executable, "-m", "gan_cli", "list"], [sys.executable, "-m", "gan_cli", "sample", "nowhere"]):
        ended = subprocess.run(argv, cwd=here, capture_output=True, text=True)
        assert ended.returncode in (0, 2), ended.stderr
    assert canary.read_text() == "alive"


@pytest.mark.parametrize(
    "text",
    [
        "allow_targets: [evil]\nloss: {_target_: evil.Mine}\n",
        "defaults: [override /loss: mine]\n",
        "run_dir: ../outside/new\n",
        "run_dir: /tmp/new\n",
    ],
)
def test_what_only_the_command_line_may_say(conf, composed, text):
    conf(loss__mine=f"{GLOBAL}allow_targets: [evil]\nloss: {{_target_: evil.Mine}}\n")
    with pytest.raises(UserError, match="command line"):
        composed(text)


@pytest.mark.parametrize("key", ["out", "run"])
def test_the_other_commands_places(refused, conf, run, key):
    conf(many=f"defaults: [sample, _self_]\n{key}: ../outside/canary\n")
    others = [str(run)] if key == "out" else []
    line = refused("sample", *others, "--config-dir", "x", "-cn", "many", through_main=True)
    assert line.startswith(f"{key}=../outside/canary: taken from the command line alone")


SECRET = "oc.env:HOSTILE_SECRET"
INTERPOLATIONS = {
    "plain": f"run_dir: ${{{SECRET}}}",
    "with a default": f"run_dir: ${{{SECRET},x}}",
    "spaced": "run_dir: '${ oc.env : HOSTILE_SECRET }'",
    "inside": f"run_dir: a/${{{SECRET}}}/b",
    "in a list": f"dataset: {{classes: ['${{{SECRET}}}']}}",
    "in a key": f"dataset: {{'${{{SECRET}}}': 1}}",
    "name by reference": "a: oc.env\nrun_dir: ${${a}:HOSTILE_SECRET}",
    "half a name by reference": "a: env\nrun_dir: ${oc.${a}:HOSTILE_SECRET}",
    "argument by reference": "a: HOSTILE_SECRET\nrun_dir: ${oc.env:${a}}",
    "decode": "run_dir: ${oc.decode:'${oc.env:HOSTILE_SECRET}'}",
    "create": "dataset: \"${oc.create:'{a: 1}'}\"",
    "select": "run_dir: ${oc.select:hydra.runtime.cwd}",
    "Hydra's": "run_dir: ${hydra:runtime.cwd}",
    "the clock": "run_dir: ${now:%Y}",
    "escaped twice": f"run_dir: '\\\\${{{SECRET}}}'",
    "after an escape": f"run_dir: '\\${{x}}${{{SECRET}}}'",
    "defaults": f"defaults: ['override /loss': '${{{SECRET}}}']",
    "reference in a reference": "a: b\nb: 1\ntrain: {steps: '${${a}}'}",
}


@pytest.mark.parametrize("kind", INTERPOLATIONS)
def test_the_environment_is_not_read(composed, monkeypatch, kind):
    monkeypatch.setenv("HOSTILE_SECRET", "tops3cret")
    with pytest.raises(UserError) as caught:
        composed(INTERPOLATIONS[kind])
    assert "tops3cret" not in str(caught.value)
    assert "refer to its own keys alone" in str(caught.value) or "inside another" in str(caught.value)


def test_an_escaped_interpolation_is_text(composed):
    assert composed("dataset: {classes: ['\\${oc.env:HOME}']}", "dataset=folder").dataset.arguments["classes"] == [
        "${oc.env:HOME}"
    ]


def lines(make, n, first):
    return "\n".join([first, *(make(i) for i in range(1, n))])


BOMBS = {
    "references": lines(lambda i: f"a{i}: ${{a{i - 1}}}${{a{i - 1}}}", 60, "a0: lol"),
    "lists of references": lines(lambda i: f"a{i}: ['${{a{i - 1}}}', '${{a{i - 1}}}']", 60, "a0: lol"),
    "relative references": lines(lambda i: f"a{i}: ${{.a{i - 1}}}${{.a{i - 1}}}", 60, "a0: lol"),
    "references through a mapping": lines(
        lambda i: f"b{i}: ${{a{i - 1}}}\na{i}: {{x: '${{b{i}.x}}${{b{i}.x}}'}}", 60, "a0: {x: lol}"
    ),
    "bracketed references": lines(lambda i: f"a{i}: '${{a[{i - 1}]}}'", 5, "a: ['${a}', '${a}']"),
    "a mapping in itself": "a: {b: '${a}', c: '${a}'}",
    "two in each other": "a: ['${b}', '${b}']\nb: ['${a}', '${a}']",
    "aliases": lines(lambda i: f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]", 12, "a0: &a0 lol"),
    "merges": lines(lambda i: f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}", 60, "a0: &a0 {x: 1}"),
    "brackets": "a: " + "[" * 50_000,
    "long reference": "a: '" + "${b}" * 20_000 + "'\nb: 1",
    "nested references": "a: '" + "${" * 300 + "}" * 300 + "'",
    "digits": "seed: 1" + "0" * 50_000,
    "large": "a: '" + "x" * 10**6 + "'",
    "tag": "a: !!python/object/apply:os.system [true]",
    "control": 'run_dir: "a\\0"',
    "surrogate": 'run_dir: "\\ud800"',
    "number as key": "loss: {1: 2}",
    "date": "seed: 2001-01-01",
    "binary": "seed: !!binary aGVsbG8=",
    "infinite": "optimizer: {lr: .inf}",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", BOMBS)
def test_small_files_that_grow(composed, kind):
    with pytest.raises(UserError) as caught:
        composed(BOMBS[kind] + "\n")
    assert len(str(caught.value)) < 1000


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "sparse", "directory", "latin"])
def test_files_that_are_no_configs(refused, conf, here, kind):
    conf(experiment__e=GLOBAL)
    path = here / "x" / "experiment" / "e.yaml"
    if kind == "sparse":
        os.truncate(path, 10 * 2**30)
    elif kind == "latin":
        path.write_bytes(b"a: \xff")
    else:
        path.unlink()
        os.mkfifo(path) if kind == "pipe" else path.mkdir()
    refused("train", "--config-dir", "x", "experiment=e")
    assert main(["list", "--config-dir", "x"]) == 0
