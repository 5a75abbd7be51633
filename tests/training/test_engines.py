"""Every engine takes the steps that `Eager` takes, for every part, by glob.

A recording of a phase's operations stands for a CUDA graph where there is no GPU: like one, it repeats them on the same
memory without running any of our code, so whatever changes from step to step and does not come in through what is
copied would show.
"""

from functools import partial

import pytest
import torch
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from gan_cli.config import parts as parts_of_a_config
from gan_cli.config.schema import Part
from gan_cli.core.processes import Processes
from gan_cli.errors import GanError, UserError
from gan_cli.session import build, engines
from gan_cli.training.compiled import Compiled
from gan_cli.training.eager import Eager
from gan_cli.training.graphed import CudaGraphs
from tests.children import fresh
from tests.conftest import LOSSES, TINY, options
from tests.helpers import Labelled, Noise

CPU, IMAGE, STEPS = torch.device("cpu"), (1, 16, 16), 3
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


class Recorded:
    """Captures work as its operations; recording runs them, so what it moved is put back."""

    def __init__(self, state):
        self.state = state
        self.calls = 0

    def __call__(self, work):
        kept = {name: t.clone() for name, t in self.state.tensors().items()}
        with tracing(TracingContext(FakeTensorMode())):  # of one mode, rather than of a new one for each value
            recorded = make_fx(work)()
        for name, tensor in self.state.tensors().items():
            tensor.copy_(kept[name])

        def replay():
            self.calls += 1
            with torch.no_grad():
                return recorded()

        return replay


def built(config_of, overrides, shape, n_classes=0):
    plan = build.check(config_of(*overrides), shape, n_classes)
    return plan.state_for(shape, n_classes), plan


def trained(state, engine, steps=STEPS):
    logs = []
    for _ in range(steps):
        logs += engine(state)
        state.step += 1
    assert logs
    return state.tensors() | {f"{i}/{tag}": value for i, log in enumerate(logs) for tag, value in log.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def compare(config_of, *overrides, shape=IMAGE, n_classes=0, engine="graphs"):
    size = () if shape == (2,) else ("dataset.image_size=16", *TINY)
    source = Labelled(shape, 8) if n_classes else Noise(shape, 8)

    def run(make):
        state, plan = built(config_of, (*size, *overrides), shape, n_classes)
        arguments = (plan.parts.updates, source, 8, 0, CPU, plan.config.train.accumulate)
        return trained(state, make(state, *arguments))

    expected = run(lambda _, *arguments: Eager(*arguments))
    if engine == "compiled":
        found = run(lambda _, *arguments: Compiled(*arguments, compiler=lambda recorded: recorded))
    else:
        captures = []

        def graphs(state, *arguments):
            captures.append(Recorded(state))
            return CudaGraphs(*arguments, capture=captures[0])

        found = run(graphs)
        assert captures[0].calls
    assert_same(found, expected)


def parts():
    yield from ((f"constraint={c}", "loss=wgan") for c in options("constraint"))
    yield ("loss=wgan_gp", "constraint.every=2")
    short = {"unrolled": ("updates.k=1",)}
    yield from ((f"updates={u}", "loss=nonsaturating", *short.get(u, ())) for u in options("updates"))
    yield from ((f"input={i}", "loss=nonsaturating") for i in options("input"))
    yield from ((f"latent={z}", "loss=nonsaturating") for z in options("latent") if z != "infogan")
    yield ("loss=wgan_gp", "train.accumulate=2", "model=mlp", "train.ema_halflife_images=50")
    yield ("loss=wgan_gp", "updates=unrolled", "updates.k=1", "constraint.every=3")


NO_COUNT = "optimizer=rmsprop"  # torch's Adam counts its steps on the host unless its weights are on a GPU
BY_DEFAULT = {"wgan", "infogan", "began"}  # of the losses; the others are slow tests
PARTS = list(parts())
EVERY_LOSS = [pytest.param(x, marks=() if x in BY_DEFAULT else pytest.mark.slow) for x in LOSSES]


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_a_graph_of_every_loss_takes_the_steps_of_eager(config_of, loss):
    compare(config_of, f"loss={loss}", NO_COUNT)


@pytest.mark.parametrize("overrides", PARTS, ids="+".join)
def test_a_graph_of_every_part_takes_the_steps_of_eager(config_of, overrides):
    compare(config_of, *overrides, NO_COUNT)


@pytest.mark.parametrize("condition", [c for c in options("condition") if c != "none"])
def test_a_graph_of_every_condition_takes_the_steps_of_eager(config_of, condition):
    compare(config_of, "loss=nonsaturating", f"condition={condition}", NO_COUNT, n_classes=3)


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [*[(f"loss={x}",) for x in LOSSES], *PARTS], ids="+".join)
def test_recorded_operations_of_every_part_take_the_steps_of_eager(config_of, overrides):
    compare(config_of, *overrides, engine="compiled")


