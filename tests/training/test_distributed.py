"""Several processes train what one trains that takes their shares in turn."""

import contextlib
import io
import os
import re
import signal
import time

import pytest
import torch
from safetensors.torch import load_file, save

from gan_cli.cli import main
from gan_cli.conditions.class_norm import ClassNorm
from gan_cli.runs.metrics_log import read_rows
from gan_cli.training.shared_norm import SharedBatchNorm, share_batch_norm
from tests.children import Ranks, fresh
from tests.hostile import forge

POINTS = (
    *("model=toy_mlp", "dataset=ring", "model.width=8", "latent.size=3", "train.batch_size=16", "train.steps=6"),
    *("runtime=cpu", "runtime.threads=1", "log.every_steps=2", "log.samples_every_steps=6", "checkpoint.every_steps=2"),
)
IMAGES = (
    *("model=dcgan", "model.width=4", "latent.size=6", "dataset.image_size=16", "dataset.limit=100"),
    *("train.batch_size=16", "train.steps=2", "runtime=cpu", "runtime.threads=1", "log.every_steps=1"),
)


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(*argv):
        running.append(Ranks(tmp_path, argv))
        return running[-1]

    yield begin
    for member in (m for ranks in running for m in ranks.members if m.poll() is None):
        member.process.kill()


def alone(folder, monkeypatch, *argv):
    monkeypatch.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(list(argv)) == 0


def state(run, step):
    return (run / "checkpoints" / f"step_{step:010d}" / "state.safetensors").read_bytes()


