"""Hydra's other launchers start the same runs; they are extras."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
from pathlib import Path

import pytest

from gan_cli.runs import reading
from gan_cli.sweeps import process
from tests.sweeps.conftest import TOY, wait_until

launchers = pytest.mark.parametrize(
    ("name", "extra"), [("joblib", "joblib"), ("submitit_local", "submitit"), ("ray", "ray")]
)


def skip_if(extra: str, installed: bool) -> None:
    found = importlib.util.find_spec("hydra_plugins")
    found = found is not None and importlib.util.find_spec(f"hydra_plugins.hydra_{extra}_launcher") is not None
    if found == installed:
        pytest.skip(f"hydra-{extra}-launcher is {'' if found else 'not '}installed here")


@launchers
def test_a_launcher_that_is_not_installed_names_its_extra(refused, name, extra):
    skip_if(extra, installed=True)
    line = refused("train", "-m", "seed=0,1", f"hydra/launcher={name}")
    assert line == f'hydra/launcher={name}: is not installed here; pip install "gan_cli[{extra}]"'


@pytest.mark.slow
@launchers
def test_a_launcher_trains_the_same_runs(gan, place: Path, name, extra):
    skip_if(extra, installed=False)
    every = (*TOY, "train.steps=4")
    ended = gan("train", *every, "-m", "seed=0,1", "run_dir=runs/${seed}", f"hydra/launcher={name}")
    assert ended.code == 0, ended.err
    for seed in ("0", "1"):
        assert gan("train", *every, f"seed={seed}", f"run_dir=single/{seed}").code == 0
        rows = [(place / top / seed / "metrics.jsonl").read_bytes() for top in ("runs", "single")]
        assert rows[0] == rows[1]
        assert json.loads((place / "runs" / seed / "run.json").read_text())["status"] == "finished"
    refusal = gan("train", *every, "-m", "seed=0,1", f"hydra/launcher={name}", "sweep.jobs=2")
    assert refusal.code == 2
    assert "sweep.jobs=2: is for jobs that gan starts itself" in refusal.err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_preempted_job_is_requeued_and_goes_on(gan, place: Path):
    """SLURM's signal, which submitit answers by sending the same job again."""
    skip_if("submitit", installed=False)
    every = (*TOY, "train.steps=400", "log.every_steps=10", "checkpoint.every_steps=50")
    launcher = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=60")
    words = ["train", *every, "-m", "seed=0", *launcher, "run_dir=runs/${seed}", "resume=auto"]
    run, log = place / "runs/0", place / "log"
    sweep = process.start(words, log, os.environ)
    wait_until(lambda: reading.standing(run).step >= 120, sweep, log)
    os.kill(reading.status(run)["sessions"][-1]["process"], signal.SIGUSR2)
    assert sweep.wait() == 0, log.read_text()
    status = reading.status(run)
    assert (status["status"], len(status["sessions"])) == ("finished", 2)
    assert gan("train", *every, "seed=0", "run_dir=single").code == 0
    assert (run / "metrics.jsonl").read_bytes() == (place / "single/metrics.jsonl").read_bytes()