@pytest.mark.parametrize(
    "overrides", [("loss=wgan_gp", "constraint.every=2"), ("loss=nonsaturating", "input=noise")], ids="+".join
)
def test_recorded_operations_take_the_steps_of_eager(config_of, overrides):
    compare(config_of, *overrides, engine="compiled")


def test_what_a_recording_does_not_see_would_show(config_of, monkeypatch):
    # a schedule that counts for itself, instead of asking the draws, stands still in a recording
    calls = iter(range(10_000))

    def call(self, x, stream, draws):
        return x + self.std_at(next(calls)) * draws.normal(stream, *x.shape)

    monkeypatch.setattr("gan_cli.inputs.noise.InstanceNoise.__call__", call)
    with pytest.raises(AssertionError):
        compare(config_of, "loss=nonsaturating", "input=noise", "input.until_step=100", NO_COUNT)


@pytest.mark.parametrize("overrides", [("loss=wgan",), ("loss=wgan_gp", "model=mlp")], ids="+".join)
@pytest.mark.slow
def test_compiled_steps_are_those_of_eager_but_for_rounding(config_of, overrides):
    size = ("dataset.image_size=16", *TINY, *overrides, "optimizer=sgd", "optimizer.lr=1e-3")

    def run(make):
        state, plan = built(config_of, size, IMAGE)
        start = {name: t.clone() for name, t in state.tensors().items()}
        end = trained(state, make(plan.parts.updates, Noise(IMAGE, 8), 8, 0, CPU), steps=2)
        return {name: (end[name] - t).double() for name, t in start.items()}

    expected, found = run(Eager), run(Compiled)
    for name, moved in expected.items():
        assert (found[name] - moved).norm() <= COMPILED_TOLERANCE * moved.norm() + 1e-9, name


COMPILED_TOLERANCE = 1e-4  # of a tensor's movement, by its norm: sums are taken in another order


@pytest.mark.slow
def test_a_compiled_run_resumes_bit_exactly(tmp_path):
    small = ["loss=wgan_gp", "model=mlp", "model.width=8", "dataset.image_size=16", "updates.n_critic=2"]
    often = ["log.every_steps=1", "checkpoint.every_steps=2", "runtime.threads=1", "runtime.engine=compile"]

    def train(name, steps, *more):
        arguments = [*small, *often, f"train.steps={steps}", f"run_dir={name}", *more]
        fresh("-m", "gan_cli", "train", *arguments, folder=tmp_path)

    train("whole", 4)
    train("cut", 2)
    train("cut", 4, "resume=auto")
    for file in ("metrics.jsonl", "checkpoints/step_0000000004/state.safetensors"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "cut" / file).read_bytes(), file


def test_a_step_that_does_not_compile_is_reported_in_one_line(config_of):
    def broken(*_):
        raise RuntimeError("no compiler here\nand a long story")

    state, plan = built(config_of, ("dataset.image_size=16", *TINY), IMAGE)
    engine = Compiled(plan.parts.updates, Noise(IMAGE, 8), 8, 0, CPU, compiler=lambda recorded: broken)
    with pytest.raises(GanError) as caught:
        engine(state)
    reason = "RuntimeError: no compiler here"
    expected = f"runtime.engine=compile: this step cannot be compiled here ({reason}): runtime.engine=eager"
    assert str(caught.value) == expected


