"""No step asks the device for a value: every operation of a step is watched on the CPU, for every part, by glob."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.conftest import LOSSES, TINY, options
from tests.helpers import Labelled, Noise

CPU, IMAGE = torch.device("cpu"), (1, 16, 16)
aten = torch.ops.aten
# Operations whose result's value or shape the host must know; on an accelerator each waits for all work before it.
WAITS = {
    aten._local_scalar_dense.default, aten.equal.default, aten.is_nonzero.default, aten.nonzero.default,
    aten.nonzero_numpy.default, aten.masked_select.default, aten.unique_dim.default, aten._unique2.default,
    aten.unique_consecutive.default, aten.allclose.default, aten.repeat_interleave.Tensor, aten.bincount.default,
}  # fmt: skip
ASSIGNMENTS = {aten.index_put.default, aten.index_put_.default}
BY_MASK = {aten.index.Tensor, aten._unsafe_index.Tensor, *ASSIGNMENTS}


class Waited(AssertionError):
    pass


class WaitsForNothing(TorchDispatchMode):
    """Raises on an operation that would wait for the device.

    torch.optim.Adam counts its steps in CPU tensors, also where the weights are on a GPU (unless `capturable`), and
    reads them without waiting for it; these counters alone are exempt. So is a number assigned under a mask
    (`x[mask] = 0`), which torch turns into `masked_fill_`; a tensor assigned so waits for the number of places.
    """

    def __init__(self, optimizers=()):
        super().__init__()
        self.optimizers = optimizers
        self.numbers = []  # of Python, as torch makes them tensors

    def counts_steps(self, tensor):
        slots = (state.get("step") for o in self.optimizers for state in o.state.values())
        return any(isinstance(s, torch.Tensor) and s.data_ptr() == tensor.data_ptr() for s in slots)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        masks = func in BY_MASK and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
        if masks and func in ASSIGNMENTS and args[2].dim() == 0 and True not in args[3:]:
            masks = not any(args[2] is number for number in self.numbers)
        if masks or (func in WAITS and not self.counts_steps(args[0])):
            raise Waited(f"{func} waits for the device")
        result = func(*args, **(kwargs or {}))
        if func == aten.lift_fresh.default:
            self.numbers.append(result)
        return result


X = torch.tensor([-1.0, 2.0])


@pytest.mark.parametrize(
    "wait",
    [
        lambda: X.sum().item(), lambda: bool(X.any()), lambda: float(X[0]), lambda: X[X > 0], lambda: X.nonzero(),
        lambda: torch.equal(X, X), lambda: X.unique(), lambda: torch.where(X > 0),
        lambda: X.index_put((X > 0,), torch.zeros(1)), lambda: X.masked_select(X > 0), lambda: max(X),
        lambda: X.clone().__setitem__(X > 0, X[0]), lambda: X.clone().__setitem__(X > 0, X[1:]),
    ],
)  # fmt: skip
def test_the_watch_sees_what_waits(wait):
    with pytest.raises(Waited), WaitsForNothing():
        wait()


def test_the_watch_passes_a_number_assigned_under_a_mask():
    x = X.clone()
    with WaitsForNothing():
        x[X > 0] = 7
    assert x.tolist() == [-1.0, 7.0]


def every_part():
    yield from ((f"loss={loss}",) for loss in LOSSES)
    yield from (
        (f"loss={loss}", f"constraint={c}") for c in options("constraint") for loss in ("wgan", "nonsaturating")
    )
    yield from (("loss=nonsaturating", f"updates={u}") for u in options("updates"))
    yield from (("loss=wgan_gp", "updates=unrolled", f"updates.inner={i}", "updates.k=2") for i in ("sgd", "rmsprop"))
    yield from (("loss=wgan", "updates=unrolled"), ("loss=wgan_gp", "updates=simultaneous"))
    yield from (("loss=nonsaturating", f"input={i}") for i in options("input"))
    yield from (("loss=nonsaturating", f"optimizer={o}") for o in options("optimizer"))
    yield from (("loss=nonsaturating", f"latent={z}") for z in options("latent") if z != "infogan")
    yield ("loss=wgan_gp", "train.accumulate=2", "model=mlp", "train.ema_halflife_images=50")


@pytest.mark.parametrize("overrides", list(every_part()), ids="+".join)
def test_a_step_waits_for_nothing(config_of, overrides):
    plan = build.check(config_of("dataset.image_size=16", *TINY, *overrides), IMAGE)
    state = plan.state_for(IMAGE, 0)
    engine = Eager(plan.parts.updates, Noise(IMAGE, 8), 8, 0, CPU, plan.config.train.accumulate)
    with WaitsForNothing(state.optimizers.values()):
        for _ in range(2):
            engine(state)
            state.step += 1


@pytest.mark.parametrize("condition", [c for c in options("condition") if c != "none"])
def test_a_conditional_step_waits_for_nothing(config_of, condition):
    plan = build.check(config_of("loss=nonsaturating", f"condition={condition}", "dataset.image_size=16", *TINY), IMAGE)
    state = plan.state_for(IMAGE, 3)

    engine = Eager(plan.parts.updates, Labelled(IMAGE, 8), 8, 0, CPU)
    with WaitsForNothing(state.optimizers.values()):
        for _ in range(2):
            engine(state)
            state.step += 1
