"""Exported generators: what is written, that it samples and scores as the run does, and what it is not enough for."""

from __future__ import annotations

import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

import gan_cli
from gan_cli.errors import UserError
from tests.conftest import RUNS, SMALL
from tests.helpers import random_pictures, write_pictures


@pytest.mark.parametrize("name", RUNS)
def test_an_export_makes_the_samples_of_its_run(run_of, tmp_path, name):
    run = gan_cli.load(run_of(name))
    out = tmp_path / "out"
    assert run.export(out=out) == (out, None, ())
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]
    alone = gan_cli.load(out)
    assert (alone.state, alone.step) == ("exported", run.step)
    assert np.array_equal(alone.sample(8, seed=2), run.sample(8, seed=2))
    assert str(tmp_path) not in (out / "config.json").read_text()


def test_scores_are_those_of_the_run_without_its_critics(run_of, tmp_path):
    run = gan_cli.load(run_of("clothes"))
    run.export(out=tmp_path / "out")
    keys = {"count": 20, "w1_count": 8}
    alone, whole = gan_cli.load(tmp_path / "out").evaluate(**keys), run.evaluate(**keys)
    kept = {name: score for name, score in whole.scores.items() if not name.startswith("critic_")}
    assert alone.scores == kept
    assert len(kept) < len(whole.scores)
    assert alone.protocol["weights"] == "ema"


def test_what_needs_more_than_the_generator_is_refused(gan, run_of, tmp_path):
    run_of("clothes")
    assert gan("export", "clothes", "out=alone").out == "alone\n"
    needs = (
        "run=alone: an exported generator, which can be sampled, explored, evaluated and exported; this needs the run"
    )
    for words in (("resume", "alone", "train.steps=3"), ("train", f"init_from={tmp_path}/alone")):
        ended = gan(*words)
        assert (ended.code, ended.err.replace(f"{tmp_path}/", "")) == (2, f"gan: {needs}\n")
    alone = gan_cli.load("alone")
    for ask in (lambda: alone.critic, alone.resume, alone.report, alone.figure):
        with pytest.raises(UserError, match=re.escape(needs)):
            ask()
    assert alone.metrics["step"].tolist() == []
    for words, message in (
        (["weights=raw"], "weights=raw: the moving average was exported, and nothing else; weights=ema"),
        (["checkpoint=1"], "checkpoint=1: alone is an exported generator, and has one state; leave it out"),
    ):
        assert gan("sample", "alone", *words).err == f"gan: {message}\n"
    assert "exported" in repr(alone)
    assert "exported" in alone._repr_html_()


def test_last_weights_are_exported_too(run_of, tmp_path):
    run = gan_cli.load(run_of("clothes"), weights="raw")
    run.export(out=tmp_path / "raw")
    assert torch.equal(gan_cli.load(tmp_path / "raw").sample(4), run.sample(4))
    with pytest.raises(UserError, match="weights=ema: this run kept no moving average"):
        gan_cli.load(tmp_path / "raw", weights="ema").sample(4)


def test_statistics_of_batch_norm_are_exported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (
        "model=dcgan",
        "model.width=4",
        "dataset.image_size=16",
        "dataset.limit=100",
        "train.ema_halflife_images=8",
    )
    run = gan_cli.train([*SMALL, *words], progress=False)
    run.export("hub", tmp_path / "out", statistics="whole", count=20, w1_count=8)
    alone = gan_cli.load(tmp_path / "out")
    assert torch.equal(alone.sample(4), run.sample(4, statistics="whole"))
    assert not torch.equal(alone.sample(4), run.sample(4))
    text = card(tmp_path / "out")[1]
    assert "statistics of batch norm" in text
    assert f"| {run.evaluate(statistics='whole', count=20, w1_count=8).scores['sliced_w1'].value:.5g} |" in text
    assert run.export(statistics="whole").path.name == "step_0000000001_ema_whole"


