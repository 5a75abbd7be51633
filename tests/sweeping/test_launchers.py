"""Hydra's other launchers start the same runs; they are extras."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from tests.sweeping.conftest import TOY


def installed(launcher: str) -> bool:
    found = importlib.util.find_spec("hydra_plugins")
    return found is not None and importlib.util.find_spec(f"hydra_plugins.hydra_{launcher}_launcher") is not None


@pytest.mark.parametrize(("name", "extra"), [("joblib", "joblib"), ("submitit_local", "submitit"), ("ray", "ray")])
def test_a_launcher_that_is_not_installed_names_its_extra(refused, name, extra):
    if installed(extra):
        pytest.skip(f"hydra-{extra}-launcher is installed here")
    line = refused("train", "-m", "seed=0,1", f"hydra/launcher={name}")
    assert line == f'hydra/launcher={name}: is not installed here; pip install "gan_cli[{extra}]"'


@pytest.mark.slow
@pytest.mark.parametrize(("name", "extra"), [("joblib", "joblib"), ("submitit_local", "submitit"), ("ray", "ray")])
def test_a_launcher_trains_the_same_runs(gan, place: Path, name, extra):
    if not installed(extra):
        pytest.skip(f'hydra-{extra}-launcher is not installed: pip install "gan_cli[{extra}]"')
    every = (*TOY, "runtime.threads=1", "train.steps=4")
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
