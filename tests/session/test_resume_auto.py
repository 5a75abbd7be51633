"""`gan train ... run_dir=X resume=auto`: one command that a scheduler may run again, whatever became of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time

import pytest
import torch
from PIL import Image

from gan_cli.cli import main
from gan_cli.models import convolution
from gan_cli.runs import checkpoint, directory
from gan_cli.session.resume import holds_run
from tests import children

COMMAND = (
    "train", "model=toy_mlp", "dataset=ring", "model.width=4", "train.batch_size=8", "runtime=cpu", "runtime.threads=1",
    "log.every_steps=2", "log.samples_every_steps=100", "checkpoint.every_steps=3", "resume=auto",
)  # fmt: skip


@pytest.fixture(scope="module")
def five_steps(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main([*COMMAND, "train.steps=5", f"run_dir={path}"]) == 0
    return path


@pytest.fixture
def run(five_steps, tmp_path):
    return shutil.copytree(five_steps, tmp_path / "run")


def contents(path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def state(path):
    return checkpoint.load(path / directory.CHECKPOINTS, pytest.fail)


def test_started_and_finished_and_trained_on(gan, tmp_path, five_steps):
    (tmp_path / "run").mkdir()  # empty: as a scheduler may have made it
    assert gan(*COMMAND, "train.steps=3", "run_dir=run")[0] == 0
    before = contents(tmp_path / "run")
    assert gan(*COMMAND, "train.steps=3", "run_dir=run") == (
        0, "run has finished its 3 steps; train longer with train.steps=6\n", "",
    )  # fmt: skip
    assert contents(tmp_path / "run") == before
    code, _, err = gan(*COMMAND, "train.steps=5", "run_dir=run")
    assert code == 0
    assert "5 steps, from step 3 on cpu" in err
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == (five_steps / "metrics.jsonl").read_bytes()
    a, b = state(tmp_path / "run"), state(five_steps)
    assert all(a.tensors[name].equal(b.tensors[name]) for name in b.tensors)


def test_the_saved_config_is_of_the_run_not_of_the_command(five_steps):
    saved = directory.read_config(five_steps)
    assert (saved["resume"], saved["force"]) == ("never", False)


@pytest.mark.parametrize(("loss", "unit"), [("wgan", "avx512_bf16"), ("wgan_gp", "amx_bf16")])
def test_in_bf16_with_convolutions_as_products_too(gan, tmp_path, loss, unit, monkeypatch):
    monkeypatch.setitem(convolution._PROCESSOR, torch.bfloat16, unit)
    taken = []
    product = convolution.weight_gradient
    monkeypatch.setattr(convolution, "weight_gradient", lambda *a: taken.append(a) or product(*a))
    images = ["model=dcgan", "dataset=fashion_mnist_10k", "dataset.image_size=16", "dataset.limit=100"]
    command = [
        "train",
        *images,
        *COMMAND[3:6],
        *COMMAND[7:],
        f"loss={loss}",
        "updates.n_critic=2",
        "runtime.precision=bf16",
        "runtime.threads=2",
    ]
    for name, stops in (("whole", (2,)), ("again", (2,)), ("parts", (1, 2))):
        for steps in stops:
            assert gan(*command, f"train.steps={steps}", f"run_dir={name}").code == 0
    assert taken
    for name in ("again", "parts"):
        metrics = [(tmp_path / path / "metrics.jsonl").read_bytes() for path in ("whole", name)]
        assert metrics[0] == metrics[1]
        a, b = state(tmp_path / "whole"), state(tmp_path / name)
        assert all(a.tensors[key].equal(b.tensors[key]) for key in b.tensors)


def test_another_run_is_refused_and_forced(gan, run):
    before = contents(run)
    code, out, err = gan(*COMMAND, "train.steps=5", "run_dir=run", "optimizer.lr=1e-3")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "optimizer.lr: 5e-05 -> 0.001" in err
    assert "force=true continues it with the new values" in err
    assert contents(run) == before
    code, _, err = gan(*COMMAND, "train.steps=6", "run_dir=run", "optimizer.lr=1e-3", "force=true")
    assert code == 0
    forced = json.loads((run / "run.json").read_text())["sessions"][-1]["forced"]
    assert forced["optimizer.lr"] == {"old": 5e-05, "new": 0.001}
    assert state(run).meta["settings"]["optimizer"]["lr"] == 1e-3


def test_force_begins_a_run_where_there_is_none(gan, tmp_path):
    assert gan(*COMMAND, "train.steps=1", "run_dir=run", "force=true")[0] == 0


def test_killed_before_its_first_checkpoint_it_begins_again(gan, run, five_steps):
    shutil.rmtree(run / directory.CHECKPOINTS)
    code, _, err = gan(*COMMAND, "train.steps=5", "run_dir=run", "seed=1")
    assert code == 2  # another run's directory all the same
    assert "seed: 0 -> 1" in err
    code, _, err = gan(*COMMAND, "train.steps=5", "run_dir=run")
    assert code == 0
    assert "from step" not in err
    assert (run / "metrics.jsonl").read_bytes() == (five_steps / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("leftover", [".lock", "train.log", ".config.yaml.123.tmp"])
@pytest.mark.parametrize("resume", ["auto", "never"])
def test_killed_before_it_wrote_its_config_it_begins(gan, tmp_path, leftover, resume):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / leftover).touch()
    assert not holds_run(tmp_path / "run")
    assert gan(*COMMAND, "train.steps=1", "run_dir=run", f"resume={resume}")[0] == 0


def test_killed_after_its_last_checkpoint_it_is_finished(gan, run):
    status = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**status, "status": "running", "final": {}}))
    assert gan(*COMMAND, "train.steps=5", "run_dir=run")[0] == 0
    repaired = json.loads((run / "run.json").read_text())
    assert (repaired["status"], repaired["step"], repaired["final"]) == ("finished", 5, status["final"])


def test_fewer_steps_than_it_has_are_not_its_end(gan, run):
    for name, key in (("run.json", "status"), ("config.yaml", "train")):  # killed on its way to step 100
        text = (run / name).read_text()
        (run / name).write_text(text.replace('"finished"', '"running"') if key == "status" else text.replace(
            "steps: 5", "steps: 100"))  # fmt: skip
    before = contents(run)
    code, _, err = gan(*COMMAND, "train.steps=4", "run_dir=run")
    assert (code, err) == (2, "gan: train.steps=4: run is at step 5 of 100 already; train.steps=100 continues it\n")
    assert contents(run) == before


def test_a_finished_run_on_other_pictures_is_another_run(gan, tmp_path):
    for name in ("a", "b", "moved"):
        (tmp_path / name).mkdir()
        for i in range(12):
            shade = 20 * i + (name == "b")
            Image.new("L", (16, 16), shade).save(tmp_path / name / f"{i}.png")
    on = ("dataset=folder", "dataset.image_size=16", "model=mlp", "train.steps=1", "run_dir=run")
    command = [word for word in COMMAND if not word.startswith(("model=", "dataset="))]
    assert gan(*command, *on, "dataset.path=a")[0] == 0
    code, out, _ = gan(*command, *on, "dataset.path=moved")
    assert (code, out) == (0, "run has finished its 1 steps; train longer with train.steps=2\n")
    code, _, err = gan(*command, *on, "dataset.path=b")
    assert code == 2
    assert "the data: " in err


def test_a_tilde_is_the_home_directory_in_the_saved_config_too(gan, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    for i in range(12):
        Image.new("L", (16, 16), 20 * i).save(tmp_path / "pictures" / f"{i}.png")
    on = ("dataset=folder", "dataset.image_size=16", "model=mlp", "train.steps=1", "run_dir=run")
    command = [word for word in COMMAND if not word.startswith(("model=", "dataset="))]
    assert gan(*command, *on, "dataset.path='~/pictures'")[0] == 0
    assert directory.read_config(tmp_path / "run")["dataset"]["path"] == str(tmp_path / "pictures")
    code, _, err = gan(*command, *on[:-1], "run_dir=other", "dataset.path='~nobody-of-that-name/x'")
    assert (code, "does not exist" in err) == (2, True)


def test_a_full_disk_at_the_beginning_is_one_line(gan, run, monkeypatch):
    def full(self, settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path / "config.yaml"))

    monkeypatch.setattr(directory.RunDirectory, "write_config", full)
    code, _, err = gan(*COMMAND, "train.steps=6", "run_dir=run")
    assert code == 1
    assert err.startswith("gan: ")
    assert "config.yaml: No space left on device; no checkpoint is changed, and the same command continues" in err
    assert err.count("\n") == 1


def test_a_damaged_checkpoint_is_passed_over(gan, run, five_steps):
    (run / directory.CHECKPOINTS / "step_0000000005" / "meta.json").write_text("{}")
    code, _, err = gan(*COMMAND, "train.steps=5", "run_dir=run")
    assert code == 0
    assert "step_0000000005 is skipped: meta.json is not what was written" in err
    assert (run / "metrics.jsonl").read_bytes() == (five_steps / "metrics.jsonl").read_bytes()


def test_if_none_verifies_it_is_refused_and_never_started_again(gan, run):
    for path in (run / directory.CHECKPOINTS).iterdir():
        (path / "state.safetensors").write_bytes(b"")
    before = contents(run)
    code, _, err = gan(*COMMAND, "train.steps=9", "run_dir=run", "force=true")
    assert code == 2
    assert "no intact checkpoint" in err
    assert contents(run) == before


def test_a_directory_of_something_else(gan, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    for resume in ("auto", "never"):
        code, _, err = gan(*COMMAND, "run_dir=run", f"resume={resume}")
        assert code == 2
        assert "choose another run_dir" in err
    assert contents(tmp_path / "run").keys() == {directory.Path("thesis.tex")}


def test_a_run_in_use(gan, run):
    held = directory.RunDirectory(run)
    code, _, err = gan(*COMMAND, "train.steps=9", "run_dir=run")
    held.close()
    assert code == 2
    assert "in use by another process" in err


def test_what_it_cannot_do(gan, tmp_path):
    for argv, expected in (
        (["resume=auto"], "resume=auto: continues the run in run_dir, and none is given; add run_dir=runs/NAME"),
        (["force=true"], "force=true: continues a run with another config"),
        (["resume=sometimes"], "resume=sometimes: must be never or auto"),
        (["-m", "seed=0,1", "resume=auto"], "cell 1 of 2 (seed=0 resume=auto): resume=auto: continues"),
        (["-m", "seed=0,1", "resume=auto", "run_dir=x"], "2 cells of the sweep would write there"),
    ):
        code, out, err = gan("train", *argv)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("gan: " + expected) or expected in err
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_after_a_kill_leaves_the_metrics_of_an_unbroken_run(gan, tmp_path):
    command = [*COMMAND, "train.steps=60", "checkpoint.every_steps=10", "log.every_steps=7"]
    assert gan(*command, "run_dir=whole")[0] == 0
    first = children.gan([*command, "run_dir=run"], tmp_path / "output", os.environ)
    while not checkpoint.steps(tmp_path / "run" / directory.CHECKPOINTS):
        assert first.poll() is None
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    assert first.end() == -signal.SIGKILL
    assert gan(*command, "run_dir=run")[0] == 0
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert state(run).tensors.keys() == state(whole).tensors.keys()
    assert all(state(run).tensors[name].equal(tensor) for name, tensor in state(whole).tensors.items())
