"""A run's life: stops, non-finite numbers, untouched training, the estimate."""

import errno
import json
import os
import signal

import pytest
import torch
from torch.testing import assert_close

from gan_cli.errors import Interrupted, NonFiniteError, UserError
from gan_cli.losses.base import CriticOutput
from gan_cli.runs import checkpoint, directory
from gan_cli.session import build, runtime
from gan_cli.session.job import Earlier
from gan_cli.session.restore import restore
from gan_cli.session.session import Session
from gan_cli.training import eager
from gan_cli.training.phases import update
from gan_cli.training.probes import CriticProbe
from tests.conftest import TINY
from tests.helpers import Noise, noise_data

SHAPE = (1, 16, 16)
LOGGING = ("log.every_steps=2", "log.samples_every_steps=3", "log.sample_count=4")


@pytest.fixture
def begin(config_of, tmp_path):
    def session(name, *overrides, steps=6, resume=False, data=None):
        plan = build.check(config_of("dataset.image_size=16", f"train.steps={steps}", *TINY, *LOGGING, *overrides))
        (tmp_path / name).mkdir(exist_ok=True)
        run = directory.RunDirectory(tmp_path / name)
        data = data or noise_data(SHAPE, 8)
        state = plan.state(data)
        found = checkpoint.load(run.checkpoints, pytest.fail) if resume and checkpoint.steps(run.checkpoints) else None
        if found:
            restore(state, found)
        return Session(plan, run, data, state, Earlier(found) if resume else None).open()

    return session


def tensors(path):
    return checkpoint.load(path / directory.CHECKPOINTS, pytest.fail).tensors


def test_seeds_differ_and_repeat(begin, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        begin(name, f"seed={seed}", steps=2).train()
    a, b, c = (tensors(tmp_path / name) for name in "abc")
    assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(a["game/critic.score.weight"], c["game/critic.score.weight"])


def test_logging_never_shifts_training(begin, tmp_path):
    begin("often", steps=4).train()
    begin("seldom", "log.every_steps=100", "log.samples_every_steps=100", steps=4).train()
    often, seldom = (
        {n: t for n, t in tensors(tmp_path / name).items() if not n.startswith("averages/")}
        for name in ("often", "seldom")
    )
    assert_close(often, seldom, rtol=0, atol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_says_how_to_continue(begin, tmp_path, number):
    class Kicks(Noise):
        def draw(self, k):
            if k == 12:  # in the third step
                os.kill(os.getpid(), number)
            return super().draw(k)

    before = signal.getsignal(number)
    data = noise_data(SHAPE, 8)
    kicked = type(data)(data.shape, None, Kicks(SHAPE, 8), data.heldout, "noise", data.fixed)
    with pytest.raises(Interrupted, match=f"after step 3; `gan resume {tmp_path}/run` continues it") as caught:
        begin("run", data=kicked).train()
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert checkpoint.steps(tmp_path / "run" / directory.CHECKPOINTS) == [3]
    assert directory.read_status(tmp_path / "run")["status"] == "interrupted"
    begin("run", resume=True).train()
    begin("whole").train()
    assert_close(tensors(tmp_path / "run"), tensors(tmp_path / "whole"), rtol=0, atol=0)
    assert directory.read_status(tmp_path / "run")["status"] == "finished"


@pytest.mark.parametrize("where", ["data", "weights"])
def test_a_nan_stops_the_run_and_nothing_is_saved_after_it(begin, tmp_path, where):
    session = begin("run", "checkpoint.every_steps=1")

    class Bad(Noise):
        def draw(self, k):
            (x,) = super().draw(k)
            if k == 17 and where == "data":
                x[0, 0, 0, 0] = float("nan")
            elif k == 17:
                session.state.params["generator"][0].data[0] = float("nan")
            return (x,)

    session.callbacks.engine.source = Bad(SHAPE, 8)
    with pytest.raises(NonFiniteError, match=r"(critic|generator)/\w+ became nan at step 4: a smaller optimizer.lr"):
        session.train()
    assert checkpoint.steps(tmp_path / "run" / directory.CHECKPOINTS) == [3, 2]
    assert NonFiniteError.exit_code == 70
    assert "became nan at step 4" in directory.read_status(tmp_path / "run")["reason"]


def test_a_full_disk_is_reported_and_the_older_checkpoint_serves(begin, tmp_path, monkeypatch):
    session = begin("run", "checkpoint.every_steps=1", steps=3)
    save = checkpoint.save

    def full_at_2(folder, step, *rest):
        if step == 2:
            monkeypatch.setattr(directory, "replace_file", full)  # run.json does not fit either
            full(folder, [])
        return save(folder, step, *rest)

    def full(path, pieces):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoint, "save", full_at_2)
    with pytest.raises(Exception, match=r"checkpoints: No space left on device.*gan resume") as caught:
        session.train()
    assert caught.value.exit_code == 1
    monkeypatch.undo()
    begin("run", steps=3, resume=True).train()
    assert directory.read_status(tmp_path / "run")["status"] == "finished"


def test_two_processes_on_one_run(tmp_path):
    first = directory.RunDirectory(tmp_path)
    with pytest.raises(UserError, match="in use by another process"):
        directory.RunDirectory(tmp_path)
    first.close()
    directory.RunDirectory(tmp_path).close()


def test_a_checkpoint_of_another_config(begin):
    begin("run", steps=2).train()
    with pytest.raises(UserError, match="does not fit the config"):
        begin("run", "model=mlp", "model.width=4", steps=4, resume=True)


def test_a_run_killed_before_its_first_checkpoint_begins_again(begin, tmp_path):
    class Killed(Exception):
        pass

    session = begin("run", "checkpoint.every_steps=null", steps=5)

    def kill(state, logs):
        if state.step == 4:
            raise Killed

    session.callbacks.pictures = kill
    with pytest.raises(Killed):
        session.train()
    assert not checkpoint.steps(tmp_path / "run" / directory.CHECKPOINTS)
    begin("run", steps=5, resume=True).train()
    begin("whole", steps=5).train()
    run, whole = tmp_path / "run", tmp_path / "whole"
    assert_close(tensors(run), tensors(whole), rtol=0, atol=0)
    assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_ctrl_c_in_the_last_step_finishes_the_run_and_is_passed_on(begin, tmp_path):
    session = begin("run", steps=2)
    session.callbacks.pictures = lambda state, logs: state.step == 2 and os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Interrupted, match="had finished"):
        session.train()
    assert directory.read_status(tmp_path / "run")["status"] == "finished"


