"""What a sweep refuses, in one line and before anything is written; and how its pieces decide."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import pytest

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.core.files import replace_file
from gan_cli.core.held import is_held
from gan_cli.data import folder
from gan_cli.errors import UserError
from gan_cli.session import build
from gan_cli.sweeps import pool, process, record
from gan_cli.sweeps.cells import Cell, Checker, expand
from gan_cli.sweeps.display import Display
from gan_cli.sweeps.jobs import jobs_of
from gan_cli.sweeps.record import Folder, Job
from tests.helpers import rows
from tests.sweeps.conftest import requested

FIND = "-m sweep=optuna sweep.search.metric=critic/pull sweep.search.startup_trials=2"


def job(**facts):
    given = {"name": "a", "label": "seed=0", "overrides": ["seed=0"], "identity": "x", "run_dir": "runs/s/a"}
    return Job(**{**given, "own_dir": True, "log": "runs/s/logs/a.log", "total_steps": 9, **facts})


MISTAKES = """\
sweep.jobs=2 | sweep.jobs=2: is for a sweep, and this is one run; add -m
-m seed=0,1 hydra.verbose=true | hydra.verbose=true: has no effect
sweep.name=x | sweep.name=x: is for a sweep, and this is one run; add -m
-m seed=0,1 sweep.jobs=1,2 | sweep.jobs=1,2: a sweep takes one value of this key
-m seed=0,1 sweep.jobs=0 | sweep.jobs=0: must be auto or a whole number of at least 1
-m loss=glob(wgn*) | loss=glob(wgn*): holds no value, so there is nothing to run
-m seed=range(3,3) | seed=range(3,3): holds no value, so there is nothing to run
-m seed=range(0,3,0) | seed=range(0,3,0): range() arg 3 must not be zero
-m seed=0,1 sweep.name=../x | sweep.name=../x: must be a directory's name of letters
-m seed=0,1 hydra.sweeper.max_batch_size=2 | hydra.sweeper.max_batch_size: no effect; sweep.jobs=2 sets how many
-m constraint.c=1,0 seed=0,1 | cell 3 of 4 (constraint.c=0 seed=0): constraint.c=0: must be a number above 0
-m loss=wgan,wgan_gp model.critic.norm=batch | cell 2 of 2 (loss=wgan_gp model.critic.norm=batch):
-m seed=0,1 run_dir=x | run_dir=x: 2 cells of the sweep would write there; leave it out, or give each
-m seed=0 optimizer.lr=interval(0,1) | optimizer.lr=interval(0,1): a grid needs single values, not an interval
sweep.search.n_trials=3 | sweep.search.n_trials=3: is for a search; add sweep=optuna, and -m
-m sweep=optuna seed=0,1 | sweep=optuna: a search needs a metric; add sweep.search.metric=TAG
FIND seed=0 | sweep=optuna: there is nothing to search; give a key values
FIND seed=tag(log,interval(0,1)) | seed=tag(log,interval(0,1)):
FIND seed=tag(log,range(1,9,2)) | seed=tag(log,range(1,9,2)):
FIND seed=tag(log,choice(1,2)) | seed=tag(log,choice(1,2)): tag(log, ...) is the only tag
FIND seed=tag(fast,interval(0,1)) | seed=tag(fast,interval(0,1)): tag(log, ...) is the only tag
FIND seed=0,1 run_dir=a | run_dir: each trial has its own
FIND seed=0,1 sweep.jobs=1,2 | sweep.jobs=1,2: a sweep takes one value of this key
FIND seed=0,1 sweep.search.n_trials=0 | sweep.search.n_trials=0: must be a whole number
FIND seed=0,1 sweep.search.trials=3 | sweep.search.trials=3: no such key; did you mean
FIND loss=wgan,wgann | a trial with loss=wgann: loss=wgann: no such option; did you mean
FIND updates.n_critic=interval(1,5) | a trial with updates.n_critic=1.0: updates.n_critic=1.0:
FIND loss=wgan_gp model.critic.norm=none,batch | a trial with model.critic.norm=batch: constraint=GradientPenalty needs
"""


@pytest.mark.parametrize(("words", "message"), rows(MISTAKES))
def test_a_users_mistakes(refused, words, message):
    if re.search("FIND|optuna|search|interval", words):
        pytest.importorskip("optuna")
    assert refused("train", *words.replace("FIND", FIND).split()).startswith(message)


def test_without_optuna_the_extra_is_named(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    for module in ("optuna.distributions", "gan_cli.sweeps.space"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    line = refused("train", *FIND.split(), "seed=0,1")
    assert line == 'sweep=optuna: optuna is not installed here; pip install "gan_cli[optuna]"'


def test_sweeps_that_a_config_asks_for(refused, tmp_path):
    (tmp_path / "conf").mkdir()
    for name, mode, message in (
        ("many", "mode: MULTIRUN, ", r"cell 2 of 2 \(seed=-1\): seed=-1: must be a whole number .*"),
        ("one", "", r"hydra\.sweeper\.params: the config asks for a sweep, and this is one run; add -m"),
    ):
        text = f"defaults: [train, _self_]\nhydra: {{{mode}sweeper: {{params: {{seed: '0,-1'}}}}}}\n"
        (tmp_path / "conf" / f"{name}.yaml").write_text(text)
        assert re.fullmatch(message, refused("train", "--config-dir", "conf", "--config-name", name))


def test_places_that_are_something_else(refused, tmp_path):
    for path, text, message in (
        ("thesis/chapter.tex", "mine", "runs/thesis holds something other than a sweep: choose another sweep.name"),
        ("run/config.yaml", "seed: 0", "sweep.name=run: runs/run is a run; choose another sweep.name"),
        ("thesis/sweep.json", '{"jobs": 3}', r"runs/thesis/sweep\.json is not a sweep's record .*"),
    ):
        (tmp_path / "runs" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / path).write_text(text)
        assert re.fullmatch(message, refused("train", "-m", "seed=0", f"sweep.name={path.partition('/')[0]}"))


def test_a_sweep_is_run_by_one_process(tmp_path):
    with closing(Folder(tmp_path / "s", None)):
        assert is_held(tmp_path / "s")
        with pytest.raises(UserError, match="is being run by another process"):
            Folder(tmp_path / "s", None)
    assert not is_held(tmp_path / "s")


def test_the_ready_grids_expand():
    cells = expand(requested("sweep=wgan_robustness"))
    assert len(cells) == len({tuple(cell) for cell in cells}) == 36
    assert len(expand(requested("sweep=wgan_robustness", "seed=0", "model=mlp"))) == 6


def _counted(real, calls):
    return lambda *given, **named: calls.append(0) or real(*given, **named)


def test_what_cells_have_in_common_is_done_once(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"")
    looked, built = [], []
    for module, name, calls in ((folder, "pictures_at", looked), (build, "build_game", built)):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, _counted(real, calls))
    check = Checker(Composer.of("train", Arguments([], {})), ["hydra.verbose=false"])
    common = ["dataset=folder", f"dataset.path={tmp_path}", "model.width=4"]
    lines = [[*common, f"seed={seed}", f"optimizer.lr={lr}"] for seed in (0, 1) for lr in (1e-3, 2e-3)]
    found = [check(line) for line in lines]
    assert [(c.seed, c.optimizer.critic.arguments["lr"]) for c in found] == [(0, 1e-3), (0, 2e-3), (1, 1e-3), (1, 2e-3)]
    assert (len(looked), len(built)) == (1, 1)
    for wrong, message in (("optimizer.lr=0", "must be a number above 0"), ("train.accumulate=3", "")):
        with pytest.raises(UserError, match=rf"^{re.escape(wrong)}: {message}"):
            check([*common, wrong])
    wider = check([*common, "model.width=8", "constraint.c=0.1", "condition=none"])
    assert (wider.model.width, wider.constraint.arguments["c"], len(built)) == (8, 0.1, 2)


def test_what_is_written_grows_with_the_jobs_and_an_earlier_version_is_read(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(record, "replace_file", lambda path, pieces: sizes.append(path) or replace_file(path, pieces))
    jobs = [job(name=str(i), identity=str(i), log=str(tmp_path / f"{i}.log")) for i in range(200)]
    with closing(Folder(tmp_path / "s", None)) as held:
        held.begin(jobs, ["gan"])
        for each in jobs:
            each.state = "finished"
            held.job_ended()
        held.write(0)
    assert len(sizes) == 1 + 50 + 1
    path = tmp_path / "s" / "sweep.json"
    content = json.loads(path.read_text())
    path.write_text(
        json.dumps(content | {"status": "running", "jobs": [{**content["jobs"][0], "own_dir": True, "gpu": None}]})
    )
    with closing(Folder(tmp_path / "s", None)) as held:
        assert held.before == jobs[:1]


@pytest.mark.parametrize(
    ("ends", "received", "states", "code"),
    [
        ([0, 0], None, "finished finished", 0),
        ([0, -9], None, "finished failed", 1),
        ([143, 70], None, "interrupted failed", 1),
        ([3, 70], None, "finished failed", 70),
        ([3, None], None, "finished finished", 3),
        ([1, -15, -9], signal.SIGINT, "failed interrupted interrupted", 130),
        ([-11, -9], None, "failed failed", 1),
    ],
)
def test_what_exit_codes_of_jobs_mean(ends, received, states, code):
    jobs = [job(exit_code=end) for end in ends]
    for each in jobs:
        each.state = pool.end_state(each, received is not None)
    assert " ".join(each.state for each in jobs) == states
    assert pool.exit_code(jobs, received) == code


def test_a_reason_is_what_was_said_last(tmp_path):
    log = tmp_path / "log"
    for output, message in (
        ("", "exit code 1"),
        ("gan: bad\nx\n", "bad"),
        ("Traceback\n  x\nValueError: no\n", "ValueError: no"),
    ):
        with log.open("a") as file:
            file.write(f"$ gan train\n{output}")
        assert process.reason(1, log) == message
    assert process.reason(-11, log) == "killed by SIGSEGV"


def test_what_a_job_gets(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "start", lambda *given: given)
    log = str(tmp_path / "log")
    argv, _, environment = process.start_job(job(threads=3, run_dir="runs/s/a b", log=log), "5", ["--config-dir", "x"])
    assert argv == ["train", "seed=0", "run_dir='runs/s/a b'", "runtime.threads=3", "--config-dir", "x"]
    assert environment == os.environ | {"CUDA_VISIBLE_DEVICES": "5"}
    assert process.start_job(job(log=log), None, [])[0] == ["train", "seed=0", "run_dir=runs/s/a", "resume=auto"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for named, jobs, gpus in (("4, 7", "auto", ["4", "7"]), ("", 3, ["0", "1", "0"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert process.places(jobs)[0] == gpus


def test_jobs_keep_their_place_and_threads_and_equal_cells_are_one(config_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def planned(*cells, threads=4):
        auto = ("runtime.device=auto", "runtime.threads=auto")
        cells = [Cell([words[0]], config_of(*auto, *words)) for words in map(str.split, cells)]
        with closing(Folder(tmp_path / "s", None)) as held:
            jobs = jobs_of(cells, held, threads)
            held.begin(jobs, ["gan"])
        return [(j.name, j.threads, j.any_gpu) for j in jobs]

    assert planned("seed=0", "seed=1", "seed=1") == [("seed-0", 4, True), ("seed-1", 4, True)]
    (tmp_path / "s/logs/seed-0.log").touch()
    again = [("seed-2", 2, True), ("seed-1", 2, True), ("seed-0", 4, True)]
    assert planned("seed=2", "seed=1", "seed=0", threads=2) == again
    assert planned("seed=0 runtime.threads=1 runtime.device=cuda:1") == [("seed-0", None, False)]
    mnist = "seed=0 dataset=mnist dataset.path="
    (first,), (same,), (other,) = (planned(mnist + path) for path in ("a", f"{tmp_path}/a", "b"))
    assert first == same != other


@pytest.mark.parametrize("pruned", [False, True])
def test_a_signal_reaches_a_job_that_is_being_started_and_a_job_is_pruned(tmp_path, monkeypatch, pruned):
    sent, ended = [], []

    class Ends:
        """A process that ends when it is sent a signal."""

        def send_signal(self, number):
            sent.append(number)

        def poll(self):
            return -sent[0] if sent else None

    def begin(argv, log, environment):
        if not pruned or sent:
            os.kill(os.getpid(), signal.SIGINT)
        return Ends()

    chooser = SimpleNamespace(choose=lambda job: None, look=lambda job: "no good" * pruned, ended=ended.append)
    monkeypatch.setattr(process, "start", begin)
    jobs = [job(name=name, run_dir=str(tmp_path / name), log=str(tmp_path / f"{name}.log")) for name in "abc"]
    found = pool.Pool(jobs, [], Display(jobs, io.StringIO()), lambda: None, chooser)
    assert found.run([None] * (2 - pruned)) == signal.SIGINT
    assert sent == [signal.SIGTERM]
    states = [(j.state, j.reason) for j in jobs]
    assert states[pruned:] == [("interrupted", "killed by SIGTERM"), ("waiting", ""), ("waiting", "")][: 3 - pruned]
    assert states[:pruned] == [("pruned", "no good")] * pruned
    assert ended == jobs[: 1 + pruned]


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def drawn(self):
        """Return the lines that were drawn last, and what is above them since the time before."""
        last = self.getvalue().rpartition("\x1b[2K")[2]
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", last).splitlines()]


def test_the_table_shows_what_is_urgent_and_fits(tmp_path, monkeypatch):
    for name, value in {"COLUMNS": "80", "LINES": "9", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    jobs = [job(label=f"seed={i} optimizer.lr=0.000123456", run_dir=str(tmp_path / str(i))) for i in range(9)]
    jobs[7].state, jobs[8].state = "running", "finished"
    (tmp_path / "7").mkdir()
    for file, row in (("metrics", {"critic/wasserstein_estimate": 0.5}), ("timing", {"steps_per_second": 2.0})):
        (tmp_path / "7" / f"{file}.jsonl").write_text(json.dumps({"step": 3, **row}) + "\n")
    terminal = Terminal()
    with Display(jobs, terminal) as shown:
        drawn = terminal.drawn()
        assert max(map(len, drawn)) <= 80
        assert len(drawn) == 1 + 5 + 1
        assert drawn[0].split() == ["job", "state", "step", "estimate", "left", "overrides"]
        assert drawn[5].split()[:6] == ["8", "running", "3/9", "wasserstein_estimate", "0.5", "00:03"]
        assert drawn[-1].startswith("1 running, 7 waiting, 1 finished; 00:")
        assert drawn[-1].endswith("4 more jobs not shown")
        shown.note("a [bold] line " * 9)
        assert terminal.drawn() == [("a [bold] line " * 9).rstrip(), *drawn]
        jobs[7].state = "failed"
    assert [line.split()[:2] for line in terminal.drawn()[-3:-1]] == [["4", "waiting"], ["8", "failed"]]


def test_elsewhere_there_are_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    jobs = [job(run_dir=str(tmp_path)), job(name="b", state="finished")]
    with Display(jobs, stream) as shown:
        shown.update()
        shown.note("message")
        jobs[0].state = "running"
        (tmp_path / "metrics.jsonl").write_text('{"step": 3, "critic/loss": 0.5}\n')
        later = time.monotonic() + 60
        monkeypatch.setattr(time, "monotonic", lambda: later)
        shown.update()
    message = ["message", "job 1 of 2 (seed=0): step 3/9, critic/loss 0.5, ? left", "1 running, 1 finished"]
    assert stream.getvalue().splitlines() == message
