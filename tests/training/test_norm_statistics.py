"""Batch norm's statistics: those of a moving average, and those that are computed again for sampling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import gan_cli
from gan_cli.models.layers import norms_of
from gan_cli.rng import Draws
from gan_cli.session.load import load
from gan_cli.training.ema import MovingAverage
from gan_cli.training.norm_statistics import BATCH_SIZE, BATCHES, with_whole_statistics

SMALL = ("runtime=cpu", "runtime.threads=1", "train.batch_size=8", "train.steps=3", "log.sample_count=4")
TINY = (*SMALL, "model.width=2", "dataset.image_size=16", "latent.size=5")


def run(gan, *words):
    assert gan("train", *TINY, *words, "run_dir=run").code == 0
    return "run"


def test_the_average_of_the_statistics_is_that_of_the_weights():
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    average, copied = (MovingAverage(network, 10, 10, statistics=s) for s in ("average", "copy"))
    with torch.no_grad():
        network[1].running_mean.fill_(4.0)
        network[1].running_var.fill_(3.0)
        network[1].num_batches_tracked.fill_(7)
        network[0].weight.fill_(8.0)
    before = average.network[0].weight.clone()
    for moving in (average, copied):
        moving.update(network)
    torch.testing.assert_close(average.network[0].weight, (before + 8) / 2)  # a half-life
    assert average.network[1].running_mean.item() == pytest.approx(2.0)
    assert average.network[1].running_var.item() == pytest.approx(2.0)
    assert (copied.network[1].running_mean.item(), copied.network[1].running_var.item()) == (4.0, 3.0)
    assert average.network[1].num_batches_tracked.item() == 7


def test_a_run_with_averaged_statistics_differs_in_those_alone_and_resumes(gan):
    words = ("train.ema_halflife_images=16", "loss=nonsaturating")
    for name, statistics in (("a", "copy"), ("b", "average")):
        own = () if statistics == "copy" else ("train.ema_statistics=average",)
        assert gan("train", *TINY, *words, *own, f"run_dir={name}").code == 0
    a, b = (load_file(f"{name}/checkpoints/step_0000000003/state.safetensors") for name in "ab")
    differing = {name for name in a if not torch.equal(a[name], b[name])}
    assert differing
    assert all(name.startswith("ema/") and name.endswith(("running_mean", "running_var")) for name in differing)
    assert gan("train", *TINY, *words, "train.ema_statistics=average", "train.steps=1", "run_dir=c").code == 0
    assert gan("resume", "c", "train.steps=3").code == 0
    c = load_file("c/checkpoints/step_0000000003/state.safetensors")
    assert all(torch.equal(b[name], c[name]) for name in b)


@pytest.mark.parametrize("words", [(), ("condition=projection", "condition.generator=norm")])
def test_whole_statistics_are_the_mean_of_the_batches(gan, words):
    game = load(Path(run(gan, "loss=nonsaturating", *words)), "cpu").state.game
    before = {name: t.clone() for name, t in game.state_dict().items()}
    found = with_whole_statistics(game, game.generator, game.latent)
    assert all(torch.equal(before[name], t) for name, t in game.state_dict().items())
    assert not any(module.training for module in found.modules())

    inputs = []
    first = norms_of(found)[0]
    handle = first.register_forward_pre_hook(lambda module, x: inputs.append(x[0]))
    z = game.latent.sample(BATCHES * BATCH_SIZE, Draws(torch.device("cpu"), 0, "statistics"))
    y = torch.arange(len(z)) % game.condition.n_classes if game.condition.needs_labels else None
    with torch.no_grad():
        game.generate(z, y, found)
    handle.remove()
    (x,) = inputs  # of the first norm: nothing before it depends on statistics
    over = [0, *range(2, x.dim())]
    parts = x.split(BATCH_SIZE)
    torch.testing.assert_close(first.running_mean, torch.stack([part.mean(over) for part in parts]).mean(0))
    torch.testing.assert_close(first.running_var, torch.stack([part.var(over) for part in parts]).mean(0))


def test_sample_and_evaluate_use_them_by_both_doors(gan):
    path = run(gan, "loss=nonsaturating", "train.ema_halflife_images=8")
    found = gan_cli.load(path)
    usual, whole, again = (found.sample(4, statistics=s) for s in ("running", "whole", "whole"))
    assert torch.equal(whole, again)
    torch.testing.assert_close(whole, found.sample(4, statistics="whole", batch_size=1))  # each depends on its z alone
    assert not torch.allclose(usual, whole)
    assert torch.equal(found.sample(4), usual)
    assert not torch.allclose(found.sample(4, statistics="whole", truncation=0.5), found.sample(4, truncation=0.5))
    ended = gan("sample", path, "statistics=whole", "count=4")
    assert ended.out.strip().endswith("count_4_whole.png")
    ended = gan("evaluate", path, "statistics=whole", "count=20", "w1_count=8", "device=cpu")
    protocol = json.loads(Path(ended.out.strip().splitlines()[-1]).read_text())["protocol"]
    assert protocol["batch norm"] == "statistics of 4,000 inputs in 16 batches of 250, in place of the run's"
    assert "_whole_" in ended.out
    scores = found.evaluate(statistics="whole", count=20, w1_count=8).scores
    assert scores["exact_w1"].value != found.evaluate(count=20, w1_count=8).scores["exact_w1"].value


def test_refusals(gan, refused, run_of):
    points = run_of("ring")
    assert "has no batch norm; leave statistics out" in refused("sample", points, "statistics=whole")
    assert "has no batch norm; leave statistics out" in refused("evaluate", points, "statistics=whole", "count=20")
    assert "add train.ema_halflife_images=10000" in refused("train", *TINY, "train.ema_statistics=average")
    words = ("train.ema_statistics=average", "train.ema_halflife_images=8", "model=dcgan_plain")
    assert "PlainGenerator has no batch norm; leave it out" in refused("train", *TINY, *words)
    pictures = run_of("enlarged")
    assert "this generator reads more" in refused("sample", pictures, "statistics=whole")
    Path("pictures").mkdir()
    assert "leave statistics out" in refused("sample", pictures, "statistics=whole", "source=pictures")
