"""`gan compare` on runs: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
import re

from PIL import Image
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.analysis.made_runs import ESTIMATE
from tests.conftest import POINTS, SMALL
from tests.pages import read_page


def hparams(run):
    content = PluginEventAccumulator(str(run)).Reload().PluginTagToContent("hparams")["_hparams_/session_start_info"]
    fields = HParamsPluginData.FromString(content).session_start_info.hparams
    return {key: getattr(field, field.WhichOneof("kind")) for key, field in fields.items()}


def test_the_table_and_the_files(gan, made):
    ended = gan("compare", "runs/sweep")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].split() == ["size", "runs", "quality/modes", ESTIMATE, "critic/wasserstein_normalised"]
    assert re.match(r"1     2     3 ± 0 +1\.5 ± 0\.71 \*", lines[1])
    assert re.match(r"5     2     3 ± 0 +5\.5 ± 0\.71 \(p 0\.03\)", lines[2])
    assert "not in the sheet of samples: 1_0: " in ended.out
    out = made / "compare"
    assert {p.name for p in out.iterdir()} == {"groups.csv", "runs.csv", "compare.json", "curves.png", "index.html"}
    groups = list(csv.DictReader((out / "groups.csv").open()))
    assert [(row["latent.size"], float(row[ESTIMATE])) for row in groups] == [("1", 1.5), ("5", 5.5)]
    each = list(csv.DictReader((out / "runs.csv").open()))
    assert [(row["seed"], float(row[ESTIMATE])) for row in each] == [("0", 1), ("1", 2), ("0", 5), ("1", 6)]
    content = json.loads((out / "compare.json").read_text())
    assert content["groups"][0]["scores"][ESTIMATE]["best"] is True
    page = (out / "index.html").read_text()
    assert "<title>Compare: size: 1 against 5</title>" in page
    assert read_page(out / "index.html").charts == ["quality/modes", ESTIMATE, "critic/wasserstein_normalised"]
    with Image.open(out / "curves.png") as picture:
        assert min(picture.size) > 400


def test_the_table_alone_writes_nothing(gan, made):
    assert gan("compare", "runs/sweep", "--table", "--tag", "quality/modes", "--step", "20").out.splitlines()[0] == (
        "size  runs  quality/modes"
    )
    assert not (made / "compare").exists()


def test_the_same_z_through_trained_generators(gan, tmp_path):
    for seed in (0, 1):
        assert gan("train", *SMALL, *POINTS, f"seed={seed}", f"run_dir=runs/{seed}").code == 0
    assert [line.split()[2:5] for line in gan("runs").out.splitlines()[1:]] == [["wgan", "toy_mlp", "ring"]] * 2
    row = hparams(tmp_path / "runs" / "1")
    assert (row["loss"], row["model"], row["model.critic.class"], row["seed"]) == ("wgan", "toy_mlp", "Trunk", 1)
    assert not [key for key, value in row.items() if "_target_" in key or str(value).startswith(("gan_cli.", "torch."))]
    ended = gan("compare", "runs/0", "runs/1", "--out", "here")
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "here" / "samples.png") as picture:
        assert picture.size == (640, 330)
    assert gan("compare", "runs/0", "runs/1", "--out", "again").code == 0
    for name in ("samples.png", "curves.png", "groups.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_what_compare_refuses(refused, made):
    assert refused("compare", "nowhere") == "nowhere: no such run; `gan runs` shows the runs here"
    unknown = refused("compare", "runs/sweep", "--tag", "quality/mode")
    assert "no run has this tag; did you mean quality/modes?" in unknown
    assert "is not a writable directory" in refused("compare", "runs/sweep", "--out", "runs/sweep/1_0/run.json/x")
    (made / "empty").mkdir()
    assert "no run with a config.yaml; see `gan runs`" in refused("compare", "runs/sweep/empty")


def test_a_table_that_is_wider_than_the_terminal_has_a_column_for_each_group(gan, made, monkeypatch):
    wide = gan("compare", "runs/sweep", "--table").out.splitlines()
    monkeypatch.setenv("COLUMNS", "70")
    lines = gan("compare", "runs/sweep", "--table").out.splitlines()
    assert max(map(len, wide[:3])) > 70 >= max(map(len, lines[: lines.index("")]))
    assert [line.split()[0] for line in lines[: lines.index("")]] == wide[0].split()
    assert lines[0].split() == ["size", "1", "5"]
