"""Every option of every group and every kind of dataset: N steps, a kill and M steps equal N + M steps, bit for bit."""

from __future__ import annotations

import itertools
import json
import time

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.session import build
from gan_cli.session.resume import open_session
from gan_cli.session.session import Session
from tests.conftest import CONF, LOSSES, options
from tests.data.small_sets import write_idx

AXES = ("loss", "constraint", "updates", "optimizer", "latent", "condition", "input", "schedule")
OPTIONS = [(axis, option) for axis in AXES for option in options(axis)]
POINT_SETS = [p.stem for p in sorted((CONF / "dataset").glob("*.yaml")) if ".synthetic." in p.read_text()]
STEPS, SAVED, KILLED = 5, 3, 4  # the row of step 4 is written before the kill, and again after it
SMALL = ("model.width=4", "train.batch_size=8", f"train.steps={STEPS}", f"checkpoint.every_steps={SAVED}")
LOGGING = ("log.every_steps=2", "log.samples_every_steps=3", "log.sample_count=4")
POINTS = ("model=toy_mlp", "dataset=ring")


class Killed(BaseException):
    """Ends a session without a word."""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """64 images of 16 x 16 in ten classes, as MNIST's files."""
    path = tmp_path_factory.mktemp("digits")
    write_idx(path, n=64, side=16)
    return (f"dataset.path={path}", "dataset=mnist", "dataset.image_size=16")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def begin(config, path):
    plan, data = build.check(config).open()
    path.mkdir()
    return Session(plan, directory.RunDirectory(path), data, plan.state(data)).open()


def assert_exact(config, tmp_path, monkeypatch):
    """Train straight, and in two parts with a kill between them, a clock set back and a checkpoint before the kill."""
    now = [2e9]

    def clock():
        now[0] += 1
        return now[0]

    monkeypatch.setattr(time, "time", clock)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    begin(config, whole).train()
    first = begin(config, parts)
    pictures = first.callbacks.pictures

    def killing(state, logs):
        pictures(state, logs)
        if state.step == KILLED:
            raise Killed

    first.callbacks.pictures = killing
    with pytest.raises(Killed):
        first.train()
    assert checkpoint.steps(parts / directory.CHECKPOINTS) == [SAVED]
    now[0] -= 1e6
    open_session(parts, config, force=False).train()
    assert_same_run(parts, whole)


def assert_same_run(parts, whole):
    a, b = (checkpoint.load(path / directory.CHECKPOINTS, pytest.fail) for path in (parts, whole))
    assert {**a.meta, "settings": 0, "run": 0} == {**b.meta, "settings": 0, "run": 0}
    assert a.tensors.keys() == b.tensors.keys()
    unequal = [n for n in a.tensors if not torch.equal(a.tensors[n], b.tensors[n])]
    assert unequal == []
    of_files = [{n: e for n, e in one.meta["run"]["contents"].items() if n.startswith(("m", "s"))} for one in (a, b)]
    assert of_files[0] == of_files[1]
    assert a.meta["step"] == STEPS
    assert (parts / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    rows = [json.loads(line) for line in (parts / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 5]
    pictures = sorted((whole / "samples").iterdir())
    assert [path.name for path in pictures] == [path.name for path in sorted((parts / "samples").iterdir())]
    assert all((parts / "samples" / path.name).read_bytes() == path.read_bytes() for path in pictures)
    curves, expected = scalars(parts), scalars(whole)
    assert curves == expected
    for tag in rows[0].keys() - {"step"}:
        assert curves[tag] == [(row["step"], single(row[tag])) for row in rows if tag in row]


def scalars(path):
    """Every scalar as TensorBoard reads it, as text (a NaN equals itself there); of speeds the steps alone."""
    events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    curves = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    return {
        tag: [(event.step, "" if tag.startswith("speed/") else repr(event.value)) for event in curve]
        for tag, curve in curves.items()
    }


def single(value):
    """The value in single precision, which event files hold."""
    return repr(torch.tensor(float(value), dtype=torch.float32).item())


def paired(config_of, digits, axis, option):
    """A config with an option, on the first loss and data that it can be built with; refusals must be build's own."""
    refusals = []
    losses = (option,) if axis == "loss" else ("nonsaturating", *LOSSES)
    for loss, base in itertools.product(losses, (digits, POINTS)):
        chosen = [] if axis == "loss" else [f"{axis}={option}"]
        config = config_of(*SMALL, *LOGGING, *base, f"loss={loss}", *chosen)
        try:
            build.check(config)
        except UserError as error:
            refusals.append(f"{loss}: {error}")
        else:
            return config
    raise AssertionError(f"{axis}={option} trains with nothing here:\n" + "\n".join(refusals))


@pytest.mark.parametrize(("axis", "option"), OPTIONS, ids=[f"{axis}={option}" for axis, option in OPTIONS])
def test_every_option(config_of, digits, tmp_path, monkeypatch, axis, option):
    assert_exact(paired(config_of, digits, axis, option), tmp_path, monkeypatch)


@pytest.mark.parametrize("option", POINT_SETS)
def test_every_synthetic_set(config_of, tmp_path, monkeypatch, option):
    config = config_of(
        *SMALL, *LOGGING, "model=toy_mlp", f"dataset={option}", "loss=wgan_gp", "log.samples_every_steps=5"
    )
    assert_exact(config, tmp_path, monkeypatch)


@pytest.mark.parametrize("resident", ["true", "false", "auto"])
def test_images_in_memory_and_mapped(config_of, digits, tmp_path, monkeypatch, resident):
    config = config_of(*SMALL, *LOGGING, *digits, f"dataset.resident={resident}", "loss=wgan")
    assert_exact(config, tmp_path, monkeypatch)


@pytest.mark.parametrize("resident", ["true", "false"])
def test_a_folder_of_classes(config_of, tmp_path, monkeypatch, resident):
    for i in range(24):
        path = tmp_path / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12 + i, 16), (i * 10, 255 - i, i)).save(path)
    data = ("dataset=folder", f"dataset.path={tmp_path / 'pictures'}", "dataset.image_size=16")
    config = config_of(*SMALL, *LOGGING, *data, f"dataset.resident={resident}", "loss=nonsaturating")
    assert_exact(config, tmp_path, monkeypatch)


EXTRAS = {
    "moving average": ("train.ema_halflife_images=20",),
    "accumulation": ("train.accumulate=2", "model.critic.norm=none", "model.generator.norm=none"),
    "momentum": ("optimizer=sgd", "optimizer.critic.momentum=0.5"),
    "bursts": ("loss=wgan", "updates.burst_n_critic=7", "updates.burst_every_steps=3"),
    "background writes": ("checkpoint.background=true",),
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_is_no_option_of_a_group(config_of, digits, tmp_path, monkeypatch, extra):
    config = config_of(*SMALL, *LOGGING, *digits, "loss=nonsaturating", *EXTRAS[extra])
    assert_exact(config, tmp_path, monkeypatch)


def test_the_comparison_notices_one_bit(config_of, tmp_path):
    config = config_of(*SMALL, *LOGGING, *POINTS, "loss=nonsaturating")
    begin(config, tmp_path / "whole").train()
    begin(config.replace(seed=1), tmp_path / "parts").train()
    with pytest.raises(AssertionError, match=r"(averages|game|optimizer)/"):
        assert_same_run(tmp_path / "parts", tmp_path / "whole")
