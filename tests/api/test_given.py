"""Networks and data that Python gives: trained, saved, loaded, resumed and evaluated."""

from __future__ import annotations

import copy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.data import TensorDataset

import gan_cli
from gan_cli.cli import main
from gan_cli.config.schema import Part
from gan_cli.errors import UserError
from tests.api.conftest import OF_POINTS, POINTS, Points

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
OWN = [*OF_POINTS, "latent.size=2"]
MODULE = """
from torch import nn
from tests.api.conftest import Points

class G(Points):
    def __init__(self, hidden=5):
        super().__init__(2, 3)
        self.hidden = hidden

class D(Points):
    def __init__(self):
        super().__init__(3, 1)

class Wide(Points):
    def __init__(self, width: int = 5, activation: str = "mine"):  # as the options name theirs
        super().__init__(3, 1)
"""


def networks():
    torch.manual_seed(3)
    return {"generator": Points(2, 3), "critic": Points(3, 1)}


def trained(*overrides, **arguments):
    return gan_cli.train([*OWN, *overrides], progress=False, **arguments)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's."""
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import mine

    yield mine
    del sys.modules["mine"]


def test_a_run_of_ones_own_networks_and_data():
    given = networks()
    before = copy.deepcopy(given)
    run = trained("run_dir=run", **given, dataset=X)
    for name, module in given.items():
        assert_close(module.state_dict(), before[name].state_dict(), rtol=0, atol=0)
    assert run.sample(4).shape == (4, 3)
    assert run.evaluate(count=10, w1_count=5).scores["exact_w1"].value > 0
    assert (run.path / "samples" / "step_0000000004.png").is_file()
    assert run.status["choices"]["dataset"] == "memory"
    assert run.status["choices"]["model"] == "Points"
    assert run.config.model.width is None
    again = trained(**given, dataset=TensorDataset(X))
    assert (again.path / "metrics.jsonl").read_bytes() == (run.path / "metrics.jsonl").read_bytes()
    other = trained(generator=Points(2, 3), critic=given["critic"], dataset=X)
    assert (other.path / "metrics.jsonl").read_bytes() != (run.path / "metrics.jsonl").read_bytes()


