"""Runs and sweeps that Python begins: the files of the command, callbacks, signals, and what stays the caller's."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

import gan_cli
from gan_cli.cli import main
from gan_cli.errors import GanError, Interrupted, UserError
from gan_cli.runs import checkpoint
from gan_cli.sweeps import process
from gan_cli.training.state import TrainState
from tests import children
from tests.api.conftest import POINTS

FILES = ("metrics.jsonl", "checkpoints/step_0000000004/state.safetensors", "samples/step_0000000004.png")


def files(path):
    return [Path(path, name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The files of the command."""
    place = tmp_path_factory.mktemp("usual")
    assert main(["train", *POINTS, f"run_dir={place}/run"]) == 0
    return files(place / "run")


def trained(*overrides, **arguments):
    return gan_cli.train([*POINTS, *overrides], progress=False, **arguments)


def test_a_run_is_that_of_the_command(usual, capsys):
    run = gan_cli.train(POINTS)
    assert files(run.path) == usual
    assert run.path.parent == Path("runs")
    assert "_wgan_gp_toy_mlp_ring_" in run.path.name
    assert run.state == "finished"
    assert run.status["sessions"][0]["command"] == ["gan_cli.train", *POINTS]
    out, err = capsys.readouterr()
    assert out == ""
    assert "step 4/4" in err


def test_silence(capfd):
    trained()
    assert capfd.readouterr() == ("", "")


def meddle(state, logs):
    """Do what must not matter."""
    torch.manual_seed(0)
    torch.rand(3)
    torch.set_grad_enabled(False)
    assert set(logs) >= {"critic/loss", "generator/loss", "critic/wasserstein_estimate"}
    x = state.sample(3, seed=state.step)
    state.critic.train()(x).sum()
    for p in (*state.generator.parameters(), *state.critic.parameters()):
        p.data.zero_()
    state.step = 100


def test_a_callback_changes_nothing(usual):
    seen = []
    run = trained(callbacks=[meddle, lambda state, logs: seen.append((state.step, logs["critic/loss"]))])
    assert files(run.path) == usual
    assert [step for step, _ in seen] == [100] * 4  # of one snapshot
    assert run.status["sessions"][0]["callbacks"][0] == "meddle"
    assert torch.is_grad_enabled()


def test_the_last_row_has_what_a_callback_saw():
    seen, listed = [], []

    def watch(state, logs):
        seen.append(dict(logs))
        listed.append((len(logs), [*logs], repr(logs)))

    run = trained("updates=alternating", callbacks=[watch])
    assert listed == [(len(logs), [*logs], repr(logs)) for logs in seen]
    assert [logs["critic/loss"] for logs in seen] == pytest.approx(run.metrics["critic/loss"].tolist(), rel=1e-6)
    with pytest.raises(KeyError, match="the curves of this step are critic/loss"):
        trained(callbacks=[lambda state, logs: logs["critic/los"]])


def test_a_callback_that_says_so_changes_the_training(usual):
    class Decay:
        changes_training = True

        def __call__(self, state, logs):
            assert isinstance(state, TrainState)
            for optimizer in state.optimizers.values():
                optimizer.param_groups[0]["lr"] /= 2

    assert files(trained(callbacks=[Decay()]).path) != usual


def test_a_callback_stops_the_run_which_goes_on(usual):
    run = trained(callbacks=[lambda state, logs: state.step == 2])
    assert (run.state, run.step) == ("interrupted", 2)
    assert run.status["reason"].endswith("<lambda> stopped the run after step 2")
    again = run.resume(progress=False)
    assert again.state == "finished"
    assert files(again.path) == usual
    with pytest.raises(UserError, match=r"has finished its 4 steps; train longer with train\.steps=8"):
        again.resume(progress=False)
    longer = again.resume(["train.steps=6"], callbacks=[lambda state, logs: True], progress=False)
    assert longer.step == 5
    assert len(longer.metrics["step"]) == 5


def test_an_error_of_a_callback_ends_the_run_after_saving(usual):
    def fail(state, logs):
        if state.step == 3:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trained("run_dir=run", callbacks=[fail])
    run = gan_cli.load("run")
    assert (run.state, run.status["reason"]) == ("failed", "mine")
    assert checkpoint.steps(run.path / "checkpoints") == [3]
    assert files(run.resume(progress=False).path) == usual


def test_ctrl_c_saves_and_other_signals_stay_the_callers():
    before = [signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGUSR1)]
    mine = signal.getsignal(signal.SIGTERM)

    def interrupt(state, logs):
        assert signal.getsignal(signal.SIGTERM) is mine
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(Interrupted, match="SIGINT: stopped after step 2") as caught:
            trained("run_dir=run", callbacks=[interrupt])
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGUSR1), before, strict=True):
            signal.signal(number, handler)
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert gan_cli.load("run").resume(progress=False).state == "finished"


def test_a_run_in_a_thread(usual):
    done = []
    thread = threading.Thread(target=lambda: done.append(trained()))
    thread.start()
    thread.join()
    assert files(done[0].path) == usual


def test_torchs_settings_stay_the_callers():
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    cudnn = torch.backends.cudnn
    cudnn.benchmark = True
    torch.set_num_threads(2)
    try:
        run = trained()
        run.sample(2)
        assert (torch.get_num_threads(), cudnn.benchmark) == (2, True)
        assert torch.equal(torch.rand(2), expected)
    finally:
        cudnn.benchmark = False


def test_mistakes_leave_nothing():
    for arguments, message in (
        ({"overrides": ["train.stpes=3"]}, "train.stpes=3: no such key"),
        ({"overrides": "loss=wgan"}, "overrides='loss=wgan': must be a list"),
        ({"overrides": ["seed=0,1"]}, "seed=0,1: several values are a sweep; use gan_cli.sweep"),
        ({"callbacks": [3]}, "callbacks: must be a list of functions"),
        ({"callbacks": print}, "callbacks: must be a list of functions"),
        ({"overrides": ["loss=infogan", "latent=normal"]}, "loss"),
    ):
        with pytest.raises(UserError, match=f"^{message}"):
            gan_cli.train(**arguments)
    assert os.listdir() == []


def test_a_sweep(monkeypatch, capsys, usual):
    monkeypatch.setattr(process, "start", children.gan)
    runs = gan_cli.sweep([*POINTS, "seed=0,1", "sweep.name=seeds", "sweep.jobs=2"])
    assert [run.path.name for run in runs] == ["seed-0", "seed-1"]
    assert files(runs[0].path) == usual
    assert capsys.readouterr().out == ""
    assert json.loads(Path("runs/seeds/sweep.json").read_text())["command"][0] == "gan_cli.sweep"
    assert [run.config.seed for run in gan_cli.load("seeds")] == [0, 1]
    with pytest.raises(GanError, match=r"1 failed, 1 finished; .*; gan_cli\.load\('runs/bad'\) returns the runs"):
        gan_cli.sweep([*POINTS, "optimizer.lr=1e-4,1e30", "loss=wgan", "constraint=none", "sweep.name=bad"])
    with pytest.raises(UserError, match=r"^cell 2 of 2 .*no such option"):
        gan_cli.sweep([*POINTS, "loss=wgan,wgann"])
    with pytest.raises(UserError, match="gan train -m"), contextlib.suppress(ImportError):
        gan_cli.sweep([*POINTS, "seed=0,1", "hydra.launcher._target_=a.Other"])
