"""Scores as curves: they move nothing, go on through a kill, and name what they depend on."""

from __future__ import annotations

import sys

import pytest
import torch

from gan_cli.errors import UserError
from gan_cli.extractors.fashion_mnist import SHA256
from gan_cli.extractors.inception import Inception
from gan_cli.runs import checkpoint, directory
from gan_cli.runs.metrics_log import read_rows
from gan_cli.session import build
from gan_cli.session.job import Extras
from gan_cli.session.resume import open_session
from gan_cli.session.session import Session
from gan_cli.training.probes import due

STEPS, SAVED, KILLED = 5, 3, 4
SMALL = ("model.width=4", "train.batch_size=8", f"train.steps={STEPS}", f"checkpoint.every_steps={SAVED}")
LOGGING = ("log.every_steps=1", "log.samples_every_steps=3", "log.sample_count=4")
CLOTHES = (
    "dataset.image_size=16",
    "dataset.limit=100",
    "train.ema_halflife_images=8",
    "evaluate.count=12",
    "evaluate.w1_count=6",
)
POINTS = ("log.samples_every_steps=100", "model=toy_mlp", "dataset=ring", "loss=wgan_gp", "evaluate.count=12")
ADDED = ("quality/", "distance/")
SCORES = ("frechet_distance", "kid", "classifier_score", "precision", "recall", "density", "coverage")


class Killed(BaseException):
    """Ends a session without a word."""


@pytest.fixture
def begin(config_of, tmp_path):
    def session(name, *overrides):
        plan, data = build.check(config_of(*SMALL, *LOGGING, *overrides)).open()
        plan, evaluation = plan.evaluation(data)
        (tmp_path / name).mkdir()
        run = directory.RunDirectory(tmp_path / name)
        return Session(plan, run, data, plan.state(data), extras=Extras(evaluation=evaluation))

    return session


def rows(path, added):
    """Rows of metrics.jsonl as text, since a NaN equals itself there: the curves that were added, or the others."""
    return [
        {tag: repr(value) for tag, value in row.items() if tag == "step" or tag.startswith(ADDED) == added}
        for row in read_rows(path / "metrics.jsonl")
    ]


def tensors(path):
    return checkpoint.load(path / directory.CHECKPOINTS, pytest.fail).tensors


