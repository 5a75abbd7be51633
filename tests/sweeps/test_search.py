"""Optuna chooses the jobs of a sweep, ends some early, and goes on where a kill left it."""

from __future__ import annotations

import os
import re
import signal
import statistics
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
from gan_cli.sweeps.pool import Pool
from gan_cli.sweeps.rows import NewRows
from gan_cli.sweeps.space import Axis, check, space
from tests.sweeps.conftest import FAILING, TOY, by_name, record, requested, wait_until

SEARCH = {"metric": "critic/pull", "direction": "minimize", "n_trials": 20, "seed": 0, "sampler": "tpe"}
SEARCH |= {"pruner": "median", "startup_trials": 2, "warmup_steps": 2}
AXIS = Axis("+loss.pull", "interval(0,1)", (), 0.0, 1.0)


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
    with pytest.raises(UserError, match=re.escape(told)):
        axes(word)


def test_the_ready_search_can_run():
    composer = Composer.of("train", Arguments([], {}))
    found = space(requested("sweep=ring_lr"))
    assert [axis.key for axis in found.axes] == ["optimizer.critic.lr", "optimizer.generator.lr", "updates.n_critic"]
    cells = check(found, lambda trial: validate("train", composer.compose(["sweep=ring_lr", *trial]), trial))
    assert len(cells) == 1 + len(found.axes)


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


def opened(folder: Path, **search):
    pytest.importorskip("optuna")
    from gan_cli.sweeps.study import Study

    folder.mkdir(exist_ok=True)
    return Study(folder, [AXIS], Search(**{**SEARCH, **search}), 12)


def draws(folder: Path, count: int, reopen: bool = False, **search) -> list[float]:
    """Simulate trials of 12 steps whose curve is their own value; those that are pruned end at step 6."""
    study, found = opened(folder, **search), []
    from optuna.trial import TrialState

    for i in range(count):
        study = opened(folder, **search) if reopen else study
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


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_goes_on_draws_what_it_would_have_drawn(tmp_path, sampler):
    straight = draws(tmp_path / "straight", 8, sampler=sampler)
    assert draws(tmp_path / "again", 8, reopen=True, sampler=sampler) == straight
    assert len(set(straight)) == 8
    assert draws(tmp_path / "other", 8, sampler=sampler, seed=1) != straight


def test_a_gaussian_process_draws_too(tmp_path):
    assert len(set(draws(tmp_path / "gp", 4, reopen=True, sampler="gp"))) == 4