def test_optimizer_slots_keep_the_layout_of_their_parameters(begin):
    session = begin("run", steps=2)
    session.train()
    again = begin("run", steps=4, resume=True).state
    for player, params in again.params.items():
        for p in params:
            assert again.optimizers[player].state[p]["square_avg"].stride() == p.stride()


def test_no_overfitting_shows_where_there_can_be_none(config_of, tmp_path):
    # Unlimited data: a held-out batch is like any other, so the two curves agree on average
    plan = build.check(
        config_of(
            "model=toy_mlp",
            "dataset=ring",
            "model.width=16",
            "train.steps=150",
            "log.every_steps=1",
            "log.samples_every_steps=150",
            "loss=wgan_gp",
            "updates.n_critic=1",
        )
    )
    plan, data = plan.open()
    Session(plan, directory.RunDirectory(tmp_path), data, plan.state(data)).train()
    rows = list(map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines()))
    gaps = torch.tensor([row["critic/wasserstein_estimate"] - row["critic/wasserstein_heldout"] for row in rows])
    assert gaps.std() > 0
    assert abs(gaps.mean()) < 4 * gaps.std() / len(gaps) ** 0.5


def test_the_estimate_is_the_mean_over_all_critic_updates(begin, tmp_path, monkeypatch):
    seen = []

    def watching(state, phase, *args):
        logs = update(state, phase, *args)
        seen.extend([logs] if phase.player == "critic" else [])
        return logs

    monkeypatch.setattr(eager, "update", watching)
    begin("run", "log.every_steps=4", steps=4).train()
    assert len(seen) == 4 * 5
    means = {tag: torch.stack([log[tag] for log in seen]).double().mean().item() for tag in seen[0]}
    (row,) = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert_close({tag: row[tag] for tag in means}, means, rtol=1e-12, atol=0)
    assert row["critic/wasserstein_estimate"] == -row["critic/loss"]  # no penalty in wgan
    assert row["critic/wasserstein_normalised"] == row["critic/wasserstein_estimate"] / row["critic/lipschitz"]
    assert 0 < row["critic/clip_saturation"] <= 1


def test_the_estimate_is_free_of_the_penalty(begin, tmp_path):
    begin("run", "loss=wgan_gp", steps=2).train()
    (row,) = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert_close(row["critic/loss"], row["critic/penalty"] - row["critic/wasserstein_estimate"], rtol=1e-5, atol=1e-5)
    assert row["critic/penalty"] > 0.1


def test_lipschitz_of_a_linear_critic_is_its_weights_norm(begin):
    session = begin("run", "constraint=none")
    weight = torch.randn(SHAPE)

    class Linear(torch.nn.Module):
        def forward(self, x, y, c, trunk_input):
            score = (x * weight).flatten(1).sum(1)
            return CriticOutput(score, score[:, None], {}, x)

    session.state.game.critic = Linear()
    probe = CriticProbe(session.data.heldout, session.callbacks.engine.next_real, 0, torch.device("cpu"))
    row = probe(session.state, {"critic/wasserstein_estimate": 3.0})
    assert_close(row["critic/lipschitz"], weight.norm().item(), rtol=1e-5, atol=0)
    assert_close(row["critic/wasserstein_normalised"], 3.0 / weight.norm().item(), rtol=1e-5, atol=0)


def test_another_machine_is_reported_on_resume(begin, tmp_path, capsys):
    begin("run", steps=2).train()
    path = tmp_path / "run" / directory.STATUS
    status = json.loads(path.read_text())
    status["sessions"][-1]["threads"] = 64
    path.write_text(json.dumps(status))
    capsys.readouterr()
    begin("run", steps=3, resume=True).train()
    assert "threads 64 before, 1 now" in capsys.readouterr().err
    begin("run", steps=4, resume=True).train()
    assert "bit for bit" not in capsys.readouterr().err
    assert len(directory.read_status(tmp_path / "run")["sessions"]) == 3


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOMEM, "Cannot allocate memory", "images.uint8"),
        RuntimeError("could not create a primitive\nException raised from somewhere"),
        MemoryError(),
    ],
)
def test_an_allocation_that_fails_names_the_fix_in_one_line(config_of, error):
    found = runtime.out_of_memory(error, config_of())
    assert "train.batch_size=" in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), RuntimeError("sizes differ")])
def test_another_error_is_not_about_memory(config_of, error):
    assert runtime.out_of_memory(error, config_of()) is None
