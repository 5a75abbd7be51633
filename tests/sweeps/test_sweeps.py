"""Whole sweeps: each job in its own process, whatever becomes of the others, and run again to the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gan_cli.core.files import is_held
from gan_cli.runs import checkpoint, reading
from gan_cli.sweeps.process import start
from tests.faults.harness import _unlike_tensors
from tests.sweeps.conftest import FAILING, TOY


def record(place: Path, name: str) -> dict:
    return json.loads((place / "runs" / name / "sweep.json").read_text())


def by_name(place: Path, name: str) -> dict[str, dict]:
    return {job["name"]: job for job in record(place, name)["jobs"]}


def states(place: Path, name: str) -> dict[str, str]:
    return {job: facts["state"] for job, facts in by_name(place, name).items()}


def tensors(run: Path) -> dict:
    return checkpoint.load(run / "checkpoints", lambda text: None).tensors


def seed_of(job: dict) -> str:
    return next(o for o in job["overrides"] if o.startswith("seed=")).partition("=")[2]


def require_equal(run: Path, single: Path) -> None:
    assert (run / "metrics.jsonl").read_bytes() == (single / "metrics.jsonl").read_bytes()
    assert _unlike_tensors(tensors(run), tensors(single)) == []


def all_of_it(gan, place, kinds, seeds, at_once):
    """Fail in three ways, stop half-way, go on to the end, and compare with single runs."""
    every = (*TOY, *FAILING, "runtime.threads=1", "train.steps=12", "checkpoint.every_steps=4")
    sweep = (*every, "-m", f"+loss.kind={','.join(kinds)}", f"seed={','.join(map(str, seeds))}")
    sweep = ("train", *sweep, "sweep.name=proof", f"sweep.jobs={at_once}")
    first = gan(*sweep)
    assert first.code == 128 + signal.SIGTERM, first.err
    before = by_name(place, "proof")
    assert record(place, "proof")["status"] == "interrupted"
    assert {job["state"] for name, job in before.items() if name.startswith("kind-stop")} >= {"interrupted"}
    for kind, code, told in (
        ("raise", 1, "RuntimeError: the sixth step is cursed"),
        ("kill", -9, "killed by SIGKILL, as the kernel does where memory is short"),
        ("blow", 70, "generator/loss became nan at step 6"),
    ):
        failed = [job for name, job in before.items() if name.startswith(f"kind-{kind}") and job["state"] == "failed"]
        assert failed
        for job in failed:
            assert job["exit_code"] == code
            assert told in job["reason"]
            assert f"failed: {job['reason']}; log: {job['log']}" in first.err
            assert Path(job["log"]).read_text().startswith("$ gan train ")
    done = {
        name: (Path(j["run_dir"]) / "run.json").read_bytes() for name, j in before.items() if j["state"] == "finished"
    }
    assert done
    assert len(done) < len(before)

    (place / "mended").touch()
    for seed in seeds:  # the kinds do the same sums: one run that nothing disturbs is what all of a seed must equal
        assert gan("train", *every, "+loss.kind=fine", f"seed={seed}", f"run_dir=single/{seed}").code == 0
    second = gan(*sweep)
    assert second.code == 70, second.err
    after = by_name(place, "proof")
    assert f"{len(done)} finished before" in second.err
    assert record(place, "proof")["status"] == "failed"
    for name, job in after.items():
        assert job["state"] == ("failed" if "blow" in name else "finished"), job
        if name in done:
            assert job["attempts"] == before[name]["attempts"]
            assert (Path(job["run_dir"]) / "run.json").read_bytes() == done[name]
        else:
            assert job["attempts"] == before[name]["attempts"] + 1
        if job["state"] == "finished":
            require_equal(Path(job["run_dir"]), place / "single" / seed_of(job))
    assert len(after) == len(kinds) * len(seeds)


def test_a_sweep_that_fails_and_is_stopped_is_run_to_its_end(gan, place, forked):
    all_of_it(gan, place, ("fine", "raise", "kill", "blow", "stop", "late"), (0,), 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_24_jobs_two_at_once_in_processes_that_start_as_a_users_do(gan, place):
    all_of_it(gan, place, ("fine", "raise", "kill", "blow", "stop", "late"), (0, 1, 2, 3), 2)


def test_a_process_starts_without_the_working_directory_on_its_path(place):
    (place / "argparse.py").write_text("raise SystemExit(5)")
    started = start(["list", "updates"], place / "log", os.environ)
    assert started.wait(60) == 0
    assert (place / "log").read_text().startswith("updates\n")


@pytest.mark.slow
def test_a_job_starts_as_a_user_starts_it(gan, place):
    ended = gan("train", *TOY, *FAILING, "-m", "seed=3", "train.steps=4", "sweep.name=one")
    assert ended.code == 0, ended.err
    (job,) = record(place, "one")["jobs"]
    status = reading.status(Path(job["run_dir"]))
    assert status["sessions"][0]["process"] != os.getpid()
    assert status["sessions"][0]["command"][0] == "gan"
    assert "job 1 of 1 (run): finished, step 4/4, critic/wasserstein_estimate" in ended.err
    assert ended.out == "runs/one: 1 finished; runs/one/sweep.json says how each ended\n"


def test_the_grid_grows_and_every_syntax_of_hydras_is_read(gan, place, forked):
    grid = ("train", *TOY, "train.steps=2", "sweep.name=grown", "-m")
    assert gan(*grid, "seed=0").code == 0
    ended = gan(*grid, "seed=range(0,2)", "constraint=glob(weight_*)", "updates.n_critic=choice(5)")
    assert ended.code == 0, ended.err
    assert "2 jobs, 1 at once, 1 finished before" in ended.err
    names = {job["label"]: job["name"] for job in record(place, "grown")["jobs"]}
    assert names == {"seed=0": "run", "seed=1": "seed-1"}
    assert gan("runs", "runs/grown", "state=finished").out.count("toy_mlp") == 2
    (place / "runs/grown/run").rename(place / "kept")
    before = by_name(place, "grown")["seed-1"]["attempts"]
    assert gan(*grid, "seed=range(0,2)").code == 0
    assert states(place, "grown") == dict.fromkeys(names.values(), "finished")
    require_equal(place / "runs/grown/run", place / "kept")
    assert by_name(place, "grown")["seed-1"]["attempts"] == before
    assert gan(*grid, "seed=0", "train.steps=4").code == 0
    assert reading.standing(place / "runs/grown/run").step == 4


def test_a_ready_grid_of_a_file_runs_without_a_flag(gan, place, forked):
    (place / "conf" / "sweep").mkdir(parents=True)
    (place / "conf" / "sweep" / "mine.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(2)'}}}\nsweep: {jobs: 2}\n"
    )
    (place / "conf" / "sweep" / "other.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {seed: 'range(2)'}}}\n"
    )
    refusal = gan("train", *TOY, "--config-dir", "conf", "sweep=other")
    assert (refusal.code, refusal.err) == (
        2,
        "gan: hydra.sweeper.params: the config asks for a sweep, and this is one run; add -m\n",
    )
    ended = gan("train", *TOY, "train.steps=1", "--config-dir", "conf", "sweep=mine", "sweep.name=ready")
    assert ended.code == 0, ended.err
    assert "2 jobs, 2 at once" in ended.err
    assert states(place, "ready") == {"seed-0": "finished", "seed-1": "finished"}


def test_given_directories_are_kept_and_a_finished_run_is_a_success(gan, place, forked):
    command = ("train", *TOY, "train.steps=2", "-m", "seed=1", "run_dir=runs/${seed}", "resume=auto")
    assert gan(*command).code == 0
    assert sorted(path.parent.name for path in place.glob("runs/*/config.yaml")) == ["1"]
    ended = gan(*command)
    assert ended.code == 0
    assert "1 finished" in ended.out


@pytest.mark.slow
def test_jobs_stop_and_save_when_the_sweep_is_killed(place):
    command = ["train", *TOY, "train.steps=100000", "-m", "seed=0", "sweep.name=orphans"]
    sweep = start(command, place / "log", os.environ)
    run = place / "runs/orphans/run"
    limit = time.monotonic() + 60
    while not reading.standing(run).step:
        assert sweep.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    while is_held(run):
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert reading.status(run)["status"] == "interrupted"
    shorter = [
        word if word != "train.steps=100000" else f"train.steps={reading.status(run)['step'] + 2}" for word in command
    ]
    again = subprocess.run([sys.executable, "-m", "gan_cli", *shorter], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "1 to go on with" in again.stderr