ADAGRAD = ("optimizer=sgd", "optimizer.critic._target_=torch.optim.Adagrad", "~optimizer.critic.momentum")


@pytest.mark.parametrize(
    ("overrides", "world", "engine", "reason"),
    [
        (("runtime.engine=eager",), 1, "eager", None),
        (("runtime.engine=compile",), 1, "compile", None),
        ((), 1, "eager", "on a CPU nearly all"),
        (("runtime.device=cuda",), 1, "cuda_graph", "one by one"),
        (("runtime.device=cuda", "optimizer=sgd"), 1, "cuda_graph", "one by one"),
        (("runtime.device=cuda",), 2, "eager", "2 processes"),
        (("runtime.device=cuda", "allow_targets=[mine]"), 1, "cuda_graph", "one by one"),  # no part is of that module
        (("runtime.device=cuda", *ADAGRAD), 1, "eager", "Adagrad"),
    ],
)
def test_auto_is_a_rule(config_of, monkeypatch, overrides, world, engine, reason):
    config = config_of("loss=wgan", "runtime.device=cpu", "runtime.engine=auto", *overrides)
    monkeypatch.setattr(engines, "processes", lambda: Processes(0, world, 0, world))
    choice = choice_of(config)
    assert choice.engine == engine
    assert (choice.reason is None) if reason is None else reason in choice.reason


def choice_of(config):
    parameter = [torch.nn.Parameter(torch.ones(1))]
    make = {
        "Adagrad": torch.optim.Adagrad,
        "SGD": torch.optim.SGD,
        "RMSprop": partial(torch.optim.RMSprop, capturable=True),
    }
    chosen = {"critic": config.optimizer.critic, "generator": config.optimizer.generator}
    optimizers = {player: make[part.name](parameter, lr=1e-3) for player, part in chosen.items()}
    return engines.choose(config.runtime, optimizers, parts_of_a_config.own_code(config))


@pytest.mark.parametrize("group", ["loss", "dataset"])
def test_a_part_of_other_code_is_captured_in_no_graph(config_of, group):
    config = config_of("loss=wgan", "runtime.device=cuda", "runtime.engine=auto")
    choice = choice_of(config.replace(**{group: Part.of("mine.Own", {})}))
    assert choice.engine == "eager"
    assert "outside gan_cli" in choice.reason


@pytest.mark.parametrize(
    ("engine", "expected"),
    [("cuda_graph", "runtime.engine=cuda_graph: needs an NVIDIA GPU, this run is on cpu: runtime.engine=eager")],
)
def test_an_engine_that_cannot_run_is_refused(config_of, engine, expected):
    with pytest.raises(UserError) as error:
        build.check(config_of(f"runtime.engine={engine}", "runtime.device=cpu"))
    assert str(error.value) == expected


CUDA_PARTS = [*[(f"loss={x}",) for x in LOSSES], *PARTS]


@pytest.mark.cuda
@CUDA
@pytest.mark.parametrize("overrides", CUDA_PARTS, ids="+".join)
def test_cuda_graphs_take_the_steps_of_eager(config_of, overrides):
    device = torch.device("cuda")
    size = ("dataset.image_size=16", "runtime.device=cuda", "runtime.precision=fp32", *TINY, *overrides)

    def run(make):
        state, plan = built(config_of, size, IMAGE)  # sets threads and precision
        data = ImagesOnDevice(device)
        return trained(state, make(plan.parts.updates, data, 8, 0, device, plan.config.train.accumulate), 4)

    assert_same(run(CudaGraphs), run(Eager))


class ImagesOnDevice(Noise):
    def __init__(self, device):
        super().__init__(IMAGE, 8)
        self.device = device

    def draw(self, k):
        return tuple(t.to(self.device) for t in super().draw(k))
