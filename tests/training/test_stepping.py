"""Optimizers' steps are torch's own, bit for bit, and load nothing that serves torch.compile."""

import copy
import subprocess
import sys

import pytest
import torch

from gan_cli.training import stepping

OPTIMIZERS = {
    "RMSprop": {"momentum": 0.1, "centered": True},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {},
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adagrad": {},
    "NAdam": {},
}


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_moves_weights_and_slots_as_torch_does(name, foreach):
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(5))]
    theirs = copy.deepcopy(ours)
    make = getattr(torch.optim, name)
    optimizers = [make(params, lr=0.1, foreach=foreach, **OPTIMIZERS[name]) for params in (ours, theirs)]
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        stepping.step(optimizers[0])
        optimizers[1].step()
    states = [optimizer.state_dict()["state"] for optimizer in optimizers]
    torch.testing.assert_close((ours, states[0]), (theirs, states[1]), rtol=0, atol=0)
    assert torch.is_grad_enabled()


def test_an_optimizer_of_somebody_else_takes_its_own_step():
    class Counting(torch.optim.SGD):
        steps = 0

        def step(self, closure=None):
            self.steps += 1

    optimizer = Counting([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    stepping.step(optimizer)
    assert optimizer.steps == 1


def test_a_differentiable_optimizer_is_left_to_torch():
    weight = torch.ones(1, requires_grad=True)
    moved = weight.clone()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, differentiable=True)
    optimizer.param_groups[0]["params"] = [moved]
    moved.grad = torch.ones(1)
    stepping.step(optimizer)
    assert moved.requires_grad
    assert moved.item() == pytest.approx(0.9)


def test_neither_an_optimizer_nor_its_step_loads_torch_dynamo():
    code = (
        "import sys, torch; from gan_cli.training import stepping; stepping.construct_without_dynamo()\n"
        "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2)\n"
        "for make in (torch.optim.RMSprop, torch.optim.Adam, torch.optim.SGD):\n"
        "    optimizer = make([p], lr=0.1, foreach=True); stepping.step(optimizer); optimizer.state_dict()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