def test_classes_keep_their_names_without_the_data(gan, run_of, tmp_path, monkeypatch):
    run = gan_cli.load(run_of("classes"))
    expected = run.sample(4, y=["Bag", 0])
    run.export(out=tmp_path / "out")
    monkeypatch.setattr("gan_cli.session.samples.open_data", None)
    assert torch.equal(gan_cli.load(tmp_path / "out").sample(4, y=["Bag", 0]), expected)


def test_an_export_is_applied_to_pictures(gan, run_of):
    run_of("enlarged")
    write_pictures("pictures", random_pictures(2, 9, 11))
    assert gan("export", "enlarged", "out=alone").code == 0
    for run in ("enlarged", "alone"):
        assert gan("sample", run, "source=pictures", f"out=of_{run}").code == 0
    for name in ("000.png", "001.png"):
        assert Path("of_alone", name).read_bytes() == Path("of_enlarged", name).read_bytes()


def test_a_graph_of_one_direction(gan, run_of):
    pytest.importorskip("onnxscript", reason='pip install "gan_cli[onnx]"')
    onnxruntime = pytest.importorskip("onnxruntime", reason='pip install "gan_cli[onnx]"')
    run = gan_cli.load(run_of("translated"))
    ended = gan("export", "translated", "format=onnx", "direction=b_to_a", "out=a.onnx")
    assert re.fullmatch(r"largest difference from the generator: \S+ \(at most 0\.0001\)\na\.onnx\n", ended.out)
    assert gan("export", "translated", "format=onnx", "out=b.onnx").code == 0
    source = torch.rand(4, 1, 16, 16) * 2 - 1
    made = run.generator(torch.zeros(4, 0), source=source).detach()  # rows of A and B in turn, each to the other
    graphs = {name: onnxruntime.InferenceSession(f"{name}.onnx") for name in "ab"}
    for i, name in enumerate("ab"):
        (found,) = graphs[name].run(None, {"source": source[i::2].numpy()})
        np.testing.assert_allclose(found, made[i::2], atol=1e-5)
    for words, message in (
        (("export", "translated", "direction=a_to_b"), "direction=a_to_b: format=safetensors holds both directions"),
        (
            ("export", "translated", "seed=1"),
            "seed: is for a model card, and format=safetensors has none: format=hub",
        ),
        (("export", "translated", "format=onnx", "extractor=pixels"), "extractor: is for a model card"),
    ):
        ended = gan(*words)
        assert ended.code == 2
        assert ended.err.startswith(f"gan: {message}")


def test_one_direction_is_one_direction(gan, run_of):
    run_of("ring")
    message = "gan: direction=a_to_b: this run translates in one direction; leave direction out\n"
    assert gan("export", "ring", "format=torch_export", "direction=a_to_b").err == message


def card(folder: Path) -> tuple[dict, str]:
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), text


def test_a_directory_for_the_hub(gan, run_of, tmp_path, monkeypatch):
    run = gan_cli.load(run_of("clothes"))
    ended = gan("export", "clothes", "format=hub", "count=20", "w1_count=8", "seed=3")
    folder = Path(ended.out.strip())
    assert folder == Path("clothes/exports/step_0000000001_ema_hub")
    files = ["README.md", "config.json", "model.safetensors", "samples.png"]
    assert sorted(path.name for path in folder.iterdir()) == files
    header, text = card(folder)
    assert header == {
        "library_name": "gan_cli",
        "tags": ["gan", "wgan", "mlp", "fashion_mnist_10k"],
        "pipeline_tag": "unconditional-image-generation",
    }
    assert str(tmp_path) not in (folder / "README.md").read_text() + (folder / "config.json").read_text()
    for score in run.evaluate(count=20, w1_count=8, seed=3).scores.values():
        assert f"| `{score.name}` | {score.value:.5g} |" in text
    assert "- run: clothes\n" in text
    assert "- real: 20 images of 1 x 28 x 28, train split" in text
    settings = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    assert settings["loss"]["_target_"].endswith("Wasserstein")
    assert json.loads((folder / "config.json").read_text())["trained_with"] == settings
    with Image.open(folder / "samples.png") as picture:
        assert picture.size == (2 + 8 * 30, 2 + 8 * 30)
    hub = types.SimpleNamespace(snapshot_download=lambda name, local_dir: str(folder))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    code, found = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], {}
    exec(code, found)
    assert torch.equal(found["x"], run.sample(64))
    again = gan("export", "clothes", "format=hub")
    assert (again.code, again.err) == (
        2,
        f"gan: out={folder} exists already, and is not replaced: choose another out=DIR\n",
    )


