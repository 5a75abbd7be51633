"""Schedules: their curve, what follows it, and the engines that must read it again at every step."""

import math

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.schedules.schedule import Schedule
from gan_cli.session import build, engines
from gan_cli.training.compiled import Compiled
from gan_cli.training.eager import Eager
from gan_cli.training.ema import MovingAverage
from gan_cli.training.graphed import CudaGraphs
from tests.conftest import TINY
from tests.helpers import Noise
from tests.training.test_engines import Recorded, assert_same, trained

SHAPE = (2,)
RUN = ("model=toy_mlp", "dataset=ring", *TINY, "train.steps=4", "updates.n_critic=1")


def test_the_curve_of_each_shape():
    linear = Schedule("linear", until_step=10, hold_share=0.5, lr_end=0.0)
    assert [linear.rate("critic", step) for step in (0, 5, 6, 9, 10, 99)] == pytest.approx([1, 1, 0.8, 0.2, 0, 0])
    cosine = Schedule("cosine", until_step=4, lr_end=0.25)
    expected = [1 - 0.75 * (1 - math.cos(math.pi * step / 4)) / 2 for step in range(5)]
    assert [cosine.rate("generator", step) for step in range(5)] == pytest.approx(expected)
    warmup = Schedule(warmup_steps=4)
    assert [warmup.rate("critic", step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert Schedule().rate("critic", 7) == Schedule().penalty(7) == Schedule().halflife(7) == 1


def test_one_player_alone():
    schedule = Schedule("linear", until_step=4, lr_end=0.0, players="generator", warmup_steps=2)
    assert [schedule.rate("critic", step) for step in range(4)] == [0.5, 1, 1, 1]
    assert [schedule.rate("generator", step) for step in range(4)] == [0.5, 0.75, 0.5, 0.25]


def test_r3gans_values(config_of):
    plan = build.check(config_of("loss=r3gan", "schedule=r3gan", "train.steps=8", "train.ema_halflife_images=80"), None)
    schedule, lr = plan.parts.schedule, plan.config.optimizer.lr
    assert [lr * schedule.rate("critic", step) for step in (0, 8)] == pytest.approx([2e-4, 5e-5])
    assert [2 * schedule.penalty(step) for step in (0, 8)] == pytest.approx([2, 0.2])
    assert [schedule.beta2(0.9, step) for step in (0, 8)] == pytest.approx([0.9, 0.99])
    assert [schedule.halflife(step) for step in (0, 8)] == pytest.approx([0, 1])


def test_the_average_follows_its_halflife():
    network = torch.nn.Linear(1, 1)
    average = MovingAverage(network, halflife_images=40, batch_size=10)
    assert average.share(1.0) == 1 - 0.5 ** (10 / 40)
    assert average.share(0.5) == pytest.approx(1 - 0.5 ** (10 / 20))
    torch.nn.init.constant_(network.weight, 3.0)
    average.update(network, average.share(0.0))
    assert average.network.weight.item() == 3.0


def state_of(config_of, *overrides):
    plan = build.check(config_of(*RUN, *overrides), SHAPE)
    return plan.state_for(SHAPE, 0), plan


def test_the_optimizer_moves_by_the_rate_of_the_step(config_of):
    overrides = ("loss=gan", "updates=alternating", "optimizer=sgd", "optimizer.lr=0.5", "schedule=linear")
    state, plan = state_of(config_of, *overrides, "schedule.hold_share=0")
    run = Eager(plan.parts.updates, Noise(SHAPE, 8), 8, 0, plan.device)
    for step, rate in enumerate([0.5, 0.375, 0.25, 0.125]):
        before = [p.clone() for p in state.params["generator"]]
        (generator,) = [logs for logs in run(state) if "generator/loss" in logs]
        moved = torch.stack(
            [(a - b).detach().square().sum() for a, b in zip(before, state.params["generator"], strict=True)]
        )
        assert float(moved.sum().sqrt()) == pytest.approx(rate * float(generator["generator/grad_norm"]), rel=1e-4)
        state.step = step + 1


@pytest.mark.parametrize("engine", ["graphs", "compiled"])
@pytest.mark.parametrize(
    "overrides",
    [
        ("loss=wgan_gp", "schedule=cosine", "schedule.penalty_end=0.1"),
        ("loss=wgan_gp", "schedule=linear", "schedule.ema_start=0", "train.ema_halflife_images=20"),
        ("loss=gan", "updates=unrolled", "updates.k=1", "schedule=cosine"),
    ],
    ids="+".join,
)
def test_every_engine_follows_the_schedule(config_of, engine, overrides):
    same_rate = ["schedule.lr_end=1.0"] if engine == "graphs" else []  # no optimizer of torch's reads a tensor on a CPU

    def run(make):
        state, plan = state_of(config_of, *overrides, *same_rate, "optimizer=rmsprop")
        return trained(state, make(state, plan.parts.updates, Noise(SHAPE, 8), 8, 0, plan.device))

    expected = run(lambda _, *arguments: Eager(*arguments))
    if engine == "compiled":
        assert_same(run(lambda _, *a: Compiled(*a, compiler=lambda recorded: recorded)), expected)
    else:
        assert_same(run(lambda state, *a: CudaGraphs(*a, capture=Recorded(state))), expected)


def test_a_graph_holds_a_rate_that_moves_only_on_the_device(config_of, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    schedule, still = Schedule("cosine", 4, lr_end=0.0), Schedule()
    runtime = config_of().runtime.replace(device="cuda", engine="auto")
    weights = [torch.nn.Parameter(torch.zeros(1))]
    adam = torch.optim.Adam(weights, capturable=True)
    rmsprop = torch.optim.RMSprop(weights, capturable=True)
    for found, expected in (
        (engines.choose(runtime, {"critic": adam}, False, schedule), "cuda_graph"),
        (engines.choose(runtime, {"critic": rmsprop}, False, schedule), "eager"),
        (engines.choose(runtime, {"critic": rmsprop}, False, still), "cuda_graph"),
        (engines.choose(runtime, {"critic": adam}, False, Schedule("linear", 4, beta2_end=0.5)), "eager"),
    ):
        assert found.engine == expected, found


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ("schedule=cosine", "schedule.penalty_end=0.1"),
            "schedule.penalty_end=0.1: constraint=WeightClip has no penal",
        ),
        (("schedule=cosine", "schedule.beta2_end=0.9"), "schedule.beta2_end=0.9: RMSprop has no betas"),
        (("schedule=linear", "schedule.hold_share=1.0"), "schedule.hold_share=1.0: must be"),
    ],
)
def test_what_nothing_reads_is_refused(config_of, overrides, expected):
    with pytest.raises(UserError) as caught:
        build.check(config_of(*RUN, *overrides), SHAPE)
    assert expected in str(caught.value)


def test_a_schedule_of_no_average_is_a_warning(config_of):
    plan = build.check(config_of("loss=r3gan", "schedule=r3gan"))
    assert plan.warnings == [
        "schedule.ema_start=0.0 has no effect, since the run keeps no moving average; train.ema_halflife_images=10000 "
        "keeps one"
    ]


def test_a_longer_run_of_another_schedule_is_refused(gan, refused, tmp_path):
    run = (*RUN, "schedule=linear", "train.batch_size=8", f"run_dir={tmp_path / 'run'}")
    gan("train", *run)
    assert "schedule.until_step: 4 -> 6" in refused("train", *run, "train.steps=6", "resume=auto")
    gan("train", *run, "train.steps=6", "schedule.until_step=4", "resume=auto")