def test_such_a_run_is_resumed_bit_for_bit_even_from_its_beginning():
    given = networks()
    whole = trained("run_dir=whole", **given, dataset=X)

    def cut(state, logs):
        if state.step == 1:
            shutil.copytree("stopped", "killed")
        return state.step == 2

    run = trained("run_dir=stopped", **given, dataset=X, callbacks=[cut])
    assert (
        run.resume(progress=False).path.joinpath("metrics.jsonl").read_bytes()
        == (whole.path / "metrics.jsonl").read_bytes()
    )
    killed = gan_cli.load("killed", generator=Points(2, 3), critic=Points(3, 1), dataset=X)
    assert [path.name for path in Path("killed/checkpoints").glob("step_*")] == ["step_0000000000"]
    killed.resume(progress=False)
    assert Path("killed/metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()


def test_what_a_run_of_pythons_objects_asks_for():
    given = networks()
    trained("run_dir=run", **given, dataset=X)
    with pytest.raises(UserError, match=r"^model\.generator \(\S*conftest\.Points\): this network is an object"):
        gan_cli.load("run")
    run = gan_cli.load("run", **given)
    assert run.sample(3).shape == (3, 3)
    with pytest.raises(UserError, match="the data of this run are in Python's memory; give them again"):
        run.evaluate()
    with pytest.raises(UserError, match="does not fit the config beside it"):
        gan_cli.load("run", generator=Points(2, 3), critic=nn.Sequential(Points(3, 1))).sample(3)
    usual = gan_cli.train([*POINTS, "run_dir=usual"], progress=False)
    for name, value in (("generator", Points(2, 2)), ("dataset", X)):
        with pytest.raises(UserError, match=f"^{name}: the .* of this run .*; leave it out"):
            gan_cli.load(usual.path, **{name: value}).sample(3)
    for data in (X * 2, X[:, :2]):
        with pytest.raises(UserError, match=r"trained so far with other settings \(the data: "):
            gan_cli.load("run", **given, dataset=data).resume(["train.steps=6"], progress=False)
    assert main(["sample", "run"]) == main(["resume", "run"]) == 2


def test_a_class_that_is_found_by_its_name_needs_no_object(mine):
    generator, critic = mine.G(), mine.D()
    run = trained("run_dir=run", generator=generator, critic=critic, dataset=X)
    assert run.config.model.generator.target == "mine.G"
    assert run.config.allow_targets == ["mine"]
    with pytest.raises(UserError, match=r"add 'allow_targets=\[mine\]'"):
        gan_cli.load("run")
    loaded = gan_cli.load("run", allow_targets=["mine"], dataset=X)
    assert torch.equal(torch.as_tensor(loaded.sample(3)), torch.as_tensor(run.sample(3)))
    assert loaded.resume(["train.steps=6"], progress=False).step == 6
    assert main(["sample", "run", "allow_targets=[mine]", "format=npz", "count=3", "out=x.npz"]) == 0
    np.testing.assert_array_equal(np.load("x.npz")["samples"], gan_cli.load("run", allow_targets=["mine"]).sample(3))


def test_arguments_of_an_option_are_not_those_of_ones_own_class(mine):
    for words, generator in ((["model=toy_mlp", "model.width=4"], None), ([], mine.G())):
        run = trained(*words, generator=generator, critic=mine.Wide(), dataset=X)
        assert run.config.model.critic == Part.of("mine.Wide", {})


def test_another_build_of_a_class_does_need_it(mine):
    changed, unlike, hooked, frozen = mine.G(hidden=6), mine.G(), mine.G(), mine.G()
    unlike.layers[1] = nn.ReLU()
    hooked.register_forward_hook(lambda module, inputs, x: x + 1)
    frozen.layers[0].requires_grad_(False)
    for generator in (changed, unlike, hooked, frozen):
        run = trained(generator=generator, critic=mine.D(), dataset=X)
        assert run.config.model.generator.arguments == {"name": "mine.G"}
        assert run.config.model.critic.target == "mine.D"


def test_one_network_of_ones_own():
    run = trained("model=toy_mlp", "model.width=4", critic=Points(3, 1), dataset=X)
    assert run.config.model.width == 4
    assert run.config.model.generator.name == "Generator"


def test_labels_and_keys_of_the_data():
    words = ["condition=concat", "model=toy_mlp", "model.width=4", "dataset.holdout=20", "dataset.classes=[1,0]"]
    run = trained(*words, dataset=(X, torch.arange(60) % 3))
    assert run.config.dataset.arguments["holdout"] == 20
    assert run.config.dataset.arguments["classes"] == [1, 0]
    assert run.sample(4, y=["0", "1"]).shape == (4, 3)
    assert "path" not in run.config.dataset.arguments


def test_images_that_are_not_square():
    class G(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 3 * 4 * 6)

        def forward(self, z):
            return self.layer(z).view(-1, 3, 4, 6).tanh()

    critic = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(16, 1))
    images = torch.randint(0, 256, (40, 3, 4, 6), dtype=torch.uint8)
    run = trained(generator=G(), critic=critic, dataset=images)
    assert run.sample(2).shape == (2, 3, 4, 6)
    with pytest.raises(UserError, match="images of 4 x 6 have fewer than 8 pixels a side"):
        trained("model=dcgan", dataset=images)


def test_mistakes_leave_nothing():
    given = networks()

    class Raises(Points):
        def forward(self, x):
            raise KeyError("mine")

    for words, arguments, message in (
        ([], {"generator": Points}, "generator: must be a torch.nn.Module, made already, and it is the class Points"),
        ([], {"critic": lambda x: x}, "critic: must be a torch.nn.Module, made already, and it is function"),
        (["model.width=3"], given, "model.width=3: both networks are given in Python; leave it out"),
        (["model=resnet"], given, "model=resnet: both networks are given in Python; leave it out"),
        (["model.critic.norm=none"], {"critic": Points(3, 1)}, "model.critic.norm=none: the critic is given in Python"),
        (["dataset=mnist"], {"dataset": X}, "dataset=mnist: the data are given in Python; leave it out"),
        (["dataset.image_size=8"], {"dataset": X}, "dataset.image_size=8: no such key"),
        ([], {"dataset": 3}, "dataset=int: must be a tensor or an array"),
        ([], {**given, "critic": Raises(3, 1), "dataset": X}, f"model.critic ({__name__}."),
        (
            ["latent.size=5"],
            {**given, "dataset": X},
            "model.generator (",
        ),
        (["loss=infogan", "latent=infogan"], {**given, "dataset": X}, "loss=InfoGAN reads features of the critic: "),
    ):
        with pytest.raises(UserError) as caught:
            trained(*words, **arguments)
        assert str(caught.value).startswith(message)
    assert not list(Path().iterdir())
