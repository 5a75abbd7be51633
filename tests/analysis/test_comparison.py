"""Which runs and numbers are compared, and what is said of those that are not."""

from __future__ import annotations

import json

import pytest

from gan_cli.analysis.comparison import compare, gather
from gan_cli.analysis.statistics import welch
from gan_cli.runs import reading
from tests.analysis.made_runs import ESTIMATE, NORMALISED, make_run


def looked(*paths):
    return [reading.run_at(path) for path in paths]


def steps_of(found):
    return {run: row["step"] for run, row in found.at.items()}


def test_seeds_are_one_group_and_what_differs_is_named(tmp_path):
    paths = [
        make_run(tmp_path / f"{n}_{s}", f"latent.size={n}", f"seed={s}", latent=n, seed=s, value=n + s)
        for n in (1, 5)
        for s in (0, 1, 2)
    ]
    found = compare(looked(*paths))
    assert [group.label for group in found.groups] == ["size=1", "size=5"]
    assert found.tags == ["quality/modes", ESTIMATE, NORMALISED]
    best, other = found.cells[ESTIMATE]
    assert (best.mean, best.deviation, best.best, best.p) == (2.0, 1.0, True, None)
    assert (other.mean, other.best) == (6.0, False)
    assert other.p == welch([5, 6, 7], [1, 2, 3])
    assert set(steps_of(found).values()) == {30}


def test_a_default_and_a_given_value_are_distinguished_by_what_they_are(tmp_path):
    paths = [make_run(tmp_path / "a"), make_run(tmp_path / "b", "updates.n_critic=1", n_critic=1)]
    assert [group.values for group in compare(looked(*paths)).groups] == [
        {"updates.n_critic": "5"},
        {"updates.n_critic": "1"},
    ]


def test_what_no_command_line_says_still_divides(tmp_path):
    paths = [make_run(tmp_path / "a", seed=0), make_run(tmp_path / "b", seed=1, n_critic=2)]
    assert [group.values for group in compare(looked(*paths)).groups] == [
        {"updates.n_critic": "5"},
        {"updates.n_critic": "2"},
    ]


def test_estimates_of_critics_that_learnt_differently_are_not_compared(tmp_path):
    paths = [
        make_run(tmp_path / f"{n}_{s}", f"updates.n_critic={n}", n_critic=n, seed=s, value=3 * n + s)
        for n in (1, 5)
        for s in (0, 1, 2)
    ]
    found = compare(looked(*paths))
    for tag in (ESTIMATE, NORMALISED):
        assert [(cell.best, cell.p) for cell in found.cells[tag]] == [(False, None)] * 2
    note = "shown but not compared, because the critics differ (updates.n_critic): a critic that"
    assert any(note in text and text.startswith(f"{ESTIMATE}, {NORMALISED}: ") for text in found.notes)
    assert not any(text.startswith(("p: ", "no score")) for text in found.notes)