def until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize(
    "overrides",
    [
        ("loss=wgan_gp", "train.ema_halflife_images=50", "evaluate.every_steps=4", "evaluate.count=20"),
        ("loss=began",),  # its k_t moves by the whole batch
        ("loss=fgan_kl", "updates=simultaneous", "train.accumulate=2"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_two_processes_equal_one_that_takes_their_shares_in_turn(start, tmp_path, monkeypatch, overrides):
    accumulate = 2 * int(dict(o.split("=") for o in overrides).get("train.accumulate", 1))
    both = start("train", *POINTS, *overrides, "run_dir=two")
    alone(tmp_path, monkeypatch, "train", *POINTS, *overrides, f"train.accumulate={accumulate}", "run_dir=one")
    assert both.codes() == [0, 0], [path.read_text() for path in both.outputs]
    assert both.outputs[1].read_text() == ""
    assert "2 processes of 1 threads" in both.outputs[0].read_text()
    if accumulate == 2:
        assert state(tmp_path / "two", 6) == state(tmp_path / "one", 6)
        assert (tmp_path / "two/metrics.jsonl").read_bytes() == (tmp_path / "one/metrics.jsonl").read_bytes()
    else:  # means of means
        two, one = (read_rows(tmp_path / run / "metrics.jsonl")[-1] for run in ("two", "one"))
        assert two == pytest.approx(one, rel=1e-4, abs=1e-6)


def test_shared_batch_norm_is_that_of_the_whole_batch(start, tmp_path, monkeypatch):
    runs = {way: start("train", *IMAGES, f"runtime.batch_norm={way}", f"run_dir={way}") for way in ("sync", "local")}
    alone(tmp_path, monkeypatch, "train", *IMAGES, "run_dir=one")
    assert [run.codes() for run in runs.values()] == [[0, 0], [0, 0]]
    last = {run: load_file(tmp_path / run / "checkpoints/step_0000000002/state.safetensors") for run in (*runs, "one")}
    statistics = [name for name in last["one"] if "running" in name]
    assert statistics
    for name in statistics:
        torch.testing.assert_close(last["sync"][name], last["one"][name], rtol=1e-3, atol=1e-5)
    assert any(not torch.allclose(last["local"][name], last["one"][name], rtol=1e-3) for name in statistics)


class Two:
    """Stands for two processes that see the same rows."""

    size, working = 2, True


@pytest.mark.parametrize("dims", [(5,), (5, 3, 4)])
def test_a_shared_batch_norm_computes_what_one_computes(monkeypatch, dims):
    monkeypatch.setattr("gan_cli.training.shared_norm.dist.all_reduce", lambda t: t.mul_(2))
    plain = (torch.nn.BatchNorm1d if len(dims) == 1 else torch.nn.BatchNorm2d)(5)
    torch.nn.init.normal_(plain.weight, generator=torch.Generator().manual_seed(0))
    own = torch.nn.Sequential(plain)
    shared = torch.nn.Sequential(type(plain)(5))
    shared.load_state_dict(own.state_dict())
    share_batch_norm(shared, Two())
    assert isinstance(shared[0], SharedBatchNorm)
    assert list(shared.state_dict()) == list(own.state_dict())
    x = torch.randn(8, *dims, generator=torch.Generator().manual_seed(1))
    again = torch.cat([x, x])  # the two processes' batch
    torch.testing.assert_close(shared(x), own(again)[:8], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(shared.state_dict(), own.state_dict(), rtol=1e-5, atol=1e-6)
    shared.load_state_dict(own.state_dict())
    own.eval(), shared.eval()
    assert torch.equal(shared(x), own(x))


def test_a_class_conditional_norm_is_shared_too():
    network = ClassNorm(torch.nn.Sequential(torch.nn.BatchNorm1d(3)), 2)
    share_batch_norm(network, Two())
    assert [type(m).__name__ for m in network.modules()].count("SharedBatchNorm") == 1


def test_a_signal_to_one_stops_both_after_the_same_step(start, tmp_path, monkeypatch):
    many = (*POINTS, "loss=wgan_gp", "train.steps=100000")
    running = start("train", *many, "run_dir=two")
    until(lambda: list((tmp_path / "two").glob("checkpoints/step_*")), "no checkpoint")
    os.kill(running.members[1].pid, signal.SIGTERM)
    assert running.codes() == [143, 143], [path.read_text() for path in running.outputs]
    printed = running.outputs[0].read_text()
    assert "SIGTERM: stopped after step" in printed
    stopped = int(printed.rpartition("after step ")[2].partition(";")[0])
    assert (tmp_path / f"two/checkpoints/step_{stopped:010d}").is_dir()
    assert running.outputs[1].read_text() == ""
    alone(tmp_path, monkeypatch, "train", *many, f"train.steps={stopped}", "train.accumulate=2", "run_dir=one")
    assert state(tmp_path / "two", stopped) == state(tmp_path / "one", stopped)


def test_what_a_killed_process_leaves_is_taken_up_bit_for_bit(start, tmp_path, monkeypatch):
    argv = ("train", *POINTS, "loss=wgan_gp", "run_dir=two", "resume=auto")
    running = start(*argv, "train.steps=100000")
    until(lambda: list((tmp_path / "two").glob("checkpoints/step_*")), "no checkpoint")
    os.kill(running.members[1].pid, signal.SIGKILL)
    assert running.codes() == [1, -signal.SIGKILL]
    assert "another process of this run has ended" in running.outputs[0].read_text()
    saved = max(int(path.name[5:]) for path in (tmp_path / "two/checkpoints").glob("step_*"))
    assert start(*argv, f"train.steps={saved + 4}").codes() == [0, 0]
    one = ("train", *POINTS, "loss=wgan_gp", f"train.steps={saved + 4}", "train.accumulate=2", "run_dir=one")
    alone(tmp_path, monkeypatch, *one)
    assert state(tmp_path / "two", saved + 4) == state(tmp_path / "one", saved + 4)


def test_a_finished_run_lets_every_process_go(start, tmp_path):
    argv = ("train", *POINTS, "loss=wgan_gp", "train.steps=2", "run_dir=two", "resume=auto")
    assert start(*argv).codes() == [0, 0]
    again = start(*argv)
    assert again.codes() == [0, 0]
    assert "has finished its 2 steps" in again.outputs[0].read_text()


def test_slots_that_the_first_step_cannot_take_end_every_process_without_a_traceback(start, tmp_path, monkeypatch):
    """Adafactor's slots are in no table, so only its first step shows that some are missing."""
    (tmp_path / "optimizer").mkdir()
    block = "{_target_: torch.optim.Adafactor, lr: 1e-3}"
    (tmp_path / "optimizer/adafactor.yaml").write_text(f"lr: 1e-3\ncritic: {block}\ngenerator: {block}\n")
    argv = ("train", "--config-dir", ".", "optimizer=adafactor", *POINTS, "loss=wgan_gp", "run_dir=run", "resume=auto")
    alone(tmp_path, monkeypatch, *argv, "train.steps=2")
    only = tmp_path / "run/checkpoints/step_0000000002"
    tensors = load_file(only / forge.STATE)
    forge.put(only, forge.STATE, save({name: t for name, t in tensors.items() if not name.endswith("/row_var")}))
    resumed = start(*argv)
    assert resumed.codes() == [2, 2]
    main_process, other = (path.read_text() for path in resumed.outputs)
    assert re.search(r"^gan: .* the optimizer's first step from there failed \(.*\)\n\Z", main_process, re.M)
    assert "Traceback" not in main_process
    assert other == ""


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("loss=mmd",), "2 processes: loss=MMD compares the samples of a batch with each other"),
        (("loss=nonsaturating", "updates=unrolled"), "2 processes: unrolling is not a sum over samples"),
        (("train.batch_size=9",), "2 processes: do not divide train.batch_size=9; choose a multiple of 2"),
        (("train.accumulate=3",), "2 processes x train.accumulate=3: do not divide train.batch_size=16"),
        (("-m", "seed=0,1"), "-m: torchrun's processes train one run together"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("rank", [0, 1])
def test_what_several_processes_cannot_do_is_refused_once(monkeypatch, capsys, tmp_path, rank, overrides, expected):
    monkeypatch.chdir(tmp_path)
    place = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1"}
    for name, value in place.items():
        monkeypatch.setenv(name, str(value))
    assert main(["train", *POINTS, *overrides]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"gan: {expected}") if rank == 0 else error == ""
    assert not list(tmp_path.iterdir())


def test_a_restart_needs_a_run_to_go_on_with(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "3")
    assert main(["train", *POINTS]) == 2
    assert capsys.readouterr().err.startswith("gan: resume=never: torchrun would restart a failed run")


def test_another_launchers_environment_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "two")
    monkeypatch.setenv("MASTER_ADDR", "here")
    assert main(["train", *POINTS]) == 2
    assert "WORLD_SIZE=two" in capsys.readouterr().err


DIES = """
import os, signal, sys
from gan_cli import cli
from gan_cli.session import worker
plain = worker.fit
def fit(state, run, callbacks):
    def die(state, logs):
        if state.step == 5 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)
    plain(state, run, [die, *callbacks])
worker.fit = fit
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_torchrun_starts_again_what_a_killed_process_left(tmp_path, monkeypatch):
    (tmp_path / "dies.py").write_text(DIES)
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--max-restarts=1"]
    train = ["train", *POINTS, "loss=wgan_gp", "resume=auto", "run_dir=two"]
    ended = fresh(*torchrun, "dies.py", *train, folder=tmp_path)
    assert "from step 4" in ended.stderr
    alone(tmp_path, monkeypatch, "train", *POINTS, "loss=wgan_gp", "train.accumulate=2", "run_dir=one")
    assert state(tmp_path / "two", 6) == state(tmp_path / "one", 6)
