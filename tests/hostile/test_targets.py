"""Classes that a config names: nothing outside the allow-list, whatever it is called."""

from __future__ import annotations

import pytest
import yaml

from gan_cli.config.validate import validate_saved
from gan_cli.errors import UserError

REFUSED = """
os.system torch.load hydra.utils.instantiate gan_cli.session.build.torch.load gan_cli.core.files.AppendFile
gan_cli.losses_evil.Mine gan_cli.losses .gan_cli.losses.Wasserstein gan_cli.losses.Wasserstein.__init__
gan_cli.losses.base.nn.Module gan_cli/losses.Wasserstein torch.optim.optimizer.functools.partial
gan_cli.losses.W\u0430sserstein \uff4f\uff53.system
""".split()  # noqa: SIM905  (the last two hold a Cyrillic letter, and wide ones that Python would read as os)
REFUSED += ["gan_cli.losses.Wasserstein\n", "", None, {"_target_": "os.system"}]


@pytest.fixture
def saved(trained):
    return yaml.safe_load((trained / "config.yaml").read_text())


def put(config, key, part):
    *parents, name = key.split(".")
    (config[parents[0]] if parents else config)[name] = part


@pytest.mark.parametrize("target", REFUSED, ids=repr)
@pytest.mark.parametrize("key", ["loss", "dataset", "model.critic"])
def test_only_classes_below_the_allowed_modules(saved, key, target):
    put(saved, key, {"_target_": target})
    with pytest.raises(UserError, match=rf"^{key}.*_target_"):
        validate_saved(saved)


@pytest.mark.parametrize("value", [{"_target_": "os.system"}, [{"_target_": "os.system"}]])
def test_a_class_inside_an_argument_is_no_class_and_words_of_hydra_are_no_arguments(saved, value):
    saved["model"]["critic"] = {"_target_": "torch.nn.Identity", "anything": value}  # it takes any argument
    assert validate_saved(saved).model.critic.arguments["anything"] == value
    for name in ("real_label", "_args_", "__init__"):
        with pytest.raises(UserError, match=rf"^loss\.{name}=.*no such key"):
            validate_saved(saved | {"loss": saved["loss"] | {name: value}})


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("loss", {"_target_": "gan_cli.losses.base.Loss"}),  # abstract
        ("updates", {"_target_": "torch.nn.Identity"}),
        ("model.generator", {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}),
        ("optimizer.critic", {"_target_": "torch.optim.lr_scheduler.StepLR"}),
    ],
)
def test_allowed_classes_in_the_wrong_place(refused, run, saved, key, part):
    put(saved, key, part)
    (run / "config.yaml").write_text(yaml.safe_dump(saved))
    refused("sample", run)


def test_allow_targets_in_the_file_permits_nothing_and_no_module_here_is_imported(refused, run, here, canary, saved):
    for folder in (run, here):
        (folder / "my_losses.py").write_text(f"open({str(canary)!r}, 'w').write('dead')\nclass Mine: pass\n")
    put(saved, "loss", {"_target_": "my_losses.Mine"})
    for allowed in ([], ["my_losses"]):
        (run / "config.yaml").write_text(yaml.safe_dump({**saved, "allow_targets": allowed}))
        line = refused("sample", run)
        assert "runs only where the command line says so" in line
        assert "add 'allow_targets=[my_losses]'" in line
