"""Generators as graphs: each family of networks in onnxruntime and torch.export, and what cannot be traced."""

from __future__ import annotations

import importlib.util
import json
import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.errors import GanError, UserError
from gan_cli.models import convolution
from gan_cli.session import build
from gan_cli.session.deployed import Deployed, erfinv, within
from gan_cli.session.graphs import inputs_of, write_graph
from gan_cli.session.load import Loaded
from tests.conftest import CONF

FAMILIES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
SMALL = ("train.batch_size=8", "runtime.device=cpu")
WORDS = {  # beside the name of a family
    "mlp": ("condition=concat", "loss=hinge"),
    "resnet": ("condition=projection", "loss=hinge", "latent=uniform"),
    "srresnet": ("task=restore", "dataset.image_size=32", "model.generator.blocks=1"),
    "unet": ("task=restore", "degradation=mask", "dataset.image_size=32", "latent=normal", "latent.size=3"),
    "resnet_translator": ("task=restore", "degradation=noise", "dataset.image_size=32", "model.generator.blocks=1"),
    "toy_mlp": ("dataset=ring",),
    "toy_tanh": ("dataset=gaussian_mixture_1d",),
    "mlp_mirza": ("latent=truncated",),
}


def untrained(config_of, *words) -> Loaded:
    """A generator whose samples are of the size of images, and whose batch norms have statistics unlike a new one's."""
    plan = build.check(config_of(*SMALL, *words))
    shape, source = plan.parts.task.expected_shapes(plan.parts.dataset)
    n_classes = plan.parts.task.expected_classes(plan.parts.dataset) or 0
    state = plan.state_for(shape, n_classes, source)
    drawn = torch.Generator().manual_seed(0)
    for p in state.game.generator.parameters():
        if p.dim() > 1:
            nn.init.kaiming_uniform_(p, generator=drawn)
    for name, buffer in state.game.generator.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand(buffer.shape, generator=drawn) + (0.5 if name.endswith("var") else -0.5))
    return Loaded(state, shape, plan.config, source)


def written(kind, run, tmp_path):
    out = tmp_path / f"graph.{kind}"
    found = write_graph(kind, run, run.state.game.generator, out, {"step": 0})
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    return found, out


LIKE_ANOTHER = {"dcgan_plain", "mlp_goodfellow", "resnet_constant", "toy_tanh"}  # in their operations
EVERY_FAMILY = [pytest.param(x, marks=pytest.mark.slow) if x in LIKE_ANOTHER else x for x in FAMILIES]


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_every_family_runs_in_onnxruntime(config_of, tmp_path, family):
    pytest.importorskip("onnxscript", reason='pip install "gan_cli[onnx]"')
    onnxruntime = pytest.importorskip("onnxruntime", reason='pip install "gan_cli[onnx]"')
    width = [] if family == "mlp_mirza" else ["model.width=4"]
    run = untrained(config_of, f"model={family}", *width, *WORDS.get(family, ()))
    found, out = written("onnx", run, tmp_path)
    assert found <= 5e-5
    session = onnxruntime.InferenceSession(out)
    names = [given.name for given in session.get_inputs()]
    game = run.state.game
    generator = Deployed(game, game.generator)
    assert generator(**inputs_of(generator, run, 7, 0.7)).std() > 0.01
    expected = {
        "z": game.latent.total_size > 0,
        "y": family in ("mlp", "resnet"),
        "truncation": family not in ("resnet", "srresnet", "resnet_translator"),
        "source": family in ("srresnet", "unet", "resnet_translator"),
    }
    assert names == [name for name, is_read in expected.items() if is_read]
    assert json.loads(session.get_modelmeta().custom_metadata_map["gan_cli"]) == {"step": 0}


@pytest.mark.parametrize("family", ["dcgan", "resnet", "unet"])
def test_torch_export_reads_its_graph_back(config_of, tmp_path, family):
    run = untrained(config_of, f"model={family}", "model.width=4", *WORDS.get(family, ()))
    found, out = written("torch_export", run, tmp_path)
    assert found <= 1e-5
    graph = torch.export.load(out).module()
    generator = Deployed(run.state.game, run.state.game.generator)
    z, y = torch.randn(5, run.state.game.latent.total_size), torch.arange(5)
    source = None if run.source_shape is None else torch.rand(5, *run.source_shape)
    inputs = {"z": z, "y": y, "truncation": torch.tensor(math.inf), "source": source}
    inputs = {name: inputs[name] for name in generator.names}
    assert_close(graph(**inputs), generator(**inputs), rtol=0, atol=1e-5)


def test_layers_with_derivatives_of_their_own_are_traced_as_torchs(config_of, tmp_path, monkeypatch):
    monkeypatch.setitem(convolution._PROCESSOR, torch.float32, "AVX2")
    run = untrained(config_of, "model=dcgan", "model.width=4", "runtime.kernels=fast")
    assert any(getattr(m, "times", None) for m in run.state.game.generator.modules())
    assert written("torch_export", run, tmp_path)[0] <= 1e-5
    assert any(getattr(m, "times", None) for m in run.state.game.generator.modules())


def test_the_inverse_error_function_is_torchs():
    x = torch.linspace(-0.999999, 0.999999, 2001)
    assert_close(erfinv(x), torch.erfinv(x), rtol=1e-6, atol=1e-7)


def test_truncation_makes_the_truncated_normal_distribution():
    z = torch.special.ndtri(torch.linspace(0, 1, 1003, dtype=torch.float64)[1:-1]).float()  # its quantiles
    for psi in (0.5, 2.0):
        x = within(z, torch.tensor(psi))
        assert x.abs().max() <= psi
        assert bool((x.abs() <= z.abs() + 1e-6).all())
        inside = math.erf(psi / math.sqrt(2))
        expected = torch.erf(z / math.sqrt(2)) * inside  # the distribution function of x, scaled to (-1, 1)
        assert_close(torch.erf(x / math.sqrt(2)), expected, rtol=0, atol=1e-5)
    assert torch.equal(within(z, torch.tensor(math.inf)), z)


class Counts(nn.Module):
    """Reads how many samples there are as a number."""

    def __init__(self, latent_size, sample_shape):
        super().__init__()
        self.layer = nn.Linear(latent_size, math.prod(sample_shape))
        self.shape = sample_shape

    def forward(self, z):
        return self.layer(z).view(len(z), *self.shape)


class Broken(Counts):
    def forward(self, z):
        return (self.layer(z) * math.nan).view(-1, *self.shape)


def own(config_of, network):
    run = untrained(config_of, "model=mlp", "model.width=4", "dataset.image_size=28")
    run.state.game.generator = network(100, run.shape)
    return run


def test_what_cannot_be_traced_is_refused(config_of, tmp_path):
    with pytest.raises(UserError, match=r"^format=torch_export: torch\.export cannot trace .*x\.shape\[0\], not len"):
        written("torch_export", own(config_of, Counts), tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_graph_is_not_written(config_of, tmp_path):
    with pytest.raises(
        GanError, match=r"^format=torch_export: the graph's samples differ .* by nan, more than 0\.0001"
    ):
        written("torch_export", own(config_of, Broken), tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_libraries_are_named(config_of, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else find(name))
    with pytest.raises(UserError) as caught:
        written("onnx", own(config_of, Broken), tmp_path)
    needed = 'format=onnx: needs onnx, onnxscript, onnxruntime; pip install "gan_cli[onnx]"'
    assert str(caught.value) == needed
