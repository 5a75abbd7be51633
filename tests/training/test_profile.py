"""A profile shows where the time goes and changes nothing else."""

import gzip
import json
import re

import pytest
import torch

from gan_cli.runs import checkpoint, directory
from gan_cli.session import build
from gan_cli.session.session import Session
from gan_cli.training import profile
from tests.conftest import TINY
from tests.helpers import noise_data


def train(config_of, path, steps, *overrides):
    plan = build.check(config_of("dataset.image_size=16", f"train.steps={steps}", *TINY, *overrides))
    path.mkdir()
    data = noise_data((1, 16, 16), 8)
    Session(plan, directory.RunDirectory(path), data, plan.state(data)).train()
    return checkpoint.load(path / directory.CHECKPOINTS, pytest.fail).tensors, (path / directory.LOG).read_text()


def test_a_profiled_run_is_the_same_run_and_leaves_a_trace(config_of, tmp_path, monkeypatch):
    monkeypatch.setattr(profile, "peak_flops", lambda device, precision: 1e12)
    plain, _ = train(config_of, tmp_path / "plain", profile.STEPS + 1)
    looked_at, log = train(config_of, tmp_path / "profiled", profile.STEPS + 1, "runtime.profile=true")
    assert all(torch.equal(plain[name], looked_at[name]) for name in plain)
    (trace,) = (tmp_path / "profiled" / directory.PROFILE).iterdir()
    assert trace.name == "step_0000000003.pt.trace.json.gz"
    names = {event.get("name") for event in json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]}
    assert any("convolution" in str(name) for name in names)
    shares = [float(microbatch) for microbatch in re.findall(r"  +([\d.]+)%  .* ms a step", log)]
    assert len(shares) == profile.SHOWN
    assert shares == sorted(shares, reverse=True)
    assert re.search(r"GFLOP a step, .* of the 1000 GFLOP/s that this machine reached in fp32", log)


def test_too_few_steps_are_reported(config_of, tmp_path):
    _, log = train(config_of, tmp_path / "run", profile.STEPS - 1, "runtime.profile=true")
    assert "runtime.profile=true: 6 steps are needed, 5 are left: no profile" in log
    assert not (tmp_path / "run" / directory.PROFILE).exists()


def test_operations_are_counted(tmp_path):
    lines = []
    weight = torch.ones(10, 20)

    def step(state):
        return [torch.ones(5, 10) @ weight]

    run = profile.Profile(step, step, tmp_path, torch.device("cpu"), "fp32", lines.append)
    for step in range(profile.STEPS):
        run(type("State", (), {"step": step}))
    assert lines[-1].startswith(f"  {2 * 5 * 10 * 20 / 1e9:.4g} GFLOP a step")


def test_the_peak_is_above_what_a_small_product_reaches():
    peak = profile.peak_flops(torch.device("cpu"), "fp32")
    small = torch.ones(8, 8)
    assert peak > 2 * 8**3 / profile._seconds(lambda: small @ small, torch.device("cpu"))


def test_operations_of_every_derivative_are_counted():
    x, weight = torch.rand(4, 2, 8, 8, requires_grad=True), torch.rand(3, 2, 3, 3, requires_grad=True)

    def penalty():
        y = torch.nn.functional.conv2d(x, weight)
        (gradient,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), weight)

    with profile.Operations() as counted:
        torch.nn.functional.conv2d(x, weight)
    once, read, written = 2 * 4 * 6 * 6 * 3 * 2 * 9, 4 * 2 * 64 + 3 * 2 * 9, 4 * 3 * 36
    assert (counted.flops, counted.bytes) == (once, 4 * (read + written))
    with profile.Operations() as counted:
        penalty()
    assert (
        counted.flops == 5 * once
    )  # forward; to x; then of that: to the output's gradient, to the weight, on both ways


@pytest.mark.skipif(torch.__version__ < "2.8", reason="this torch has no products with another dtype")
def test_a_product_with_a_dtype_of_its_own_is_counted():
    a, b = (torch.empty(2, *shape, device="meta", dtype=torch.bfloat16) for shape in ((3, 4), (4, 5)))
    with profile.Operations() as counted:
        torch.bmm(a, b, out_dtype=torch.float32)
    assert (counted.flops, counted.bytes) == (2 * 2 * 3 * 4 * 5, 2 * 2 * (3 * 4 + 4 * 5) + 4 * 2 * 3 * 5)