def assert_equal(a, b):
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.mark.parametrize("kind", [(*CLOTHES, "condition=concat"), POINTS])
def test_a_run_is_bit_equal_with_and_without_also_through_a_kill(begin, tmp_path, kind):
    off = [o for o in kind if not o.startswith("evaluate.")]
    begin("without", *off).train()
    begin("with", *kind, "evaluate.every_steps=2").train()
    killed = begin("killed", *kind, "evaluate.every_steps=2").open()
    config = killed.plan.config
    pictures = killed.callbacks.pictures

    def killing(state, logs):
        pictures(state, logs)
        if state.step == KILLED:
            raise Killed

    killed.callbacks.pictures = killing
    with pytest.raises(Killed):
        killed.train()
    assert checkpoint.steps(tmp_path / "killed" / directory.CHECKPOINTS) == [SAVED]
    open_session(tmp_path / "killed", config, force=False).train()
    without, whole, parts = (tmp_path / name for name in ("without", "with", "killed"))
    assert rows(without, added=False) == rows(whole, added=False)
    assert_equal(tensors(without), tensors(whole))
    assert_equal(tensors(parts), tensors(whole))
    assert (parts / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    scored = [row["step"] for row in rows(whole, added=True) if "distance/sliced_w1" in row]
    assert scored == ["2", "4"]


def test_the_tags_are_gan_evaluates_and_run_json_has_the_protocol(begin, tmp_path):
    begin("run", *CLOTHES, "evaluate.every_steps=5", "evaluate.split=heldout").train()
    last = read_rows(tmp_path / "run" / "metrics.jsonl")[-1]
    assert {f"quality/{name}_fashion_mnist" for name in SCORES} == {t for t in last if t.startswith("quality/")}
    protocol = directory.read_status(tmp_path / "run")["evaluation"]
    assert (protocol["count"], protocol["w1_count"], protocol["split"], protocol["floor_split"]) == (
        12,
        6,
        "heldout",
        "train",
    )
    assert (protocol["extractor"], protocol["sha256"]) == ("fashion_mnist", SHA256)
    assert set(protocol["floors"]) == {t for t in last if t.startswith(ADDED) and "critic" not in t}
    frozen = directory.read_config(tmp_path / "run")["extractor"]
    assert frozen == {"_target_": "gan_cli.extractors.fashion_mnist.FashionMNIST"}


def test_the_best_checkpoint_by_a_score(begin, tmp_path):
    tag = "quality/kid_fashion_mnist"
    best = ("checkpoint.every_steps=null", f"checkpoint.best={tag}", "checkpoint.best_is=min")
    begin(
        "run", *CLOTHES, *best, "evaluate.every_steps=2", "optimizer.lr=0.01", "train.ema_halflife_images=null"
    ).train()
    values = {row["step"]: row[tag] for row in read_rows(tmp_path / "run" / "metrics.jsonl") if tag in row}
    found = checkpoint.load_best(tmp_path / "run" / directory.CHECKPOINTS, pytest.fail)
    assert found.meta["step"] == min(values, key=values.get)
    assert set(values) == {2, 4}


def test_real_features_are_computed_once(begin, monkeypatch):
    session = begin("run", *CLOTHES, "evaluate.every_steps=1", "extractor=pixels")
    seen = []
    extractor = type(session.extras.evaluation.reference.extractor)
    before = extractor.__call__
    monkeypatch.setattr(extractor, "__call__", lambda self, x: seen.append(len(x)) or before(self, x))
    session.train()
    assert sum(seen) == STEPS * 12


def test_a_run_that_is_not_evaluated_imports_nothing_for_it(begin, monkeypatch):
    monkeypatch.delitem(sys.modules, "gan_cli.session.periodic_evaluation", raising=False)
    begin("run", "model=toy_mlp", "dataset=ring").train()
    assert "gan_cli.session.periodic_evaluation" not in sys.modules


def test_a_failure_ends_no_run_and_is_reported(begin, tmp_path, monkeypatch):
    session = begin("run", *POINTS, "evaluate.every_steps=2")
    monkeypatch.setattr(session.extras.evaluation.reference, "scores", lambda fake, again: 1 / 0)
    with pytest.raises(Exception, match="Evaluation at step 2: ZeroDivisionError") as caught:
        session.train()
    assert caught.value.exit_code == 3
    assert directory.read_status(tmp_path / "run")["status"] == "finished"


def test_what_cannot_be_evaluated_is_refused_before_a_run_is_there(config_of, monkeypatch):
    monkeypatch.setattr(Inception, "available", lambda self: False)
    plan = build.check(config_of(*SMALL, "dataset.image_size=16", "evaluate.every_steps=1", "evaluate.count=5000"))
    with pytest.raises(UserError, match=r"^evaluate.count=5000: .* need evaluate.count=4750 or less$"):
        plan.evaluation(plan.open()[1])
    held = ("evaluate.split=heldout", "evaluate.count=4751", "dataset.holdout=2")
    plan = build.check(config_of(*SMALL, "dataset.image_size=16", "evaluate.every_steps=1", *held))
    with pytest.raises(UserError, match=r"the heldout split has 2 samples"):
        plan.evaluation(plan.open()[1])
    plan, data = plan.open()
    unknown = type(data)(**{**vars(data), "class_names": ("cat", "dog")})
    with pytest.raises(UserError, match=r"no extractor suits these images offline.*extractor=pixels"):
        plan.evaluation(unknown)


@pytest.mark.parametrize(
    ("log_every", "every", "steps"), [(1, 3, [3, 6, 9]), (2, 3, [4, 6, 10]), (4, 2, [4, 8]), (5, 5, [5, 10])]
)
def test_when_a_row_is_due(log_every, every, steps):
    assert [step for step in range(log_every, 11, log_every) if due(step, log_every, every)] == steps