def test_without_scores_the_way_to_some_is_shown(tmp_path):
    paths = [make_run(tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    without_scores(*paths)
    found = compare(looked(*paths))
    assert found.tags == [ESTIMATE, NORMALISED]
    assert any(note.startswith("no score of the samples: evaluate.every_steps=500 logs some") for note in found.notes)


def test_estimates_of_another_k_are_normalised_or_not_compared(tmp_path):
    paths = [make_run(tmp_path / f"{c}_{s}", f"constraint.c={c}", c=c, seed=s) for c in (0.01, 0.1) for s in (0, 1)]
    found = compare(looked(*paths))
    assert ESTIMATE not in found.tags
    assert [cell.best for cell in found.cells[NORMALISED]] == [False, False]
    assert any(f"{NORMALISED} is shown instead" in note and "constraint.c" in note for note in found.notes)
    asked = compare(looked(*paths), [ESTIMATE])
    assert [cell.best for cell in asked.cells[ESTIMATE]] == [False, False]
    assert [cell.p for cell in asked.cells[ESTIMATE]] == [None, None]
    assert any("shown but not compared" in note for note in asked.notes)


DISTANCES = ("exact_w1", "critic_estimate", "critic_lipschitz", "critic_estimate_over_lipschitz")


def test_scores_of_an_evaluation_are_judged_as_what_they_are(tmp_path):
    # The worse generator has the smaller clip: a small K, and a critic that lags behind.
    scores = {0.01: (20.0, 0.15, 0.05, -0.2), 0.1: (2.0, 148.0, 50.0, 3.0)}
    paths = []
    for c, values in scores.items():
        for seed in (0, 1, 2):
            path = make_run(tmp_path / f"{c}_{seed}", f"constraint.c={c}", c=c, seed=seed)
            rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
            rows[-1] |= {f"distance/{name}": v * (1 + seed / 50) for name, v in zip(DISTANCES, values, strict=True)}
            rows[-1] |= {"quality/frechet_distance_fashion_mnist": values[0] + seed, "quality/density_x": 1 / c}
            (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            paths.append(path)
    found = compare(looked(*paths))
    best = {tag: [cell.best for cell in cells] for tag, cells in found.cells.items()}
    assert best["distance/exact_w1"] == best["quality/frechet_distance_fashion_mnist"] == [False, True]
    for tag in ("distance/critic_estimate", "distance/critic_lipschitz", "quality/density_x"):
        assert best[tag] == [False, False]
        assert all(cell.p is None for cell in found.cells[tag])
    assert best["distance/critic_estimate_over_lipschitz"] == [False, False]
    scores = ["distance/exact_w1", "quality/density_x", "quality/frechet_distance_fashion_mnist", "quality/modes"]
    assert sorted(found.tags[:4]) == scores


def test_more_modes_are_better(tmp_path):
    paths = [make_run(tmp_path / f"{n}", f"train.steps={n}", steps=n, total=n) for n in (20, 30)]
    found = compare(looked(*paths))
    assert [cell.best for cell in found.cells["quality/modes"]] == [False, True]
    assert any("different steps (20, 30)" in note for note in found.notes)


TAG = "quality/frechet_distance_x"


def evaluated(run, value, *, step=30, fake="2,000 images", weights="raw"):
    """Write what `gan evaluate` writes."""
    score = {"name": "frechet_distance_x", "value": value, "floor": 0.1, "n_real": 9, "n_fake": 9, "space": "features"}
    protocol = {
        "run": str(run),
        "step": step,
        "weights": weights,
        "fake": fake,
        "real": "9 images",
        "extractor": "x, 1",
    }
    (run / "evaluations").mkdir(exist_ok=True)
    name = f"step_{step:010d}_{weights}_{fake}.json"
    (run / "evaluations" / name).write_text(json.dumps({"protocol": protocol, "scores": {"x": score}}))


def without_scores(*paths):
    for path in paths:
        rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        kept = [{tag: value for tag, value in row.items() if not tag.startswith("quality/")} for row in rows]
        (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))


def test_scores_of_gan_evaluate_are_compared_if_they_were_measured_alike(tmp_path):
    paths = [make_run(tmp_path / f"{n}_{s}", latent=n, seed=s) for n in (1, 5) for s in (0, 1, 2)]
    for i, path in enumerate(paths):
        evaluated(path, float(i), weights="ema" if i < 3 else "raw")
        evaluated(path, -1.0, step=20)  # of another step
    evaluated(paths[0], -1.0, fake="1,000 images")  # of another protocol, and first by its name
    (paths[0] / "evaluations" / "step_0000000030_bad.json").write_text('{"protocol": 3}')
    (paths[0] / "evaluations" / "step_0000000030_worse.json").symlink_to("/dev/zero")
    found = compare(looked(*paths))
    assert TAG in found.tags[:2]
    assert "quality/modes" in found.tags[:2]
    assert [cell.values for cell in found.cells[TAG]] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert [cell.best for cell in found.cells[TAG]] == [True, False]
    assert "scores by `gan evaluate`: fake: 2,000 images; real: 9 images; extractor x" in found.notes
    assert compare(looked(*paths), step=20).cells[TAG][0].values == [-1.0] * 3
    assert TAG not in compare(looked(*paths), step=10).tags


def test_scores_of_a_few_runs_do_not_hide_those_of_all(tmp_path):
    paths = [make_run(tmp_path / f"{s}", seed=s) for s in (0, 1, 2)]
    evaluated(paths[0], 4.0)
    assert TAG not in compare(looked(*paths)).tags
    without_scores(*paths)
    found = compare(looked(*paths))
    assert found.cells[TAG][0].values == [4.0]
    assert "without such a measurement by `gan evaluate`: 1, 2" in found.notes
    assert not any(note.startswith("no score") for note in found.notes)


def test_a_half_finished_sweep(tmp_path):
    done = make_run(tmp_path / "done", "seed=0")
    half = make_run(tmp_path / "half", "seed=1", seed=1, steps=20, state="interrupted")
    none = make_run(tmp_path / "none", "seed=2", seed=2, steps=0, state="failed")
    found = compare(looked(done, half, none))
    assert steps_of(found) == {done: 30}
    assert "not in the table: half (interrupted, step 20/30), none (failed, step 0/30)" in found.notes
    assert len(found.rows[half]) == 2
    early = compare(looked(done, half, none), step=20)
    assert steps_of(early) == {done: 20, half: 20}
    assert early.cells[ESTIMATE][0].values == [2.0, 1.0]
    unfinished = compare(looked(half, none))
    assert steps_of(unfinished) == {half: 20}
    assert any("no run is finished: compared at step 20" in note for note in unfinished.notes)


def test_a_collapsed_critic_is_not_the_best(tmp_path):
    sound = make_run(tmp_path / "sound", "updates.n_critic=5", value=2.0)
    flat = make_run(
        tmp_path / "flat", "updates.n_critic=1", n_critic=1, value=0.0, warnings=[{"what": "collapsed critic"}]
    )
    found = compare(looked(sound, flat))
    assert [cell and cell.mean for cell in found.cells[ESTIMATE]] == [2.0, None]
    assert found.cells["quality/modes"][1].mean == 3.0
    note = "the table has no numbers of collapsed critics, because they do not measure a distance: flat"
    assert note in found.notes


def test_an_estimate_below_zero_is_not_the_best(tmp_path):
    paths = [
        make_run(tmp_path / f"{n}_{value}", f"latent.size={n}", latent=n, seed=seed, value=value)
        for n, values in ((1, (-3.0, 1.0)), (5, (2.0, 2.5)), (7, (3.0, 3.5)))
        for seed, value in enumerate(values)
    ]
    found = compare(looked(*paths))
    assert [(cell.best, cell.p is None) for cell in found.cells[ESTIMATE]] == [
        (False, True),
        (True, True),
        (False, False),
    ]
    assert any(
        "below 0 is not a distance" in note and note.endswith("these are not compared: size=1") for note in found.notes
    )


def test_nothing_is_judged_across_data(tmp_path):
    paths = [make_run(tmp_path / "a"), make_run(tmp_path / "b", value=2.0)]
    for path, name in zip(paths, ("Ring", "Grid"), strict=True):
        with (path / "config.yaml").open("a") as config:
            config.write(f"dataset: {{_target_: gan_cli.data.synthetic.{name}}}\n")
    found = compare(looked(*paths))
    assert not any(cell.best for column in found.cells.values() for cell in column if cell)
    assert "the data differ (dataset.class), so no group is marked as the best" in found.notes


def test_gather_finds_runs_in_sweeps_once(tmp_path):
    inner = make_run(tmp_path / "sweep" / "job")
    assert [run.path for run in gather([tmp_path, tmp_path / "sweep", inner])] == [inner]


@pytest.mark.parametrize("state", ["running"])
def test_a_process_that_is_gone_is_named_killed(tmp_path, state):
    assert reading.run_at(make_run(tmp_path / "run", state=state)).state == "killed"
