"""What may change when a run goes on, what may not, and what is said of the machine."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from gan_cli.cli import main
from gan_cli.config.command_schemas import ResumeConfig
from gan_cli.config.identity import Change, differences, is_free, leaves, listed, require_same
from gan_cli.config.schema import Checkpoint, Evaluate, Log, RunConfig, Runtime
from gan_cli.config.validate import check, validate_saved
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint, directory
from gan_cli.session import build
from gan_cli.session.provenance import unlike
from gan_cli.session.resume import open_session, with_changes
from gan_cli.session.session import Session
from tests.conftest import CONF


@pytest.mark.parametrize(
    "key",
    ["train.steps", "run_dir", "log.every_steps", "checkpoint.keep", "runtime.threads", "dataset.path", "resume"],
)
def test_free_keys(key):
    assert is_free(key)


@pytest.mark.parametrize(
    "key",
    ["seed", "train.batch_size", "train.accumulate", "dataset.limit", "dataset.pathology", "logs", "loss._target_"],
)
def test_identity_keys(key):
    assert not is_free(key)


def test_every_setting_is_one_or_the_other():
    free = {key for key in RunConfig.model_fields if is_free(key)}
    ours = {"run_dir", "resume", "force", "allow_targets", "sweep"}
    assert free == ours | {"log", "evaluate", "extractor", "checkpoint", "runtime"}


def test_differences(config_of):
    old = config_of("loss=wgan", "optimizer=adam", "optimizer.critic.betas=[0.5,0.9]")
    new = old.replace(
        seed=1,
        train=old.train.replace(steps=9),
        log=old.log.replace(every_steps=3),
        optimizer=old.optimizer.replace(critic=old.optimizer.critic.replace(betas=[0.5, 0.99])),
        latent=old.latent.replace(extra=None),
    )
    betas = Change([0.5, 0.9], [0.5, 0.99])
    assert differences(old, new) == {"seed": Change(0, 1), "optimizer.critic.betas": betas}
    assert differences(old, old) == {}
    found, auto = (old.replace(dataset=old.dataset.replace(channels=value)) for value in (3, "auto"))
    assert differences(found, auto) == {}  # known once the data are read
    assert differences(auto, found) == {"dataset.channels": Change("auto", 3)}


def test_leaves():
    assert leaves({"a": {"b": 1, "c": {}}, "d": [1]}) == {"a.b": 1, "a.c": {}, "d": [1]}


def test_a_long_difference_is_one_line():
    changes = {f"k{i}": Change(i, "x\ny" * 100) for i in range(9)}
    text = listed(changes)
    assert text.startswith("k0: 0 -> x yx yx")
    assert text.endswith(", and 6 more")
    assert len(text) < 400
    with pytest.raises(UserError, match=r"runs/x was trained so far with other settings \(k0: 0 -> .*force=true"):
        require_same("runs/x", changes, force=False)
    require_same("runs/x", changes, force=True)
    require_same("runs/x", {}, force=False)


BEFORE = {"versions": {"torch": "2.6.0+cu124"}, "device": "A", "processor": "A", "threads": 4, "precision": "fp32"}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({}, None),
        ({"engine": "eager"}, None),  # an older run's entry has no engine
        ({"threads": 1}, "(threads 4 before, 1 now)*stop it and resume with runtime.threads=4"),
        ({"precision": "bf16"}, "(precision fp32 before, bf16 now)*with runtime.precision=fp32"),
        ({"versions": {"torch": "2.7"}}, "(torch 2.6.0+cu124 before, 2.7 now)*with torch==2.6.0 installed"),
        ({"device": "B", "processor": "B"}, "(device A before, B now)*resume on the same device as before"),
        ({"processor": "B"}, "(processor A before, B now)*resume on the same processor as before"),
        (
            {"device": "B", "threads": 1},
            "(device A before, B now, threads 4 before, 1 now)*as before and with runtime.threads=4",
        ),
    ],
)
def test_what_is_said_of_another_machine(now, expected):
    text = unlike(BEFORE, {**BEFORE, **now})
    if expected is None:
        assert text == ""
        return
    parts = expected.split("*")
    assert all(part in text for part in parts)
    assert "not bit for bit" in text
    assert "\n" not in text


@pytest.mark.parametrize("before", [{}, {"versions": 3}, {"versions": {"torch": None}, "threads": None}])
def test_a_strange_entry_is_not_compared(before):
    assert unlike(before, BEFORE) == ""


def test_gan_resume_lists_every_free_key():
    listed_there = yaml.safe_load((CONF / "resume.yaml").read_text())
    for group, model in (("log", Log), ("evaluate", Evaluate), ("checkpoint", Checkpoint), ("runtime", Runtime)):
        assert listed_there[group] == dict.fromkeys(model.model_fields)
    keys = {key for key in leaves(listed_there) if key.split(".")[0] not in ("defaults", "hydra", "run")}
    assert keys - {"force", "allow_targets"} == {key for key in keys if is_free(key)} - {"force", "allow_targets"}
    assert set(ResumeConfig.model_fields) == set(listed_there) - {"defaults", "hydra"}


def test_null_is_the_runs_own_and_another_device_resolves_anew(config_of):
    null = yaml.safe_load((CONF / "resume.yaml").read_text()) | {"run": "a"}
    null = {key: value for key, value in null.items() if key not in ("defaults", "hydra")}

    def resumed(saved, **changes):
        return with_changes(saved, check("resume", {**null, **{k: {**null[k], **v} for k, v in changes.items()}}))

    saved = config_of("runtime.device=cuda", "runtime.precision=bf16", "runtime.engine=cuda_graph", "runtime.threads=4")
    assert resumed(saved) == saved
    moved = resumed(saved, runtime={"device": "cpu"}, train={"steps": 9})
    assert moved.runtime == saved.runtime.replace(device="cpu", precision="auto", engine="auto")
    assert moved.train == saved.train.replace(steps=9) != saved.train
    assert resumed(saved, runtime={"device": "cuda"}).runtime == saved.runtime
    points = config_of("model=toy_mlp", "dataset=ring")
    with pytest.raises(UserError, match=r"dataset.resident=True: this run's dataset has no such key"):
        resumed(points, dataset={"resident": True})


SMALL = ("model=toy_mlp", "dataset=ring", "model.width=4", "train.batch_size=8", "runtime=cpu", "runtime.threads=1")
LOGGING = ("log.every_steps=2", "checkpoint.every_steps=3", "log.samples_every_steps=100")


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", *SMALL, *LOGGING, "train.steps=5", f"run_dir={path}"]) == 0
    return path


@pytest.fixture
def trained(trained_once, tmp_path):
    return shutil.copytree(trained_once, tmp_path / "run")


def test_a_checkpoint_holds_what_it_was_trained_with(trained):
    meta = checkpoint.load(trained / "checkpoints", pytest.fail).meta
    saved = yaml.safe_load((trained / "config.yaml").read_text())
    assert differences(validate_saved(meta["settings"]), validate_saved(saved)) == {}
    assert meta["settings"]["runtime"]["threads"] == 1
    assert meta["data"] == json.loads((trained / "run.json").read_text())["sessions"][-1]["data"]


def test_an_edited_config_is_refused_and_forced(gan, trained):
    path = trained / "config.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    code, _, err = gan("resume", "run", "train.steps=6")
    assert (code, err.count("\n")) == (2, 1)
    assert "(seed: 0 -> 1)" in err
    assert {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()} == before
    code, _, err = gan("resume", "run", "train.steps=6", "force=true")
    assert code == 0
    assert "warning: force=true: this run continues with other settings, seed: 0 -> 1" in err
    sessions = json.loads((trained / "run.json").read_text())["sessions"]
    assert ["forced" in s for s in sessions] == [False, True]
    assert sessions[-1]["forced"] == {"seed": {"old": 0, "new": 1}}
    assert gan("resume", "run", "train.steps=7")[0] == 0  # what was forced is the run's own from here on


def test_other_data_are_refused_and_forced(gan, tmp_path):
    from tests.data.small_sets import write_idx

    for name, seed in (("a", 0), ("same", 0), ("other", 1)):
        write_idx(tmp_path / name, n=64, side=16, seed=seed)
    small = [word for word in SMALL if word not in ("model=toy_mlp", "dataset=ring")]
    argv = [*small, "dataset=mnist", "dataset.image_size=16", "dataset.path=a", "run_dir=run", "train.steps=2"]
    assert gan("train", *argv)[0] == 0
    assert gan("resume", "run", "train.steps=3", "dataset.path=same", "dataset.resident=true")[0] == 0
    code, _, err = gan("resume", "run", "train.steps=4", "dataset.path=other")
    assert code == 2
    assert re.search(r"\(the data: \w{40} -> \w{40}\)", err)
    code, _, err = gan("resume", "run", "train.steps=4", "dataset.path=other", "force=true")
    assert code == 0
    assert "continues with other settings, the data: " in err
    assert "bit for bit" not in err


def test_tensors_that_do_not_fit_are_refused_with_force_too(gan, trained):
    wider = [word.replace("width=4", "width=5") for word in SMALL]
    code, _, err = gan("train", *wider, "train.steps=9", "run_dir=run", "resume=auto", "force=true")
    assert code == 2
    assert "does not fit the config" in err


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.lr=1e-4", "optimizer.lr=1e-4: only train.steps, log.*, "),
        ("train.batch_size=9", "train.batch_size=9: only train.steps, log.*, "),
        ("dataset.limit=5", "gan train --from x dataset.limit=5 run_dir=x resume=auto force=true\n"),
        ("loss=wgan_gp", "loss=wgan_gp: only train.steps, log.*, "),
        ("experiment=quickstart", "may change, since every other key identifies the run"),
        ("runtime=cpu", "single keys, such as runtime.device=cpu"),
        ("train.stpes=9", "train.stpes=9: no such key; did you mean train.steps=9?"),
        ("steps=9", "steps=9: no such key; did you mean train.steps=9?"),
        ("foo.bar=9", "foo.bar=9: no such key; see `gan resume --help`"),
        ("checkpoint.keep=1", "checkpoint.keep=1: must be a whole number of at least 2"),
        ("runtime.threads=0", "runtime.threads=0: must be "),
    ],
)
def test_what_gan_resume_cannot_take(gan, tmp_path, override, expected):
    code, out, err = gan("resume", "x", override)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err
    assert list(tmp_path.iterdir()) == []


def test_the_command_that_is_printed_continues_the_run(gan, trained):
    code, _, err = gan("resume", "run", "optimizer.lr=1e-4", "train.steps=9", "force=true")
    assert code == 2
    command = shlex.split(err.rpartition("with another value: ")[2])
    words = ["gan", "train", "--from", "run", "optimizer.lr=1e-4", "train.steps=9"]
    assert command == [*words, "run_dir=run", "resume=auto", "force=true"]
    ended = gan(*command[1:])
    assert ended.code == 0
    assert "this run continues with other settings, optimizer.lr: " in ended.err
    assert json.loads(Path("run/run.json").read_text())["step"] == 9


@pytest.fixture
def part(config_of, tmp_path):
    """Train a run of small images up to a step, or on to it, with a log interval."""
    from tests.data.small_sets import write_idx

    write_idx(tmp_path / "digits", n=64, side=16)
    data = ("dataset=mnist", f"dataset.path={tmp_path / 'digits'}", "dataset.image_size=16")
    config = config_of(*data, "model=mlp", "model.width=4", "train.batch_size=8", "updates.n_critic=1")

    def train(name, steps, every):
        now = config.replace(train=config.train.replace(steps=steps), log=config.log.replace(every_steps=every))
        path = tmp_path / name
        if path.exists():
            open_session(path, now, force=False).train()
            return path
        plan, data = build.check(now).open()
        path.mkdir()
        Session(plan, directory.RunDirectory(path), data, plan.state(data)).train()
        return path

    return train


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(("first", "then"), [(2, 3), (3, 2), (4, 1), (1, 4), (2, 5), (3, 7)])
def test_another_log_interval_leaves_no_row_twice_and_none_out(part, first, then):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stop = 5 if first != 3 else 6  # inside a window; at the end of one
    part("run", stop, first)
    path = part("run", 12, then)
    expected = sorted({*range(first, stop + 1, first), *range(stop - stop % then + then, 12, then), 12})
    assert [row["step"] for row in rows_of(path / "metrics.jsonl")] == expected
    assert [row["step"] for row in rows_of(path / "timing.jsonl")] == expected
    events = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    assert [event.step for event in events.Scalars("critic/loss")] == expected


def test_each_step_stands_in_exactly_one_row(part):
    each = {row["step"]: row["critic/loss"] for row in rows_of(part("each", 12, 1) / "metrics.jsonl")}
    part("parts", 5, 2)
    means = {row["step"]: row["critic/loss"] for row in rows_of(part("parts", 12, 3) / "metrics.jsonl")}
    assert list(means) == [2, 4, 6, 9, 12]
    for before, step in itertools.pairwise([0, *means]):
        window = [each[s] for s in range(before + 1, step + 1)]
        assert means[step] == pytest.approx(sum(window) / len(window), rel=1e-6)
