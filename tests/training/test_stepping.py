"""Optimizers' steps are torch's own, bit for bit, and load nothing that serves torch.compile."""

import copy
import json
import subprocess
import sys

import pytest
import torch

from gan_cli.training import stepping
from tests.conftest import options

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


def test_neither_a_check_of_any_model_nor_a_run_nor_a_sample_of_it_loads_torch_dynamo(config_of, tmp_path):
    models = [config_of(f"model={name}") for name in options("model")]
    code = (
        "import json, sys; from gan_cli import build; from gan_cli.cli import main\n"
        "for settings in json.loads(sys.argv[1]): build.check(settings, (3, 32, 32), 2)\n"
        "assert 'torch._dynamo' not in sys.modules, 'a check'\n"
        "assert main(['train', *sys.argv[2:], 'run_dir=run']) == 0 and 'torch._dynamo' not in sys.modules, 'a run'\n"
        "assert main(['sample', 'run', 'count=4']) == 0 and 'torch._dynamo' not in sys.modules, 'a sample'"
    )
    words = ["model=mlp", "model.width=4", "runtime=cpu", "train.steps=1", "train.batch_size=8", "log.sample_count=4"]
    command = [sys.executable, "-c", code, json.dumps(models), *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
