"""Whole sweeps: each job in its own process, whatever becomes of the others, and run again to the end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gan_cli.core.held import is_held
from gan_cli.runs import checkpoint, reading
from gan_cli.sweeps.process import start
from tests.children import fresh
from tests.faults.harness import _unlike_tensors
from tests.sweeps.conftest import FAILING, TOY, by_name, record, wait_until

KINDS = ("fine", "raise", "kill", "blow", "stop", "late")


def states(place: Path, name: str) -> dict[str, str]:
    return {job: facts["state"] for job, facts in by_name(place, name).items()}


def tensors(run: Path) -> dict:
    return checkpoint.load(run / "checkpoints", lambda text: None).tensors


def require_equal(run: Path, single: Path) -> None:
    assert (run / "metrics.jsonl").read_bytes() == (single / "metrics.jsonl").read_bytes()
    assert _unlike_tensors(tensors(run), tensors(single)) == []


@pytest.mark.parametrize(
    ("seeds", "at_once"),
    [((0,), 1), pytest.param((0, 1, 2, 3), 2, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_a_sweep_that_fails_and_is_stopped_is_run_to_its_end(gan, place, request, seeds, at_once):
    """Compare each job with a single run; 24 jobs start as a user's do, 6 are forked."""
    if at_once == 1:
        request.getfixturevalue("forked")
    every = (*FAILING, "train.steps=12", "checkpoint.every_steps=4")
    cells = (f"+loss.kind={','.join(KINDS)}", f"seed={','.join(map(str, seeds))}")
    sweep = ("train", *every, "-m", *cells, "sweep.name=proof", f"sweep.jobs={at_once}")
    first = gan(*sweep)
    assert first.code == 128 + signal.SIGTERM, first.err
    before = by_name(place, "proof")
    assert record(place, "proof")["exit_code"] == first.code
    assert {job["state"] for name, job in before.items() if name.startswith("kind-stop")} >= {"interrupted"}
    for kind, code, message in (
        ("raise", 1, "RuntimeError: the sixth step is cursed"),
        ("kill", -9, "killed by SIGKILL; the kernel does so when memory is short"),
        ("blow", 70, "generator/loss became nan at step 6"),
    ):
        failed = [job for name, job in before.items() if name.startswith(f"kind-{kind}") and job["state"] == "failed"]
        assert failed
        for job in failed:
            assert job["exit_code"] == code
            assert message in job["reason"]
            assert f"failed: {job['reason']}; log: {job['log']}" in first.err
            assert Path(job["log"]).read_text().startswith("$ gan train ")
    finished = {name: Path(job["run_dir"]) / "run.json" for name, job in before.items() if job["state"] == "finished"}
    done = {name: path.read_bytes() for name, path in finished.items()}
    assert 0 < len(done) < len(before)

    (place / "mended").touch()
    for seed in seeds:  # the kinds do the same sums: one run that nothing disturbs is what all of a seed must equal
        assert gan("train", *every, "+loss.kind=fine", f"seed={seed}", f"run_dir=single/{seed}").code == 0
    second = gan(*sweep)
    assert second.code == 70, second.err
    after = by_name(place, "proof")
    assert f"{len(done)} finished; {at_once} at once" in second.err
    assert record(place, "proof")["exit_code"] == 70
    for name, job in after.items():
        assert job["state"] == ("failed" if "blow" in name else "finished"), job
        assert job["attempts"] == before[name]["attempts"] + (name not in done)
        if name in done:
            assert finished[name].read_bytes() == done[name]
        if job["state"] == "finished":
            (seed,) = [word.removeprefix("seed=") for word in job["overrides"] if word.startswith("seed=")]
            require_equal(Path(job["run_dir"]), place / "single" / seed)
    assert len(after) == len(KINDS) * len(seeds)


def test_a_process_starts_without_the_working_directory_on_its_path(place):
    (place / "argparse.py").write_text("raise SystemExit(5)")
    assert start(["list", "updates"], place / "log", os.environ).wait(60) == 0
    assert (place / "log").read_text().startswith("updates\n")


def test_the_grid_grows_and_every_syntax_of_hydras_is_read(gan, place, forked):
    grid = ("train", *TOY, "train.steps=2", "sweep.name=grown", "-m")
    ended = gan(*grid, "seed=0")
    assert ended.code == 0
    assert "job 1 of 1 (run): finished, step 2/2, critic/wasserstein_estimate" in ended.err
    assert ended.out == "runs/grown: 1 finished; runs/grown/sweep.json says how each ended\n"
    session = reading.status(place / "runs/grown/run")["sessions"][0]
    assert (session["process"] != os.getpid(), session["command"][0]) == (True, "gan")
    ended = gan(*grid, "seed=range(0,2)", "constraint=glob(weight_*)", "updates.n_critic=choice(5)")
    assert ended.code == 0, ended.err
    assert "runs/grown: 1 waiting, 1 finished; 1 at once\n" in ended.err
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


def test_a_ready_grid_of_a_file_runs_without_a_flag_in_given_directories_and_twice(gan, place, forked):
    (place / "conf" / "sweep").mkdir(parents=True)
    (place / "conf" / "sweep" / "mine.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: 'range(2)'}}}\nsweep: {jobs: 2}\n"
    )
    command = ("train", *TOY, "train.steps=1", "--config-dir", "conf", "sweep=mine", "sweep.name=ready")
    first, second = (gan(*command, "run_dir=runs/${seed}", "resume=auto") for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "2 waiting; 2 at once" in first.err
    assert "2 finished" in second.out
    assert states(place, "ready") == {"seed-0": "finished", "seed-1": "finished"}
    assert sorted(path.parent.name for path in place.glob("runs/*/config.yaml")) == ["0", "1"]


@pytest.mark.slow
def test_jobs_stop_and_save_when_the_sweep_is_killed(place):
    command = ["train", *TOY, "-m", "seed=0", "sweep.name=orphans"]
    sweep = start([*command, "train.steps=100000"], place / "log", os.environ)
    run = place / "runs/orphans/run"
    wait_until(lambda: reading.standing(run).step, sweep, place / "log")
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    wait_until(lambda: not is_held(run))
    status = reading.status(run)
    assert status["status"] == "interrupted"
    again = fresh("-m", "gan_cli", *command, f"train.steps={status['step'] + 2}")
    assert "job 1 of 1 (run): continues" in again.stderr
