"""Optuna chooses the jobs of a sweep, ends some early, and goes on where a kill left it."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.errors import UserError
from gan_cli.runs import reading
from gan_cli.runs.metrics_log import rows_from_end
from gan_cli.sweeps.cells import Checker
from gan_cli.sweeps.record import Folder
from tests.sweeps.conftest import FAILING, record, requested

optuna = pytest.importorskip("optuna")

from optuna.distributions import CategoricalDistribution as Choice  # noqa: E402
from optuna.distributions import FloatDistribution as Float  # noqa: E402
from optuna.distributions import IntDistribution as Int  # noqa: E402

from gan_cli.sweeps.search import Chooser, study  # noqa: E402
from gan_cli.sweeps.space import Axis, Space  # noqa: E402

SEARCH = ("sweep=optuna", "sweep.search.metric=critic/pull", "sweep.search.n_trials=8", "sweep.search.startup_trials=2")
SEARCH += ("sweep.search.warmup_steps=2", "train.steps=12")
SPACE = Space(["seed=0", "sweep.name=s"], [Axis("+loss.pull", "interval(0,1)", Float(0, 1))])


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("a=interval(1,5)", Float(1, 5)),
        ("a=int(interval(1,5))", Int(1, 5)),
        ("a=tag(log,interval(1e-5,1e-3))", Float(1e-5, 1e-3, log=True)),
        ("a=range(1,6)", Int(1, 5)),
        ("a=range(6,0,-2)", Int(2, 6, step=2)),
        ("a=range(0,1,0.25)", Float(0, 0.75, step=0.25)),
        ("a=choice(x,2)", Choice(("x", "2"))),
        ("a=x,y,x", Choice(("x", "y"))),
    ],
)
def test_hydras_sweep_syntax_is_the_space(word, values):
    found = Space.of(OverridesParser.create().parse_overrides(["seed=3", word]))
    assert found == (["seed=3"], [("a", word[2:], values)])


def test_the_ready_search_can_run():
    found = Space.of(requested("sweep=ring_lr"))
    assert [axis.key for axis in found.axes] == ["optimizer.critic.lr", "optimizer.generator.lr", "updates.n_critic"]
    assert len(found.checked(Checker(Composer.of("train", Arguments([], {})), ["sweep=ring_lr"]))) == 4


def test_rows_are_read_from_the_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert list(rows_from_end(path)) == []
    path.write_text('{"step": 1, "a": 1.0}\n{"step": 2, "a": 2.0}\nno row\n{"step": 3, "b": 3.0}\n{"step": 4, ')
    assert list(rows_from_end(path)) == [{"step": 3, "b": 3.0}, {"step": 2, "a": 2.0}, {"step": 1, "a": 1.0}]


@pytest.fixture
def chooser(config_of):
    """Return the search in a directory as a command finds it."""

    def make(place: Path, *search: str) -> Chooser:
        with closing(Folder(place, None)) as folder:
            found = Chooser(folder, SPACE, config_of(*SEARCH, *search), 1, 1)
            folder.begin(found.jobs, ["gan"])
        return found

    return make


class Killed(BaseException):
    """In the place of a kill -9: nothing here goes on."""


def go_on(found: Chooser, death: str = "") -> None:
    """Simulate jobs whose curve is their own value, until one is at the moment at which the sweep is killed."""
    for job in found.jobs:
        if job.state != "waiting":
            continue
        found.choose(job)
        if death == "chosen":
            return
        run, why = Path(job.run_dir), ""
        run.mkdir(exist_ok=True)
        (run / "run.json").write_text('{"status": "interrupted"}')
        (run / "metrics.jsonl").write_text("")  # without a checkpoint it begins again
        for step in range(2, 14, 2):
            with (run / "metrics.jsonl").open("a") as file:
                file.write(json.dumps({"step": step, "critic/pull": float(job.overrides[-1][11:])}) + "\n")
            if death == "trained" and step == 6:
                return
            if why := found.look(job):
                break
        job.state, job.reason = ("pruned", why) if why else ("finished", "")
        if death == "done":
            return
        found.ended(job)
        if death == "known":
            return


def known(found: Chooser) -> list[tuple[str, list[str], str, int]]:
    return [(job.state, job.overrides, job.label, job.total_steps) for job in found.jobs]


@pytest.mark.parametrize(
    ("sampler", "n_trials", "pruned"), [("tpe", 7, ["trial-006"]), ("random", 4, []), ("gp", 4, [])]
)
def test_a_search_that_is_killed_at_its_worst_moments_goes_on_as_if_nothing_had_happened(
    tmp_path, chooser, monkeypatch, sampler, n_trials, pruned
):
    search = f"sweep.search.sampler={sampler}", f"sweep.search.n_trials={n_trials}"
    straight = chooser(tmp_path / "straight", *search)
    go_on(straight)
    assert [job.name for job in straight.jobs if job.state == "pruned"] == pruned
    with monkeypatch.context() as patch:  # values are drawn, and no job has them
        patch.setattr(optuna.trial.Trial, "set_user_attr", lambda *given: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            go_on(chooser(tmp_path / "killed", *search))
    for death in itertools.cycle(["chosen", "trained", "done", "known"]):
        found = chooser(tmp_path / "killed", *search)
        if not any(job.state == "waiting" for job in found.jobs):
            break
        go_on(found, death)
    assert known(found) == known(straight)
    best = min(straight.jobs, key=lambda job: float(job.overrides[-1][11:]))
    assert straight.best() == f"best: critic/pull {best.label[11:]}, {best.run_dir} ({best.label})"
    assert found.best() == straight.best().replace("/straight/", "/killed/")
    for job in straight.jobs:
        assert job.reason.endswith("so far worse than the median of the trials" * (job.name in pruned))
        assert reading.status(Path(job.run_dir))["status"] == ("pruned" if job.name in pruned else "interrupted")

    longer = chooser(tmp_path / "killed", f"sweep.search.n_trials={n_trials + 1}")
    assert (known(longer)[:-1], longer.jobs[-1].state) == (known(straight), "waiting")
    other = chooser(tmp_path / "other", *search, "sweep.search.seed=1")
    other.choose(other.jobs[0])
    assert other.jobs[0].label != straight.jobs[0].label


def test_a_study_survives_a_torn_line_and_tells_what_is_none(tmp_path, chooser):
    go_on(chooser(tmp_path / "s"), "known")
    journal = tmp_path / "s" / "study.journal"
    with journal.open("a") as file:
        file.write('{"op_code": 4, "wor')
    (tmp_path / "s" / "study.journal.lock").symlink_to(journal)  # of a process that was killed while it wrote
    go_on(chooser(tmp_path / "s"), "known")
    assert [job.state for job in chooser(tmp_path / "s").jobs[:3]] == ["finished", "finished", "waiting"]
    journal.write_text("a diary\n")
    with pytest.raises(UserError, match=r"study\.journal is not a study of Optuna's"):
        chooser(tmp_path / "s")


def test_another_search_is_refused(tmp_path):
    with closing(Folder(tmp_path / "s", {"metric": "a", "seed": "1,2"})) as folder:
        folder.begin([], ["gan"])
    for other, message in (
        ({"metric": "b"}, "metric: a then, b now"),
        (None, "metric: a then, null now"),
        ({"metric": "a", "seed": "1,3"}, "seed: 1,2 then, 1,3 now"),
    ):
        with pytest.raises(UserError, match=rf"s is another sweep \({message}\): choose another sweep\.name"):
            Folder(tmp_path / "s", other)


def test_a_trial_that_fails_is_told_and_tried_again_and_a_metric_that_no_row_has_ends_the_search(
    gan, place, forked, config_of
):
    command = ("train", *FAILING, "-m", *SEARCH, "+loss.pull=interval(0,1)")
    for attempts in (1, 2):
        assert gan(*command, "+loss.kind=blow", "sweep.search.n_trials=1", "sweep.name=s").code == 70
        (job,) = record(place, "s")["jobs"]
        assert (job["state"], job["attempts"]) == ("failed", attempts)
        assert "became nan at step 6" in job["reason"]
        trials = study(place / "runs/s", config_of(*SEARCH).sweep.search, 12).trials
        assert [t.state.name for t in trials] == ["FAIL"] * attempts
        assert len({t.params["+loss.pull"] for t in trials}) == 1
    ended = gan(*command, "sweep.search.metric=critic/pul", "sweep.search.n_trials=3", "sweep.name=m")
    assert ended.code == record(place, "m")["exit_code"] == 2
    assert "sweep.search.metric=critic/pul: no row of runs/m/trial-000 has it; did you mean critic/pull?" in ended.err
    assert [job["attempts"] for job in record(place, "m")["jobs"]] == [1, 0, 0]
