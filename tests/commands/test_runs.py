"""`gan runs`: its table fits the terminal, and sorts scores of one kind together; filters, and mistakes."""

import json

import pytest

from tests.analysis.made_runs import ESTIMATE, make_run

LONG = "2026-11-26_10-12-31_wgan_dcgan_fashion_mnist_10k"


@pytest.fixture
def runs(tmp_path):
    """Two runs of one kind, and one of another loss."""

    def made(n):
        for seed in range(n):
            make_run(tmp_path / "runs" / f"{LONG}_seed-{seed}", seed=seed, value=float(seed))
        return tmp_path / "runs"

    return made


def scored(path, tag, value):
    row = {"step": 30, tag: value}
    (path / "metrics.jsonl").write_text(json.dumps(row) + "\n")


@pytest.mark.parametrize("width", [80, 100, 130])
def test_it_fits_the_terminal(gan, runs, monkeypatch, width):
    runs(3)
    whole = gan("runs").out.splitlines()
    assert max(map(len, whole)) > 130
    monkeypatch.setenv("COLUMNS", str(width))
    shown = gan("runs").out.splitlines()
    assert max(map(len, shown)) <= width
    assert shown[0].startswith("all: ")
    assert f"score {ESTIMATE}" in shown[0]
    assert [line.split()[0][-6:] for line in shown[2:]] == ["seed-0", "seed-1", "seed-2"]


def test_runs_that_share_nothing_fit_too(gan, runs, monkeypatch):
    path = runs(2)
    for seed, loss in enumerate(("wgan", "hinge")):
        status = path / f"{LONG}_seed-{seed}" / "run.json"
        choices = {"loss": loss, "model": ("mlp", "dcgan")[seed], "dataset": ("ring", "fashion_mnist_10k")[seed]}
        status.write_text(json.dumps({**json.loads(status.read_text()), "choices": choices}))
    scored(path / f"{LONG}_seed-1", "critic/js_estimate", 0.5)
    monkeypatch.setenv("COLUMNS", "80")
    shown = gan("runs").out.splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0].split() == ["run", "state", "loss", "steps", "score", "age"]
    assert shown[1].startswith("…")
    monkeypatch.setenv("COLUMNS", "300")
    assert "fashion_mnist_10k  30/30  critic/js_estimate 0.5" in gan("runs").out


def test_scores_of_one_kind_are_sorted_together_the_best_first(gan, runs):
    path = runs(5)
    kinds = [("quality/modes", 3), (ESTIMATE, 2), ("quality/modes", 8), (ESTIMATE, -1), ("critic/js_estimate", 0.1)]
    for seed, (tag, value) in enumerate(kinds):
        scored(path / f"{LONG}_seed-{seed}", tag, value)
    *lines, _, note = gan("runs", "--sort", "score").out.splitlines()
    assert [line.split()[0][-1] for line in lines[1:]] == ["4", "3", "1", "0", "2"]
    assert note == "Scores of different kinds cannot be compared: each is sorted by itself, the best first."
    alike = gan("runs", "--sort", "score", "--tag", "quality/modes").out.splitlines()
    assert [line.split()[0][-1] for line in alike[1:3]] == ["2", "0"]
    assert "different kinds" not in "".join(alike)


def test_filters_sorts_and_json(gan, made):
    make_run(made.parent / "alone", steps=10, state="failed", reason="loss is nan")
    lines = gan("runs").out.splitlines()
    assert lines[0].split() == ["run", "state", "loss", "model", "dataset", "steps", "score", "age"]
    in_sweep = [f"runs/sweep/{n}_{s}" for n in (1, 5) for s in (0, 1)]
    assert [line.split()[0] for line in lines[1:]] == ["runs/alone", *in_sweep]
    assert lines[1].split()[1:7] == ["failed", "wgan", "mlp", "-", "10/30", ESTIMATE]
    assert [line.split()[0] for line in gan("runs", "state=fail*").out.splitlines()[1:]] == ["runs/alone"]
    assert len(gan("runs", "runs/sweep", "latent.size=5", "seed=1").out.splitlines()) == 2
    best = json.loads(gan("runs", "runs/sweep", "--sort", "score", "--json").out)
    assert [row["score"] for row in best] == [1, 2, 5, 6]
    assert best[0]["settings"]["constraint.class"] == "WeightClip"
    assert gan("runs", "seed=7").out == "no run matches the filters\n"


def test_mistakes(refused, made):
    assert refused("runs", "los=wgan") == "los=wgan: no run has los; did you mean loss?"
    assert refused("runs", "nowhere").startswith("nowhere: no such run; `gan runs` shows")


def test_configs_are_read_whole_where_a_key_has_no_value_without_the_others(gan, runs):
    path = runs(3) / f"{LONG}_seed-1" / "config.yaml"
    text = path.read_text().replace("seed: 1", "seed: &number 1") + 'note: "two\nlines"\nother: *number\n'
    path.write_text(f"# by hand\n{text}")
    found = {row["run"][-1]: row["settings"] for row in json.loads(gan("runs", "--json").out)}
    assert [found[seed]["seed"] for seed in "012"] == [0, 1, 2]
    assert (found["1"]["note"], found["1"]["other"]) == ("two lines", 1)
    assert found["0"].keys() == found["2"].keys() == found["1"].keys() - {"note", "other"}
    path.write_text("seed: 1\n- nothing\n")
    assert gan("runs", "seed=2").out.count(LONG) == 1
    assert [row["settings"].get("seed") for row in json.loads(gan("runs", "--json").out)] == [0, None, 2]
