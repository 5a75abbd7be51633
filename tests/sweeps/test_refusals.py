"""What a sweep refuses, in one line and before anything is written; and how its pieces decide."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time

import pytest

from gan_cli.core.files import is_held
from gan_cli.errors import UserError
from gan_cli.sweeps import plan, pool, process, record
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.grid import expand
from gan_cli.sweeps.keys import Cell
from gan_cli.sweeps.record import Job
from tests.sweeps.conftest import requested


def job(**facts):
    given = {"name": "a", "label": "seed=0", "overrides": ["seed=0"], "identity": "x", "run_dir": "runs/s/a"}
    return Job(**{**given, "own_dir": True, "log": "runs/s/logs/a.log", "total_steps": 9, **facts})


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["sweep.jobs=2"], "sweep.jobs=2: is about a sweep, and this is one run; add -m"),
        (["-m", "seed=0,1", "hydra.verbose=true"], "hydra.verbose=true: has no effect"),
        (["sweep.name=x"], "sweep.name=x: is about a sweep, and this is one run; add -m"),
        (["-m", "seed=0,1", "sweep.jobs=1,2"], "sweep.jobs=1,2: one value for the whole sweep"),
        (["-m", "seed=0,1", "sweep.jobs=0"], "sweep.jobs=0: must be auto or a whole number of at least 1"),
        (["-m", "loss=glob(wgn*)"], "loss=glob(wgn*): holds no value, so there is nothing to run"),
        (["-m", "seed=range(3,3)"], "seed=range(3,3): holds no value, so there is nothing to run"),
        (["-m", "seed=range(0,3,0)"], "seed=range(0,3,0): range() arg 3 must not be zero"),
        (["-m", "seed=0,1", "sweep.name=../x"], "sweep.name=../x: must be a directory's name of letters"),
        (
            ["-m", "seed=0,1", "hydra.sweeper.max_batch_size=2"],
            "hydra.sweeper.max_batch_size: how many jobs run at once",
        ),
    ],
)
def test_a_users_mistakes(refused, argv, told):
    assert refused("train", *argv).startswith(told)


def test_places_that_are_something_else(gan, tmp_path):
    (tmp_path / "runs" / "thesis").mkdir(parents=True)
    (tmp_path / "runs" / "thesis" / "chapter.tex").write_text("mine")
    code, _, err = gan("train", "-m", "seed=0", "sweep.name=thesis")
    assert (code, err) == (2, "gan: runs/thesis holds something else than a sweep: choose another sweep.name\n")
    (tmp_path / "runs" / "run").mkdir()
    (tmp_path / "runs" / "run" / "config.yaml").write_text("seed: 0")
    assert "runs/run is a run; choose another sweep.name" in gan("train", "-m", "seed=0", "sweep.name=run").err
    (tmp_path / "runs" / "thesis" / "sweep.json").write_text('{"jobs": 3}')
    assert "runs/thesis/sweep.json is not a sweep's record" in gan("train", "-m", "seed=0", "sweep.name=thesis").err


def test_a_sweep_is_run_by_one_process(tmp_path):
    folder = record.Folder(tmp_path / "s")
    with pytest.raises(UserError, match="is being run by another process"):
        record.Folder(tmp_path / "s")
    folder.close()
    record.Folder(tmp_path / "s").close()


def test_the_ready_grids_expand():
    def cells(*words):
        return expand(requested("sweep=wgan_robustness", *words))

    assert len(cells()) == len({tuple(cell) for cell in cells()}) == 36
    assert len(cells("seed=0", "model=mlp")) == 6


@pytest.mark.parametrize(
    ("code", "stopping", "state"),
    [
        (0, False, "finished"),
        (3, False, "finished"),
        (1, True, "failed"),
        (70, False, "failed"),
        (-9, False, "failed"),
        (-11, False, "failed"),
        (143, False, "interrupted"),
        (-15, True, "interrupted"),
        (-9, True, "interrupted"),
    ],
)
def test_what_an_exit_code_means(code, stopping, state):
    assert pool.end_state(job(exit_code=code), stopping) == state


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
    argv = process.arguments(job(threads=3, attempts=1), ["--config-dir", "x"])
    assert argv == [
        *("train", "seed=0", "runtime.threads=3", "run_dir=runs/s/a"),
        *("resume=auto", "--config-dir", "x"),
    ]
    given = job(overrides=["seed=0", "run_dir=here"], own_dir=False, attempts=1)
    assert process.arguments(given, []) == ["train", "seed=0", "run_dir=here"]
    assert process.arguments(given.model_copy(update={"attempts": 2}), [])[-1] == "resume=auto"
    assert "run_dir='runs/s/a b'" in process.arguments(job(run_dir="runs/s/a b"), [])
    assert process.environment(job(gpu="5"))["CUDA_VISIBLE_DEVICES"] == "5"
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 7")
    assert process.gpus() == ["4", "7"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert process.gpus() == ["0", "1"]


@pytest.fixture
def cell(config_of):
    def make(seed, **values):
        chosen = {"runtime.device": "auto", "runtime.threads": "auto", **values}
        return Cell([f"seed={seed}"], config_of(f"seed={seed}", *(f"{k}={v}" for k, v in chosen.items())))

    return make


def test_jobs_keep_their_place_and_threads_and_equal_cells_are_one(cell, tmp_path):
    first = plan.jobs_of([cell(0), cell(1), cell(1)], tmp_path, None, 4)
    assert [(j.name, j.threads, j.any_gpu) for j in first] == [("seed-0", 4, True), ("seed-1", 4, True)]
    first[0].attempts = 1
    old = record.Record(status="failed", exit_code=1, command=[], jobs=first)
    again = plan.jobs_of([cell(2), cell(1), cell(0)], tmp_path, old, 2)
    assert [(j.name, j.threads) for j in again] == [("seed-2", 2), ("seed-1", 2), ("seed-0", 4)]
    given = plan.jobs_of([cell(0, **{"runtime.threads": 1, "runtime.device": "cuda:1"})], tmp_path, None, 4)
    assert (given[0].threads, given[0].any_gpu) == (None, False)


def test_a_job_on_other_data_is_another_job(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def on(path):
        return cell(0, dataset="mnist", **{"dataset.path": path})

    (first,) = plan.jobs_of([on("a")], tmp_path, None, 4)
    old = record.Record(status="finished", exit_code=0, command=[], jobs=[first])
    (same,) = plan.jobs_of([on(str(tmp_path / "a"))], tmp_path, old, 4)
    (other,) = plan.jobs_of([on("b")], tmp_path, old, 4)
    assert (same.name, same.identity) == (first.name, first.identity)
    assert other.name != first.name


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
    display = Display(jobs, Terminal(False))
    assert pool.Pool(jobs, [None, None], [], begin, display, lambda: None).run() == signal.SIGINT
    assert sent == [(10**7, signal.SIGTERM)]
    assert [j.state for j in jobs] == ["interrupted", "waiting", "waiting"]


class Terminal:
    def __init__(self, tty):
        self.text, self.tty = "", tty

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return self.tty


def screen(text):
    """Return the lines that a terminal shows after these characters."""
    lines, row = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|[^\x1b\n]+", text.replace("\r", "")):
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
    jobs = [
        job(name=f"j{i}", label=f"seed={i} optimizer.lr=0.000123456", run_dir=str(tmp_path / str(i))) for i in range(9)
    ]
    jobs[7].state, jobs[8].state = "running", "finished"
    (tmp_path / "7").mkdir()
    row = {"step": 3, "critic/wasserstein_estimate": 0.5}
    (tmp_path / "7" / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "7" / "timing.jsonl").write_text(json.dumps({"step": 3, "steps_per_second": 2.0}) + "\n")
    terminal = Terminal(tty=True)
    with Display(jobs, terminal) as shown:
        drawn = screen(terminal.text)
        assert max(map(len, drawn)) <= 80
        assert len(drawn) == 1 + 5 + 1
        assert drawn[0].split() == ["job", "state", "step", "estimate", "left", "overrides"]
        assert drawn[5].split()[:6] == ["8", "running", "3/9", "wasserstein_estimate", "0.5", "00:03"]
        assert drawn[-1].startswith("1 running, 7 waiting, 1 finished; 00:")
        assert drawn[-1].endswith("4 more jobs not shown")
        shown.note("a [bold] line " * 9)
        assert screen(terminal.text) == [("a [bold] line " * 9).rstrip(), *drawn]
        jobs[7].state = "failed"
    ended = screen(terminal.text)
    assert ended[6].split()[:4] == ["8", "failed", "3/9", "wasserstein_estimate"]
    assert [line.split()[0] for line in ended[:-1]] == ["a", "job", "1", "2", "3", "4", "8", "1"]
    assert ended[-1] == ""


def test_elsewhere_there_are_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = Terminal(tty=False)
    jobs = [job(run_dir=str(tmp_path)), job(name="b", state="finished")]
    with Display(jobs, stream) as shown:
        shown.update()
        shown.note("told")
        jobs[0].state = "running"
        row = {"step": 3, "critic/loss": 0.5}
        (tmp_path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
        later = time.monotonic() + 60
        monkeypatch.setattr(time, "monotonic", lambda: later)
        shown.update()
    assert stream.text.splitlines() == [
        "told",
        "job 1 of 2 (seed=0): step 3/9, critic/loss 0.5, ? left",
        "1 running, 1 finished",
    ]


def test_a_run_in_use_is_known(tmp_path):

    with open(tmp_path / ".lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
