"""What a sweep refuses, in one line and before anything is written; and how its pieces decide."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time

import pytest

from gan_cli.core.files import is_held
from gan_cli.errors import UserError
from gan_cli.sweeps import jobs, pool, process, record
from gan_cli.sweeps.cells import Cell
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.record import Job
from gan_cli.sweeps.sweep import expand
from tests.sweeps.conftest import requested

FIND = "-m sweep=optuna sweep.search.metric=critic/pull sweep.search.startup_trials=2 "


def job(**facts):
    given = {"name": "a", "label": "seed=0", "overrides": ["seed=0"], "identity": "x", "run_dir": "runs/s/a"}
    return Job(**{**given, "own_dir": True, "log": "runs/s/logs/a.log", "total_steps": 9, **facts})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sweep.jobs=2", "sweep.jobs=2: is about a sweep, and this is one run; add -m"),
        ("-m seed=0,1 hydra.verbose=true", "hydra.verbose=true: has no effect"),
        ("sweep.name=x", "sweep.name=x: is about a sweep, and this is one run; add -m"),
        ("-m seed=0,1 sweep.jobs=1,2", "sweep.jobs=1,2: one value for the whole sweep"),
        ("-m seed=0,1 sweep.jobs=0", "sweep.jobs=0: must be auto or a whole number of at least 1"),
        ("-m loss=glob(wgn*)", "loss=glob(wgn*): holds no value, so there is nothing to run"),
        ("-m seed=range(3,3)", "seed=range(3,3): holds no value, so there is nothing to run"),
        ("-m seed=range(0,3,0)", "seed=range(0,3,0): range() arg 3 must not be zero"),
        ("-m seed=0,1 sweep.name=../x", "sweep.name=../x: must be a directory's name of letters"),
        ("-m seed=0,1 hydra.sweeper.max_batch_size=2", "hydra.sweeper.max_batch_size: how many jobs run at once"),
        (
            "-m constraint.c=1,0 seed=0,1",
            "cell 3 of 4 (constraint.c=0 seed=0): constraint.c=0: must be a number above 0",
        ),
        ("-m loss=wgan,wgan_gp model.critic.norm=batch", "cell 2 of 2 (loss=wgan_gp model.critic.norm=batch): "),
        ("-m seed=0,1 run_dir=x", "run_dir=x: 2 cells of the sweep would write there; leave it out, or give each"),
        ("-m seed=0 optimizer.lr=interval(0,1)", "optimizer.lr=interval(0,1): a grid cannot hold every number"),
        ("sweep.search.n_trials=3", "sweep.search.n_trials=3: is about a search; add sweep=optuna, and -m"),
        ("-m sweep=optuna seed=0,1", "sweep=optuna: which metric? add sweep.search.metric=TAG"),
        (FIND + "seed=0", "sweep=optuna: there is nothing to search; give a key values"),
        (FIND + "seed=0,1 sweep.jobs=1,2", "sweep.jobs=1,2: one value for the whole sweep"),
        (FIND + "seed=0,1 sweep.search.n_trials=0", "sweep.search.n_trials=0: must be a whole number"),
        (FIND + "seed=0,1 sweep.search.trials=3", "sweep.search.trials=3: no such key; did you mean"),
        (FIND + "loss=wgan,wgann", "a trial with loss=wgann: loss=wgann: no such option; did you mean"),
        (FIND + "updates.n_critic=interval(1,5)", "a trial with updates.n_critic=1.0: updates.n_critic=1.0:"),
        (
            FIND + "loss=wgan_gp model.critic.norm=none,batch",
            "a trial with model.critic.norm=batch: constraint=GradientPenalty needs",
        ),
    ],
)
def test_a_users_mistakes(refused, words, told):
    if re.search("optuna|search|interval", words):
        pytest.importorskip("optuna")
    assert refused("train", *words.split()).startswith(told)


def test_without_optuna_the_extra_is_named(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for module in ("search", "study"):
        monkeypatch.delitem(sys.modules, f"gan_cli.sweeps.{module}", raising=False)
    line = refused("train", *FIND.split(), "seed=0,1")
    assert line == 'sweep=optuna: optuna is not installed here; pip install "gan_cli[optuna]"'


def test_sweeps_that_a_config_asks_for(refused, tmp_path):
    (tmp_path / "conf").mkdir()
    for name, mode, told in (
        ("many", "mode: MULTIRUN, ", r"cell 2 of 2 \(seed=-1\): seed=-1: must be a whole number .*"),
        ("one", "", r"hydra\.sweeper\.params: the config asks for a sweep, and this is one run; add -m"),
    ):
        text = f"defaults: [train, _self_]\nhydra: {{{mode}sweeper: {{params: {{seed: '0,-1'}}}}}}\n"
        (tmp_path / "conf" / f"{name}.yaml").write_text(text)
        assert re.fullmatch(told, refused("train", "--config-dir", "conf", "--config-name", name))


def test_places_that_are_something_else(refused, tmp_path):
    for path, text, told in (
        ("thesis/chapter.tex", "mine", "runs/thesis holds something else than a sweep: choose another sweep.name"),
        ("run/config.yaml", "seed: 0", "sweep.name=run: runs/run is a run; choose another sweep.name"),
        ("thesis/sweep.json", '{"jobs": 3}', r"runs/thesis/sweep\.json is not a sweep's record .*"),
    ):
        (tmp_path / "runs" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / path).write_text(text)
        assert re.fullmatch(told, refused("train", "-m", "seed=0", f"sweep.name={path.partition('/')[0]}"))


def test_a_sweep_is_run_by_one_process(tmp_path):
    folder = record.Folder(tmp_path / "s")
    assert is_held(tmp_path / "s")
    with pytest.raises(UserError, match="is being run by another process"):
        record.Folder(tmp_path / "s")
    folder.close()
    assert not is_held(tmp_path / "s")
    record.Folder(tmp_path / "s").close()


def test_the_ready_grids_expand():
    cells = expand(requested("sweep=wgan_robustness"))
    assert len(cells) == len({tuple(cell) for cell in cells}) == 36
    assert len(expand(requested("sweep=wgan_robustness", "seed=0", "model=mlp"))) == 6


@pytest.mark.parametrize(
    ("codes", "stopping", "state"),
    [
        ((0, 3), False, "finished"),
        ((1,), True, "failed"),
        ((70, -9, -11), False, "failed"),
        ((143,), False, "interrupted"),
        ((-15, -9), True, "interrupted"),
    ],
)
def test_what_an_exit_code_means(codes, stopping, state):
    assert {pool.end_state(job(exit_code=code), stopping) for code in codes} == {state}


@pytest.mark.parametrize(
    ("ends", "received", "code"),
    [
        ([("finished", 0), ("finished", 0)], None, 0),
        ([("finished", 0), ("failed", -9)], None, 1),
        ([("interrupted", 143), ("failed", 70)], None, 1),
        ([("finished", 3), ("failed", 70)], None, 70),
        ([("finished", 3), ("finished", None)], None, 3),
        ([("finished", 0), ("waiting", None)], signal.SIGINT, 130),
    ],
)
def test_the_exit_code_of_a_sweep(ends, received, code):
    assert pool.exit_code([job(state=state, exit_code=c) for state, c in ends], received) == code


def test_a_reason_is_what_was_said_last(tmp_path):
    log = tmp_path / "log"
    log.write_text("gan: an earlier one\nTraceback\n  x\nValueError: no\n")
    assert process.reason(1, log, 0) == "an earlier one"
    assert process.reason(1, log, 20) == "ValueError: no"
    assert process.reason(1, log, log.stat().st_size) == "exit code 1"
    assert process.reason(-11, log, 0) == "killed by SIGSEGV"


def test_what_a_job_gets(monkeypatch):
    argv = process.arguments(job(threads=3, attempts=1, run_dir="runs/s/a b"), ["--config-dir", "x"])
    first = ["train", "seed=0", "runtime.threads=3", "run_dir='runs/s/a b'"]
    assert argv == [*first, "resume=auto", "--config-dir", "x"]
    given = job(overrides=["seed=0", "run_dir=here"], own_dir=False, attempts=1)
    assert process.arguments(given, []) == ["train", "seed=0", "run_dir=here"]
    assert process.arguments(given.model_copy(update={"attempts": 2}), [])[-1] == "resume=auto"
    assert process.environment(job(gpu="5"))["CUDA_VISIBLE_DEVICES"] == "5"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 7")
    assert process.gpus() == ["4", "7"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert process.gpus() == ["0", "1"]


@pytest.fixture
def planned(config_of, tmp_path):
    """Return the jobs of cells that are told by their overrides, after a sweep of other jobs."""

    def make(cells, before=None, threads=4):
        auto = ("runtime.device=auto", "runtime.threads=auto")
        cells = [Cell([words[0]], config_of(*auto, *words)) for words in map(str.split, cells)]
        old = before and record.Record(status="failed", exit_code=1, command=[], jobs=before)
        return jobs.jobs_of(cells, tmp_path, old, threads)

    return make


def test_jobs_keep_their_place_and_threads_and_equal_cells_are_one(planned):
    first = planned(["seed=0", "seed=1", "seed=1"])
    assert [(j.name, j.threads, j.any_gpu) for j in first] == [("seed-0", 4, True), ("seed-1", 4, True)]
    first[0].attempts = 1
    again = planned(["seed=2", "seed=1", "seed=0"], first, threads=2)
    assert [(j.name, j.threads) for j in again] == [("seed-2", 2), ("seed-1", 2), ("seed-0", 4)]
    (given,) = planned(["seed=0 runtime.threads=1 runtime.device=cuda:1"])
    assert (given.threads, given.any_gpu) == (None, False)


def test_a_job_on_other_data_is_another_job(planned, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = planned(["seed=0 dataset=mnist dataset.path=a"])
    (same,) = planned([f"seed=0 dataset=mnist dataset.path={tmp_path}/a"], first)
    (other,) = planned(["seed=0 dataset=mnist dataset.path=b"], first)
    assert (same.name, same.identity) == (first[0].name, first[0].identity)
    assert other.name != first[0].name


class Ends:
    """A process that ends when it is sent a signal, or after a while."""

    def __init__(self, pid):
        self.pid, self.until, self.code = pid, time.monotonic() + 5, 0

    def poll(self):
        return self.code if self.code or time.monotonic() > self.until else None


def test_a_signal_while_a_job_is_being_started_reaches_it_and_starts_no_other(tmp_path, monkeypatch):
    started, sent, kill = [], [], os.kill

    def begin(argv, log, environment):
        started.append(Ends(10**7 + len(started)))
        kill(os.getpid(), signal.SIGINT)
        return started[-1]

    def passed_on(pid, number):
        sent.append((pid, number))
        started[pid - 10**7].code = -number

    monkeypatch.setattr(pool.os, "kill", passed_on)
    jobs = [job(name=name, run_dir=str(tmp_path / name), log=str(tmp_path / f"{name}.log")) for name in "abc"]
    display = Display(jobs, io.StringIO())
    assert pool.Pool(jobs, [None, None], [], begin, display, lambda: None).run() == signal.SIGINT
    assert sent == [(10**7, signal.SIGTERM)]
    assert [j.state for j in jobs] == ["interrupted", "waiting", "waiting"]


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """Return the lines that it shows now."""
        lines, row = [""], 0
        for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|[^\x1b\n]+", self.getvalue().replace("\r", "")):
            if piece == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif piece == "\x1b[2K":
                lines[row] = ""
            elif piece.startswith("\x1b"):
                row -= int(piece[2:-1]) if piece.endswith("A") else 0
            else:
                lines[row] += piece
        return [line.rstrip() for line in lines]


def test_the_table_is_drawn_over_itself_and_fits(tmp_path, monkeypatch):
    for name, value in {"COLUMNS": "80", "LINES": "9", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    jobs = [job(label=f"seed={i} optimizer.lr=0.000123456", run_dir=str(tmp_path / str(i))) for i in range(9)]
    jobs[7].state, jobs[8].state = "running", "finished"
    (tmp_path / "7").mkdir()
    for file, row in (("metrics", {"critic/wasserstein_estimate": 0.5}), ("timing", {"steps_per_second": 2.0})):
        (tmp_path / "7" / f"{file}.jsonl").write_text(json.dumps({"step": 3, **row}) + "\n")
    terminal = Terminal()
    with Display(jobs, terminal) as shown:
        drawn = terminal.screen()
        assert max(map(len, drawn)) <= 80
        assert len(drawn) == 1 + 5 + 1
        assert drawn[0].split() == ["job", "state", "step", "estimate", "left", "overrides"]
        assert drawn[5].split()[:6] == ["8", "running", "3/9", "wasserstein_estimate", "0.5", "00:03"]
        assert drawn[-1].startswith("1 running, 7 waiting, 1 finished; 00:")
        assert drawn[-1].endswith("4 more jobs not shown")
        shown.note("a [bold] line " * 9)
        assert terminal.screen() == [("a [bold] line " * 9).rstrip(), *drawn]
        jobs[7].state = "failed"
    ended = terminal.screen()
    assert ended[6].split()[:4] == ["8", "failed", "3/9", "wasserstein_estimate"]
    assert [line.split()[0] for line in ended[:-1]] == ["a", "job", "1", "2", "3", "4", "8", "1"]
    assert ended[-1] == ""


def test_elsewhere_there_are_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    jobs = [job(run_dir=str(tmp_path)), job(name="b", state="finished")]
    with Display(jobs, stream) as shown:
        shown.update()
        shown.note("told")
        jobs[0].state = "running"
        (tmp_path / "metrics.jsonl").write_text('{"step": 3, "critic/loss": 0.5}\n')
        later = time.monotonic() + 60
        monkeypatch.setattr(time, "monotonic", lambda: later)
        shown.update()
    told = ["told", "job 1 of 2 (seed=0): step 3/9, critic/loss 0.5, ? left", "1 running, 1 finished"]
    assert stream.getvalue().splitlines() == told
