"""A run in Python: the results of the commands bit for bit, what a notebook shows, and how a run is found."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import gan_cli
from gan_cli.analysis.figures import to_uint8
from gan_cli.analysis.plots import rendered
from gan_cli.api.samples import Samples
from gan_cli.commands.collapse import collapse
from gan_cli.commands.evaluate import evaluate
from gan_cli.commands.explore import explore
from gan_cli.commands.report import main as report
from gan_cli.commands.sample import sample
from gan_cli.core.curves import better
from gan_cli.core.log_rows import LogRows
from gan_cli.errors import UserError
from gan_cli.rng import Draws
from gan_cli.runs.metrics_log import read_rows
from tests.command_arguments import arguments_for


def pixels(png):
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def written(capsys, command, name, run, *words):
    """The last JSON file that a command says it wrote."""
    capsys.readouterr()
    command(*arguments_for(name, run, *words))
    paths = [line for line in capsys.readouterr().out.splitlines() if line.endswith(".json")]
    return json.loads(Path(paths[-1]).read_text())


def plain(scores):
    return json.loads(json.dumps({name: s._asdict() | {"better": better(s.tag)} for name, s in scores.items()}))


@pytest.mark.parametrize(
    ("name", "keys", "words"),
    [
        ("clothes", {"seed": 3}, ["seed=3"]),
        ("clothes", {"truncation": 0.5}, ["truncation=0.5"]),
        ("classes", {"y": [0, "Bag"]}, ["y=[0,Bag]"]),
        ("classes", {}, []),
        ("codes", {"c": [3, None, 0.5]}, ["c=[3,null,0.5]"]),
        ("ring", {}, []),
        ("enlarged", {}, []),
        ("translated", {}, []),
    ],
)
def test_samples_are_those_of_the_command(run_of, tmp_path, name, keys, words):
    run = run_of(name)
    sample(*arguments_for("sample", run, "count=20", "format=npz", f"out={tmp_path}/x.npz", *words))
    expected = np.load(tmp_path / "x.npz")["samples"]
    x = gan_cli.load(run).sample(20, **keys)
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(to_uint8(x) if x.dim() == 4 else np.asarray(x), expected)


def test_weights_and_checkpoints_of_a_run(run_of):
    run = run_of("clothes")
    ema, raw = (gan_cli.load(run, weights=weights).sample(4) for weights in ("ema", "raw"))
    assert not torch.equal(ema, raw)
    assert torch.equal(ema, gan_cli.load(run, checkpoint=1).sample(4))
    with pytest.raises(UserError, match="no checkpoint"):
        gan_cli.load(run, checkpoint=7).sample(4)


def test_scores_are_those_of_the_command(run_of, capsys):
    run = run_of("clothes")
    message = written(capsys, evaluate, "evaluate", run, "count=20", "w1_count=8", "split=heldout")
    found = gan_cli.load(run).evaluate(count=20, w1_count=8, split="heldout")
    assert plain(found.scores) == message["scores"]
    assert found.protocol == message["protocol"]
    pixels_alone = gan_cli.load(run).evaluate(count=20, w1_count=8, extractor="pixels", **{"extractor.side": 4})
    assert "frechet_distance_pixels" in pixels_alone.scores
    assert capsys.readouterr().out == ""
    shown = found._repr_html_()
    for score in found.scores.values():
        assert f"<td>{score.name}</td><td>{score.value:.5g}</td>" in shown
    assert f"<td>seed</td><td>{found.protocol['seed']}</td>" in shown
    evaluate(*arguments_for("evaluate", run, "count=20", "w1_count=8", "split=heldout"))
    assert capsys.readouterr().out.startswith(f"{found}\n")


def test_a_walk_is_that_of_the_command(run_of, capsys):
    run = run_of("clothes")
    words = ("kind=walk", "kind.points=2", "kind.frames=3", "kind.closed=true", "seed=1", "extractor=pixels")
    message = written(capsys, explore, "explore", run, *words)
    found = gan_cli.load(run).walk(points=2, frames=3, closed=True, seed=1, extractor="pixels")
    (strip,) = Path(run, "explore").glob("*.png")
    np.testing.assert_array_equal(pixels(strip.read_bytes()), found.pictures[""])
    np.testing.assert_array_equal(pixels(found._repr_png_()), found.pictures[""])
    assert json.loads(json.dumps(found.numbers["sharpest"])) == message["sharpest"]
    assert capsys.readouterr().out == ""


def test_collapse_and_report_are_those_of_the_commands(run_of, capsys):
    run = run_of("ring")
    message = written(capsys, collapse, "collapse", run, "batches=10", "max_size=8", "count=20")
    found = gan_cli.load(run).collapse(batches=10, max_size=8, count=20)
    assert found.verdict == message["verdict"]
    assert "data:image/png;base64," in found._repr_html_()
    assert repr(found) == found.verdict
    assert json.loads(json.dumps([s._asdict() for s in found.tests[found.space].sizes])) == message["sizes"]
    assert found.protocol == message["protocol"]
    assert report([run, "--updates", "2", "--count", "20"]) == 0
    (numbers,) = json.loads(Path(run, "report", "report.json").read_text())
    capsys.readouterr()
    part = gan_cli.load(run).report(updates=2, count=20)
    assert json.loads(json.dumps(part.numbers["critic"])) == numbers["critic"]
    assert [verdict._asdict() for verdict in part.verdicts] == numbers["verdicts"]
    assert part._repr_html_().count("<img") == len(part.pngs())
    assert capsys.readouterr().out == ""


def test_the_networks_are_plain_modules(run_of):
    run = gan_cli.load(run_of("classes"))
    device = next(run.generator.parameters()).device
    z, y = Draws(device, 0, "sample").normal("z", 3, 100), torch.tensor([0, 1, 2], device=device)
    x = run.generator(z, y)
    assert_close(x, torch.as_tensor(run.sample(3)), rtol=0, atol=1e-6)
    assert run.critic(x, y).shape == (3,)
    assert not any(m.training for network in (run.generator, run.critic) for m in network.modules())
    with pytest.raises(UserError, match="give labels y"):
        run.generator(z)
    with torch.no_grad():
        next(run.generator.parameters()).zero_()
    assert_close(torch.as_tensor(run.sample(3)), x, rtol=0, atol=1e-6)  # they are copies


def test_networks_that_read_images(run_of):
    run = gan_cli.load(run_of("enlarged"))
    loaded = run._loaded
    z, source = torch.zeros(2, loaded.state.game.latent.total_size), torch.zeros(2, *loaded.source_shape)
    x = run.generator(z, source=source)
    assert x.shape == run.sample(2).shape
    assert len(run.critic(x, source=source)) % 2 == 0
    for network, given in ((run.generator, z), (run.critic, x)):
        with pytest.raises(UserError, match=r"read more than z: give source \(N, \.\.\.\), each an image"):
            network(given)


def test_samples_are_a_grid_in_a_notebook_and_a_plain_tensor_in_arithmetic(run_of):
    x = gan_cli.load(run_of("classes")).sample(20)
    assert type(x * 2) is type(x[:1]) is torch.Tensor
    assert pixels(x._repr_png_()).shape == (2 + 2 * 30, 2 + 10 * 30, 3)  # one column for each class
    small = pixels(Samples.of(torch.linspace(-1, 1, 24).view(1, 1, 4, 6), None, None)._repr_png_())
    assert small.shape == (2 + 22, 2 + 32, 3)
    points = gan_cli.load(run_of("ring")).sample(20)
    assert pixels(points._repr_png_()).shape[2] == 3


def test_curves(run_of):
    run = gan_cli.load(run_of("ring"))
    rows = read_rows(run.path / "metrics.jsonl")
    metrics = run.metrics
    assert metrics["step"].tolist() == [row["step"] for row in rows]
    assert metrics["critic/loss"].tolist() == [row["critic/loss"] for row in rows]
    for figure in (run.figure(), run.figure("estimate"), run.figure("critic/loss", "generator/loss")):
        np.testing.assert_allclose(pixels(figure._repr_png_()), rendered(figure), atol=8)  # the layout, twice
    with pytest.raises(UserError, match=r"no row has critic/los; its curves are step, critic/grad_norm,"):
        run.figure("critic/los")
    with pytest.raises(UserError, match=r"figure\(\['critic/loss'\]\): takes tags, as in figure\('critic/loss', 'gen"):
        run.figure(["critic/loss"])
    with pytest.raises(KeyError, match=r"critic/los: no row has it; did you mean critic/loss\? the curves are step,"):
        metrics["critic/los"]
    assert repr(metrics).startswith("Metrics(1 rows of step, ")
    assert metrics._repr_html_().count("<td>") == len(metrics)
    shown = run._repr_html_()
    assert "finished" in shown
    assert "data:image/png;base64," in shown
    assert repr(run) == f"Run({str(run.path)!r}: finished, step 1 of 1)"


def test_gaps_in_the_curves_are_nan():
    from gan_cli.api.metrics import Metrics

    metrics = Metrics.of(LogRows([{"step": 1, "a": 2.0}, {"step": 3, "a": 4.0, "b": 5.0}]))
    np.testing.assert_array_equal(metrics["b"], [np.nan, 5.0])
    assert (metrics["step"].dtype, metrics["a"].dtype) == (np.int64, np.float64)
    pandas = pytest.importorskip("pandas", reason="pip install pandas")
    frame = metrics.frame()
    assert frame.index.tolist() == [1, 3]
    assert pandas.isna(frame.loc[1, "b"])


def test_runs_are_found(run_of, tmp_path):
    for i, (kind, name) in enumerate([("ring", "a_ring"), ("line", "sweep/seed-0"), ("line", "sweep/seed-1")]):
        place = tmp_path / "runs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Path(run_of(kind) if not place.exists() else "").rename(place)
        os.utime(place / "run.json", (i + 1, i + 1))
    runs = tmp_path / "runs"
    assert [run.path.name for run in gan_cli.list_runs()] == ["a_ring", "seed-0", "seed-1"]
    assert gan_cli.load("latest").path.name == "seed-1"
    os.utime(runs / "a_ring" / "run.json", (9, 9))
    for name in ("latest", "ring", "a_ring", runs / "a_ring", "runs/a_ring"):
        assert gan_cli.load(name).path.resolve() == runs / "a_ring"
    assert gan_cli.load("sweep/seed-0").path.name == "seed-0"
    for name in ("sweep", runs / "sweep"):
        assert [run.path.name for run in gan_cli.load(name)] == ["seed-0", "seed-1"]
    assert gan_cli.load("eed-0").path.name == "seed-0"
    with pytest.raises(UserError, match=r"run=a_rnig: no such run; did you mean a_ring\?"):
        gan_cli.load("a_rnig")
    (runs / "other_ring").symlink_to(runs / "a_ring")
    with pytest.raises(UserError, match=r"run=ring: 2 runs end like this: runs/a_ring, runs/other_ring"):
        gan_cli.load("ring")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a run, and has no runs in it"):
        gan_cli.load("empty")


def test_no_run_yet():
    with pytest.raises(UserError, match="run=latest: there is no run in runs"):
        gan_cli.load()
    with pytest.raises(UserError, match=r"runs: no such directory; gan_cli\.train creates runs/"):
        gan_cli.list_runs()


def test_everything_is_exported_and_documented():
    assert gan_cli.__all__ == [
        "Run",
        "classifier",
        "compose",
        "evaluate",
        "list_runs",
        "load",
        "study",
        "sweep",
        "train",
    ]
    assert set(gan_cli.__all__) <= set(dir(gan_cli))
    for name in gan_cli.__all__:
        assert getattr(gan_cli, name).__doc__
    for name, member in vars(gan_cli.Run).items():
        assert name.startswith("_") or member.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        gan_cli.tarin  # noqa: B018
