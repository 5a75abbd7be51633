"""Optuna chooses the jobs of a sweep, ends some early, and goes on where a kill left it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import statistics
import sys
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.config.schema import Search
from gan_cli.config.validate import validate
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.sweeps import process
from gan_cli.sweeps.rows import NewRows
from gan_cli.sweeps.space import Axis, check, space
from tests.sweeps.conftest import TOY, requested

needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason='optuna is not installed: pip install "gan_cli[optuna]"'
)
PULLED = (*TOY, "runtime.threads=1", "loss._target_=failing.Pulled", "allow_targets=[failing]")
SEARCH = {
    "metric": "critic/pull",
    "direction": "minimize",
    "n_trials": 20,
    "seed": 0,
    "sampler": "tpe",
    "pruner": "median",
    "startup_trials": 2,
    "warmup_steps": 2,
}
AXIS = Axis("+loss.pull", "interval(0,1)", (), 0.0, 1.0)
SOUGHT = ("sweep=optuna", "sweep.search.metric=critic/pull", "sweep.search.startup_trials=2")


def axes(*words: str) -> list[Axis]:
    return space(OverridesParser.create().parse_overrides(["seed=3", *words])).axes


@pytest.mark.parametrize(
    ("word", "axis"),
    [
        ("a=interval(1,5)", Axis("a", "interval(1,5)", (), 1.0, 5.0)),
        ("a=int(interval(1,5))", Axis("a", "int(interval(1,5))", (), 1, 5, 1)),
        ("a=tag(log,interval(1e-5,1e-3))", Axis("a", "tag(log,interval(1e-5,1e-3))", (), 1e-5, 1e-3, None, True)),
        ("a=range(1,6)", Axis("a", "range(1,6)", (), 1, 5, 1)),
        ("a=range(6,0,-2)", Axis("a", "range(6,0,-2)", (), 2, 6, 2)),
        ("a=range(0,1,0.25)", Axis("a", "range(0,1,0.25)", (), 0.0, 0.75, 0.25)),
        ("a=choice(x,2)", Axis("a", "choice(x,2)", ("x", "2"))),
        ("a=x,y,x", Axis("a", "x,y,x", ("x", "y"))),
    ],
)
def test_hydras_sweep_syntax_is_the_space(word, axis):
    assert axes(word) == [axis]
    assert [type(v) for v in (axes(word)[0].low, axes(word)[0].high)] == [type(axis.low), type(axis.high)]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("a=3", "sweep=optuna: there is nothing to search"),
        ("a=interval(5,5)", "a=interval(5,5): must begin below its end"),
        ("a=tag(log,interval(0,1))", "needs numbers above 0"),
        ("a=tag(log,range(1,9,2))", "no steps between them"),
        ("a=tag(log,choice(1,2))", "is for an interval of numbers"),
        ("a=tag(fast,interval(0,1))", "the only tag that a search knows"),
        ("a=range(1,2)", "holds fewer than two values"),
        ("run_dir=a,b", "each trial has its own"),
    ],
)
def test_what_is_no_space(word, told):
    with pytest.raises(UserError) as refusal:
        axes(word)
    assert told in str(refusal.value)


def test_the_ready_search_can_run():
    composer = Composer.of("train", Arguments([], {}))
    found = space(requested("sweep=ring_lr"))
    assert [axis.key for axis in found.axes] == ["optimizer.critic.lr", "optimizer.generator.lr", "updates.n_critic"]
    cells = check(found, lambda trial: validate("train", composer.compose(["sweep=ring_lr", *trial]), trial))
    assert len(cells) == 1 + len(found.axes)


@needs_optuna
@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["-m", "seed=0", "optimizer.lr=interval(0,1)"], "optimizer.lr=interval(0,1): a grid cannot hold every number"),
        (["sweep.search.n_trials=3"], "sweep.search.n_trials=3: is about a search; add sweep=optuna, and -m"),
        (["-m", "sweep=optuna", "seed=0,1"], "sweep=optuna: which metric? add sweep.search.metric=TAG"),
        (["-m", *SOUGHT, "seed=0"], "sweep=optuna: there is nothing to search; give a key values"),
        (["-m", *SOUGHT, "seed=0,1", "sweep.jobs=1,2"], "sweep.jobs=1,2: one value for the whole sweep"),
        (["-m", *SOUGHT, "seed=0,1", "sweep.search.n_trials=0"], "sweep.search.n_trials=0: must be a whole number"),
        (["-m", *SOUGHT, "seed=0,1", "sweep.search.trials=3"], "sweep.search.trials=3: no such key; did you mean"),
        (["-m", *SOUGHT, "loss=wgan,wgann"], "a trial with loss=wgann: loss=wgann: no such option; did you mean"),
        (["-m", *SOUGHT, "updates.n_critic=interval(1,5)"], "a trial with updates.n_critic=1.0: updates.n_critic=1.0:"),
        (
            ["-m", *SOUGHT, "loss=wgan_gp", "model.critic.norm=none,batch"],
            "a trial with model.critic.norm=batch: constraint=GradientPenalty needs",
        ),
    ],
)
def test_a_users_mistakes(refused, argv, told):
    assert refused("train", *argv).startswith(told)


def test_without_optuna_the_extra_is_named(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for module in ("search", "study"):
        monkeypatch.delitem(sys.modules, f"gan_cli.sweeps.{module}", raising=False)
    line = refused("train", "-m", *SOUGHT, "seed=0,1")
    assert line == 'sweep=optuna: optuna is not installed here; pip install "gan_cli[optuna]"'


def test_rows_are_read_as_they_come(tmp_path):
    rows, path = NewRows(tmp_path), tmp_path / "metrics.jsonl"
    assert rows.read() == []
    path.write_text('{"step": 1, "a": 1.0}\n{"step": 2, ')
    assert rows.read() == [{"step": 1, "a": 1.0}]
    with path.open("a") as file:
        file.write('"a": 2.0}\n')
    assert rows.read() == [{"step": 2, "a": 2.0}]
    assert rows.read() == []
    path.write_text('{"step": 1, "a": 1.0}\n')
    assert rows.read() == [{"step": 1, "a": 1.0}]


def draws(folder: Path, count: int, reopen: bool, **search) -> list[float]:
    """Simulate trials of 12 steps whose curve is their own value; those that are pruned end at step 6."""
    from gan_cli.sweeps.study import Study, TrialState

    folder.mkdir()
    found: list[float] = []
    study = Study(folder, [AXIS], Search(**{**SEARCH, **search}), 12)
    for i in range(count):
        study = Study(folder, [AXIS], Search(**{**SEARCH, **search}), 12) if reopen else study
        number, values = study.ask(i)
        found.append(values[AXIS.key])
        pruned = False
        for step in (2, 4, 6, 8, 10, 12):
            study.report(number, step, found[-1])
            pruned = pruned or study.should_prune(number)
            if pruned and step == 6:
                break
        study.end(number, TrialState.PRUNED if pruned else TrialState.COMPLETE, None if pruned else found[-1])
    return found


def pruned_among(found: list[float]) -> list[float]:
    finished: list[float] = []
    for value in found:
        if len(finished) < SEARCH["startup_trials"] or value <= statistics.median(finished):
            finished.append(value)
    return [value for value in found if value not in finished]


@needs_optuna
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_goes_on_draws_what_it_would_have_drawn(tmp_path, sampler):
    straight = draws(tmp_path / "straight", 8, reopen=False, sampler=sampler)
    assert draws(tmp_path / "again", 8, reopen=True, sampler=sampler) == straight
    assert len(set(straight)) == 8
    assert draws(tmp_path / "other", 8, reopen=False, sampler=sampler, seed=1) != straight


@needs_optuna
def test_a_gaussian_process_draws_too(tmp_path):
    assert len(set(draws(tmp_path / "gp", 4, reopen=True, sampler="gp"))) == 4


@needs_optuna
def test_a_study_survives_a_torn_line_and_tells_what_is_none(tmp_path):
    from gan_cli.sweeps.study import Study, TrialState

    study = Study(tmp_path, [AXIS], Search(**SEARCH), 12)
    study.end(study.ask(0)[0], TrialState.COMPLETE, 0.5)
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "wor')
    study = Study(tmp_path, [AXIS], Search(**SEARCH), 12)
    number, values = study.ask(1)
    again = Study(tmp_path, [AXIS], Search(**SEARCH), 12)
    assert again.trial(number).params == values
    again.forget({0})
    assert again.trial(number).state == TrialState.FAIL
    assert again.best().value == 0.5
    (tmp_path / "study.journal").write_text("a diary\n")
    with pytest.raises(UserError, match=r"study\.journal is not a study of Optuna's"):
        Study(tmp_path, [AXIS], Search(**SEARCH), 12)


class Killed(BaseException):
    """In the place of a kill -9: nothing here goes on."""


def record(place: Path) -> dict:
    return json.loads((place / "runs/s/sweep.json").read_text())


def trials(place: Path) -> list:
    from gan_cli.sweeps.study import Study

    study = Study(place / "runs/s", [AXIS], Search(**SEARCH), 12)
    return [trial for i in range(1000) if (trial := study.trial(i)) is not None]


def command(*more: str) -> tuple[str, ...]:
    search = [f"sweep.search.{key}={value}" for key, value in SEARCH.items()]
    return ("train", *PULLED, "train.steps=12", "-m", "sweep=optuna", "+loss.pull=interval(0,1)", *search, *more)


@pytest.mark.slow
@needs_optuna
def test_a_search_whose_parent_dies_at_its_worst_moments_goes_on(gan, place, forked, monkeypatch):
    from gan_cli.sweeps import study
    from gan_cli.sweeps.pool import Pool

    expected = draws(place / "expected", 7, reopen=False)
    held = pruned_among(expected)
    assert 0 < len(held) < 5
    (place / "hold.json").write_text(json.dumps(held))
    search = command("sweep.name=s", "sweep.search.n_trials=7")

    def killed_after(owner, name, count):
        real, calls = getattr(owner, name), []

        def call(*args):
            calls.append(args)
            result = None if name == "end" and len(calls) == count else real(*args)
            if len(calls) == count:
                raise Killed
            return result

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, call)
            with pytest.raises(Killed):
                gan(*search)

    killed_after(study.Study, "ask", 3)  # values are drawn, and no job has them yet
    assert [job["state"] for job in record(place)["jobs"]][:2] == ["finished", "finished"]
    killed_after(study.Study, "end", 1)  # the draw without a job is about to be closed
    killed_after(Pool, "_collect", 5)  # the third job has just been started
    killed_after(study.Study, "end", 1)  # a job has ended, and Optuna does not know
    ended = gan(*search)
    assert ended.code == 0, ended.err
    done = {job["name"]: job for job in record(place)["jobs"]}
    assert len(done) == 7
    values = [float(job["overrides"][-1].partition("=")[2]) for job in done.values()]
    assert values == expected
    assert [value for value, job in zip(values, done.values(), strict=True) if job["state"] == "pruned"] == held
    assert {job["state"] for job in done.values()} == {"pruned", "finished"}
    complete = [t for t in trials(place) if t.state.name == "COMPLETE"]
    assert {t.params[AXIS.key] for t in complete} == set(expected) - set(held)
    best = min(expected)
    assert f"best: critic/pull {best:.4g}, runs/s/trial-{expected.index(best):03d} (+loss.pull={best:.4g})" in ended.out
    assert gan("runs", "runs/s", "state=pruned").out.count("pruned") == len(held)
    name = next(name for name, job in done.items() if job["state"] == "pruned")
    status = reading.status(place / "runs/s" / name)
    assert status["status"] == "pruned"
    assert status["step"] <= 6
    assert "so far worse than the median of the trials" in status["reason"]
    assert f"pruned at step {status['step']}" in gan("doctor", f"runs/s/{name}").out

    before = trials(place)
    again = gan(*search)
    assert (again.code, "7 finished before" in again.err) == (0, True), again.err
    assert trials(place) == before
    other = gan(*search, "sweep.search.direction=maximize")
    assert (other.code, "runs/s is another search (direction: minimize then" in other.err) == (2, True)
    assert "runs/s is a search, and this is a grid" in gan("train", *TOY, "-m", "seed=0,1", "sweep.name=s").err
    (place / "hold.json").write_text("[]")
    assert gan("resume", f"runs/s/{name}", "allow_targets=[failing]").code == 0
    assert reading.status(place / "runs/s" / name)["status"] == "finished"


@needs_optuna
def test_a_trial_that_fails_is_told_and_tried_again(gan, place, forked):
    (place / "hold.json").write_text("[]")
    search = command("+loss.kind=blow", "sweep.name=s", "sweep.search.n_trials=1")
    for attempts in (1, 2):
        assert gan(*search).code == 70
        (job,) = record(place)["jobs"]
        assert (job["state"], job["attempts"]) == ("failed", attempts)
        assert "became nan at step 3" in job["reason"]
        assert [t.state.name for t in trials(place)] == ["FAIL"] * attempts
        assert len({t.params[AXIS.key] for t in trials(place)}) == 1


@needs_optuna
def test_a_metric_that_no_row_has_ends_the_search(gan, place, forked):
    (place / "hold.json").write_text("[]")
    ended = gan(*command("sweep.name=s", "sweep.search.metric=critic/pul", "sweep.search.n_trials=5"))
    assert ended.code == 2
    assert "sweep.search.metric=critic/pul: no row of runs/s/trial-000 has it; did you mean critic/pull?" in ended.err
    assert [job["attempts"] for job in record(place)["jobs"]] == [1, 0, 0, 0, 0]


@needs_optuna
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_20_trials_and_a_parent_that_is_killed(place):
    expected = draws(place / "expected", 20, reopen=False)
    held = pruned_among(expected)
    (place / "hold.json").write_text(json.dumps(held))
    search = list(command("sweep.name=s", "sweep.search.n_trials=20"))

    def ended() -> dict[str, bytes]:
        jobs = record(place)["jobs"] if (place / "runs/s/sweep.json").exists() else []
        names = [job["name"] for job in jobs if job["state"] in ("finished", "pruned")]
        return {name: (place / "runs/s" / name / "run.json").read_bytes() for name in names}

    before: dict[str, bytes] = {}
    for kills in (1, 2):
        parent = process.start(search, place / "log", os.environ)
        limit = time.monotonic() + 600
        while len(ended()) < 7 * kills:
            assert parent.poll() is None, (place / "log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.1)
        time.sleep(2.5 * kills)  # somewhere in the next trial
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        before = ended()
        assert 7 * kills <= len(before) < 20
    parent = process.start(search, place / "log", os.environ)
    assert parent.wait() == 0, (place / "log").read_text()
    after = ended()
    assert len(after) == 20
    assert {name: after[name] for name in before} == before
    jobs = record(place)["jobs"]
    assert [float(job["overrides"][-1].partition("=")[2]) for job in jobs] == expected
    assert [v for v, job in zip(expected, jobs, strict=True) if job["state"] == "pruned"] == held
    assert sum(job["attempts"] for job in jobs) <= 20 + 2
    assert sum(t.state.name in ("COMPLETE", "PRUNED") for t in trials(place)) == 20
