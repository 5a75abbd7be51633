"""Classes that a config names: nothing outside the allow-list, whatever it is called."""

from __future__ import annotations

import pytest
import yaml

from gan_cli.config.validate import validate_saved
from gan_cli.errors import UserError

REFUSED = [
    "os.system",
    "builtins.eval",
    "torch.load",
    "torch.hub.load",
    "torch.utils.cpp_extension.load_inline",
    "numpy.load",
    "subprocess.Popen",
    "pathlib.Path.write_text",
    "hydra.utils.instantiate",
    "gan_cli.session.build.torch.load",
    "gan_cli.session.build.importlib.import_module",
    "gan_cli.cli.os.system",
    "gan_cli.core.files.AppendFile",
    "gan_cli.runs.directory.RunDirectory",
    "gan_cli.commands.board.Parser",
    "gan_cli.losses_evil.Mine",
    "gan_cli.lossesevil",
    "gan_cli.losses",
    "gan_cli.losses.",
    ".gan_cli.losses.Wasserstein",
    "gan_cli..losses.Wasserstein",
    "gan_cli.losses.Wasserstein.__init__",
    "gan_cli.losses.base.nn.Module",
    "gan_cli.losses.base.torch.load",
    "gan_cli.losses.wasserstein.Tensor",
    "gan_cli.losses.base.CriticOutput.__class__",
    "gan_cli.losses.Wasserstein\n",
    "gan_cli.losses.Wasserstein ",
    "gan_cli/losses.Wasserstein",
    "gan_cli.losses.Wаsserstein",  # a Cyrillic letter
    "ｏｓ.system",  # wide letters, which Python's own grammar would make os
    "torch.optimus.Adam",
    "torch.nn_evil.Module",
    "torch.nn.functional.torch.load",
    "torch.nn.modules.module.torch.load",
    "torch.nn.utils.rnn.warnings.warn",
    "torch.optim.optimizer.functools.partial",
    "torch.optim.lr_scheduler.types.FunctionType",
    "torch.nn.parallel.distributed.os.system",
    "torch.nn.modules.lazy.itertools.count",
    "torch.nn.Module.load_state_dict",
    "__main__.X",
    "",
    "x",
    None,
    3,
    ["gan_cli.losses.Wasserstein"],
    {"_target_": "os.system"},
]


@pytest.fixture
def saved(trained):
    return yaml.safe_load((trained / "config.yaml").read_text())


@pytest.mark.parametrize("target", REFUSED, ids=repr)
@pytest.mark.parametrize("key", ["loss", "dataset", "model.critic"])
def test_only_classes_below_the_allowed_modules(saved, key, target):
    *parents, name = key.split(".")
    holder = saved[parents[0]] if parents else saved
    holder[name] = {"_target_": target}
    with pytest.raises(UserError, match=rf"^{key}._target_="):
        validate_saved(saved)


@pytest.mark.parametrize("name", ["_args_", "_partial_", "_recursive_", "_convert_", "__init__", "_x"])
@pytest.mark.parametrize("key", ["loss", "dataset", "constraint"])
def test_hydras_words_are_no_arguments(saved, key, name):
    saved[key][name] = True
    with pytest.raises(UserError, match=f"{key}.{name}=true: no such key"):
        validate_saved(saved)


@pytest.mark.parametrize(
    "value",
    [
        {"_target_": "os.system", "command": "true"},
        [{"_target_": "os.system"}],
        {"a": [{"b": {"_target_": "os.system"}}]},
        {"_target_": "gan_cli.losses.Wasserstein", "x": {"_target_": "os.system"}},
    ],
)
def test_targets_inside_arguments(saved, value):
    saved["model"]["critic"]["width"] = value
    with pytest.raises(UserError):
        validate_saved(saved)
    saved["model"]["critic"] = {"_target_": "torch.nn.Identity", "anything": value}  # takes any argument
    with pytest.raises(UserError, match=r"os\.system"):
        validate_saved(saved)


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("dataset", "torch.nn.Linear"),
        ("dataset", "torch.optim.SGD"),
        ("dataset", "torch.nn.parallel.DataParallel"),
        ("loss", "torch.nn.Identity"),
        ("loss", "gan_cli.losses.base.Loss"),
        ("model.generator", "torch.nn.Linear"),
        ("model.generator", "torch.nn.Identity"),
        ("model.critic", "torch.nn.Identity"),
        ("model.critic", "gan_cli.losses.Wasserstein"),
        ("latent", "gan_cli.data.synthetic.Ring"),
        ("optimizer.critic", "torch.optim.lr_scheduler.StepLR"),
        ("updates", "torch.nn.Identity"),
    ],
)
def test_allowed_classes_in_the_wrong_place(refused, run, saved, key, target):
    *parents, name = key.split(".")
    holder = saved[parents[0]] if parents else saved
    holder[name] = {"_target_": target}
    if target in ("torch.nn.Linear", "torch.nn.parallel.DataParallel"):
        holder[name] |= {"in_features": 1, "out_features": 1} if target.endswith("Linear") else {"module": "x"}
    (run / "config.yaml").write_text(yaml.safe_dump(saved))
    refused("sample", str(run))


def test_allow_targets_of_the_file_opt_in_to_nothing(refused, run, saved):
    saved["allow_targets"] = ["os"]
    saved["loss"] = {"_target_": "os.PathLike"}
    (run / "config.yaml").write_text(yaml.safe_dump(saved))
    assert "add allow_targets=[os]" in refused("sample", str(run))