def test_the_hub_reads_the_card(run_of, tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="pip install huggingface_hub")
    gan_cli.load(run_of("enlarged")).export("hub", tmp_path / "out", count=8, w1_count=8)
    data = hub.ModelCard.load(tmp_path / "out" / "README.md").data
    assert (data.library_name, data.pipeline_tag) == ("gan_cli", "image-to-image")


def test_a_card_without_data_says_so(gan, run_of, tmp_path):
    run_of("clothes")
    assert gan("export", "clothes", "out=alone").code == 0
    config = json.loads(Path("alone/config.json").read_text())
    folder = {"_target_": "gan_cli.data.folder.Folder", "path": "gone", "image_size": 28, "channels": 1}
    config["config"]["dataset"] = folder
    Path("alone/config.json").write_text(json.dumps(config))
    ended = gan("export", "alone", "format=hub", "out=card")
    assert ended.code == 0
    assert ended.err.startswith("gan: Not evaluated: ")
    assert "Not evaluated: " in Path("card/README.md").read_text()
    assert Path("card/samples.png").is_file()


MODULE = """
from torch import nn
from gan_cli.losses.wasserstein import Wasserstein

class G(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
    def forward(self, z):
        return self.layer(z)

class D(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)
    def forward(self, x):
        return self.layer(x)

class MyLoss(Wasserstein):
    pass
"""
POINTS = ("dataset=ring", "latent.size=2")


def test_only_the_generators_code_is_asked_for(gan, tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)
    networks = ("model.critic._target_=mine.D", "loss._target_=mine.MyLoss", "model=toy_mlp", "model.width=4")
    ended = gan("train", *SMALL, *networks, *POINTS, "run_dir=run", "allow_targets=[mine]")
    assert ended.code == 0, ended.err
    assert gan("export", "run", "allow_targets=[mine]", "out=alone").code == 0
    assert gan("sample", "alone", "count=4").code == 0
    networks = ("model.generator._target_=mine.G", "model.critic._target_=mine.D")
    assert gan("train", *SMALL, *networks, *POINTS, "run_dir=own", "allow_targets=[mine]").code == 0
    words = ("allow_targets=[mine]", "format=hub", "out=own_alone", "count=20", "w1_count=8")
    assert gan("export", "own", *words).code == 0
    assert "allow_targets=['mine'])" in Path("own_alone/README.md").read_text()
    refused = gan("sample", "own_alone", "count=4")
    assert (refused.code, refused.err[:44]) == (2, "gan: model.generator._target_=mine.G: code o")
    assert gan("sample", "own_alone", "count=4", "allow_targets=[mine]").code == 0


def test_a_generator_that_python_gave_is_given_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator, critic = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    points = torch.rand(100, 2)
    words = [word for word in SMALL if not word.startswith("model")]
    run = gan_cli.train([*words, "latent.size=2"], generator=generator, critic=critic, dataset=points, progress=False)
    run.export(out="alone")
    with pytest.raises(UserError, match=r"gan_cli\.load\(RUN, generator=module\)"):
        gan_cli.load("alone")
    assert torch.equal(gan_cli.load("alone", generator=nn.Linear(2, 2)).sample(4), run.sample(4))