def test_a_study_survives_a_torn_line_and_tells_what_is_none(tmp_path):
    study = opened(tmp_path)
    from optuna.trial import TrialState

    study.end(study.ask(0)[0], TrialState.COMPLETE, 0.5)
    with (tmp_path / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "wor')
    number, values = opened(tmp_path).ask(1)
    again = opened(tmp_path)
    assert again.trial(number).params == values
    again.forget({0})
    assert again.trial(number).state == TrialState.FAIL
    assert again.best().value == 0.5
    (tmp_path / "study.journal").write_text("a diary\n")
    with pytest.raises(UserError, match=r"study\.journal is not a study of Optuna's"):
        opened(tmp_path)


class Killed(BaseException):
    """In the place of a kill -9: nothing here goes on."""


def trials(place: Path) -> list:
    study = opened(place / "runs/s")
    return [trial for i in range(1000) if (trial := study.trial(i)) is not None]


def command(*more: str) -> tuple[str, ...]:
    pytest.importorskip("optuna")
    search = [f"sweep.search.{key}={value}" for key, value in SEARCH.items()]
    axis = f"{AXIS.key}={AXIS.text}"
    return ("train", *FAILING, "train.steps=12", "-m", "sweep=optuna", axis, "sweep.name=s", *search, *more)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_search_whose_parent_dies_at_its_worst_moments_goes_on(gan, place, forked, monkeypatch):
    expected = draws(place / "expected", 9)
    held = pruned_among(expected)
    assert 0 < len(held) < 7
    (place / "held").write_text(" ".join(map(repr, held)))  # they wait at their sixth step for the signal
    search = command("sweep.search.n_trials=9")
    from gan_cli.sweeps.study import Study

    def ended() -> dict[str, bytes]:
        names = [name for name, job in by_name(place, "s").items() if job["state"] in ("finished", "pruned")]
        return {name: (place / "runs/s" / name / "run.json").read_bytes() for name in names}

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

    killed_after(Study, "ask", 3)  # values are drawn, and no job has them yet
    assert [job["state"] for job in record(place, "s")["jobs"]][:2] == ["finished", "finished"]
    killed_after(Study, "end", 1)  # the draw without a job is about to be closed
    killed_after(Pool, "_collect", 5)  # the third job has just been started
    killed_after(Study, "end", 1)  # a job has ended, and Optuna does not know
    parent = process.start(search, place / "log", os.environ)
    wait_until(lambda: len(ended()) >= 6, parent, place / "log")
    os.kill(parent.pid, signal.SIGKILL)
    assert parent.end() == -signal.SIGKILL
    before = ended()
    last = gan(*search)
    assert last.code == 0, last.err
    jobs = record(place, "s")["jobs"]
    assert [float(job["overrides"][-1].partition("=")[2]) for job in jobs] == expected
    assert [value for value, job in zip(expected, jobs, strict=True) if job["state"] == "pruned"] == held
    after = ended()
    assert len(after) == 9 > len(before)
    assert {name: after[name] for name in before} == before
    assert sum(job["attempts"] for job in jobs) <= 9 + 5
    assert sum(trial.state.name in ("COMPLETE", "PRUNED") for trial in trials(place)) == 9
    complete = [trial for trial in trials(place) if trial.state.name == "COMPLETE"]
    assert {trial.params[AXIS.key] for trial in complete} == set(expected) - set(held)
    best = min(expected)
    assert f"best: critic/pull {best:.4g}, runs/s/trial-{expected.index(best):03d} (+loss.pull={best:.4g})" in last.out
    assert gan("runs", "runs/s", "state=pruned").out.count("pruned") == len(held)
    name = next(name for name, job in by_name(place, "s").items() if job["state"] == "pruned")
    status = reading.status(place / "runs/s" / name)
    assert status["status"] == "pruned"
    assert status["step"] <= 6
    assert "so far worse than the median of the trials" in status["reason"]
    assert f"pruned at step {status['step']}" in gan("doctor", f"runs/s/{name}").out

    before = trials(place)
    again = gan(*search)
    assert (again.code, "9 finished before" in again.err) == (0, True), again.err
    assert trials(place) == before
    other = gan(*search, "sweep.search.direction=maximize")
    assert (other.code, "runs/s is another search (direction: minimize then" in other.err) == (2, True)
    assert "runs/s is a search, and this is a grid" in gan("train", *TOY, "-m", "seed=0,1", "sweep.name=s").err
    (place / "held").unlink()
    assert gan("resume", f"runs/s/{name}", "allow_targets=[failing]").code == 0
    assert reading.status(place / "runs/s" / name)["status"] == "finished"


def test_a_trial_that_fails_is_told_and_tried_again(gan, place, forked):
    for attempts in (1, 2):
        assert gan(*command("+loss.kind=blow", "sweep.search.n_trials=1")).code == 70
        (job,) = record(place, "s")["jobs"]
        assert (job["state"], job["attempts"]) == ("failed", attempts)
        assert "became nan at step 6" in job["reason"]
        assert [t.state.name for t in trials(place)] == ["FAIL"] * attempts
        assert len({t.params[AXIS.key] for t in trials(place)}) == 1


def test_a_metric_that_no_row_has_ends_the_search(gan, place, forked):
    ended = gan(*command("sweep.search.metric=critic/pul", "sweep.search.n_trials=5"))
    assert ended.code == 2
    assert "sweep.search.metric=critic/pul: no row of runs/s/trial-000 has it; did you mean critic/pull?" in ended.err
    assert [job["attempts"] for job in record(place, "s")["jobs"]] == [1, 0, 0, 0, 0]
