"""W&B and MLflow get what TensorBoard gets, once, and can neither end a run nor cost it a row."""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
import types
from pathlib import Path
from typing import ClassVar

import pytest

from gan_cli.cli import main
from gan_cli.runs import reading
from gan_cli.runs.metrics_log import read_rows

TOY = (
    *("model=toy_mlp", "dataset=ring", "model.width=4", "latent.size=2", "train.batch_size=8", "runtime=cpu"),
    *("runtime.threads=1", "log.every_steps=2", "log.samples_every_steps=4", "log.sample_count=4"),
)


def installed(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f'{name} is not installed: pip install "gan_cli[{name}]"')


class Recorder:
    """A tracker that keeps every call, or fails."""

    calls: ClassVar[list] = []
    broken = ""

    def begin(self, run, identity, settings):
        self._do("begin", run, identity, dict(settings))
        return identity or "id7"

    def scalars(self, step, row):
        self._do("scalars", step, dict(row))

    def image(self, tag, step, image):
        self._do("image", tag, step, image.shape)

    def end(self, success):
        self._do("end", success)

    def _do(self, what, *arguments):
        if Recorder.broken == what:
            raise ConnectionError("no route to host")
        Recorder.calls.append((what, *arguments))


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    """`log.to=[wandb]` without W&B."""
    monkeypatch.chdir(tmp_path)
    Recorder.calls, Recorder.broken = [], ""
    module = types.ModuleType("gan_cli.runs.wandb_tracker")
    module.Tracker = Recorder
    monkeypatch.setitem(sys.modules, "gan_cli.runs.wandb_tracker", module)
    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    sys.modules["wandb"].__spec__ = importlib.util.spec_from_loader("wandb", None)
    return Recorder


def as_text(row: dict[str, float]) -> dict[str, str]:
    """A NaN equals itself here."""
    return {tag: repr(float(value)) for tag, value in row.items() if tag != "step"}


def steps_of(kind: str, tag: str | None = None) -> list[int]:
    return [call[-2] for call in Recorder.calls if call[0] == kind and tag in (None, call[1])]


def test_a_tracker_gets_rows_pictures_and_settings(recorder):
    assert main(["train", *TOY, "train.steps=4", "run_dir=a", "log.to=[tensorboard,wandb]"]) == 0
    first, last = recorder.calls[0], recorder.calls[-1]
    assert first[:3] == ("begin", Path("a"), None)
    assert (first[3]["loss"], first[3]["train.batch_size"]) == ("wgan", 8)
    assert last == ("end", True)
    rows = [call for call in recorder.calls if call[0] == "scalars"]
    for row, local in zip(rows, read_rows(Path("a/metrics.jsonl")), strict=True):
        assert row[1] == local.pop("step")
        assert as_text({k: v for k, v in row[2].items() if not k.startswith("speed/")}) == as_text(local)
        assert {k for k in row[2] if k.startswith("speed/")} == {"speed/steps_per_second", "speed/images_per_second"}
    assert steps_of("image", "samples/fixed") == [0, 4]
    assert list(Path("a").glob("events.out.tfevents.*"))


def test_a_resumed_run_goes_on_there_and_repeats_nothing(recorder):
    assert main(["train", *TOY, "train.steps=4", "run_dir=a", "log.to=[wandb]"]) == 0
    assert not list(Path("a").glob("events.out.tfevents.*"))
    assert main(["resume", "a", "train.steps=8"]) == 0
    assert [call[2] for call in recorder.calls if call[0] == "begin"] == [None, "id7"]
    assert steps_of("scalars") == [2, 4, 6, 8]
    assert steps_of("image", "samples/fixed") == [0, 4, 8]


def test_a_killed_run_sends_no_row_again(recorder):
    """Its checkpoint is of step 4, and the tracker has the rows up to step 6."""
    assert main(["train", *TOY, "train.steps=4", "run_dir=a", "log.to=[wandb]"]) == 0
    noted = json.loads(Path("a/trackers.json").read_text())
    noted["wandb"]["row"] = 6
    Path("a/trackers.json").write_text(json.dumps(noted))
    assert main(["resume", "a", "train.steps=8"]) == 0
    assert steps_of("scalars") == [2, 4, 8]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"wandb": 3}', '{"wandb": {"id": "../x", "row": "2", "samples/fixed": true}}']
)
def test_a_damaged_note_begins_anew(recorder, content):
    assert main(["train", *TOY, "train.steps=4", "run_dir=a"]) == 0
    Path("a/trackers.json").write_text(content)
    assert main(["resume", "a", "train.steps=6", "log.to=[tensorboard,wandb]"]) == 0
    assert recorder.calls[0][:3] == ("begin", Path("a"), None)
    assert steps_of("scalars") == [2, 4, 6]  # what was there before the tracker was, too


@pytest.mark.parametrize(("broken", "step"), [("begin", 0), ("scalars", 2), ("image", 0), ("end", 6)])
def test_a_tracker_that_fails_is_reported_once_and_costs_nothing(recorder, capsys, broken, step):
    recorder.broken = broken
    assert main(["train", *TOY, "train.steps=6", "run_dir=a", "log.to=[tensorboard,wandb]"]) == 3
    errors = capsys.readouterr().err
    line = f"failed at step {step}: W&B, which receives nothing more in this session: no route to host"
    lines = [text for text in errors.splitlines() if "W&B" in text and "gan: " not in text]
    assert len(lines) == 1
    assert line.rpartition(": ")[0] in lines[0]
    assert [row["step"] for row in read_rows(Path("a/metrics.jsonl"))] == [2, 4, 6]
    assert reading.status(Path("a"))["status"] == "finished"
    recorder.broken, recorder.calls = "", []
    assert main(["resume", "a", "train.steps=8"]) == 0
    sent = steps_of("scalars")
    assert sent == ([8] if broken == "end" else [2, 4, 6, 8])  # what it lacks is sent


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_what_is_not_installed_is_named(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == name else real(n, *a))
    assert main(["train", *TOY, f"log.to=[tensorboard,{name}]"]) == 2
    line = f'gan: log.to=[{name}]: is not installed here; pip install "gan_cli[{name}]"\n'
    assert capsys.readouterr().err == line
    assert main(["train", "-m", *TOY, "seed=0,1", f"log.to=[{name}]"]) == 2
    assert capsys.readouterr().err.endswith(line.removeprefix("gan: "))
    assert not list(tmp_path.iterdir())


def test_nothing_is_imported_where_it_is_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in ("wandb_tracker", "mlflow_tracker"):
        monkeypatch.setitem(sys.modules, f"gan_cli.runs.{module}", None)
    assert main(["train", *TOY, "train.steps=1", "run_dir=a"]) == 0
    assert not Path("a/trackers.json").exists()


def test_another_place_is_refused_in_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "log.to=[comet]"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gan: log.to=[comet]: must be a list, each tensorboard, wandb or mlflow, such as 'log.to=[")


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """Train four steps, then four more."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> list[dict[str, float]]:
        assert main(["train", *TOY, "train.steps=4", "run_dir=runs/a", f"log.to=[tensorboard,{name}]"]) == 0
        assert main(["resume", "runs/a", "train.steps=8"]) == 0
        assert "failures" not in reading.status(Path("runs/a")) or not reading.status(Path("runs/a"))["failures"]
        return read_rows(Path("runs/a/metrics.jsonl"))

    return run


@pytest.mark.timeout(600)
def test_wandb_offline(twice, monkeypatch):
    installed("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    rows = twice("wandb")
    found: dict[int, dict[str, str]] = {}
    files = sorted(Path("runs/wandb").glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    identity = json.loads(Path("runs/a/trackers.json").read_text())["wandb"]["id"]
    assert [path.name for path in files] == [f"run-{identity}.wandb"] * 2
    config: dict[str, str] = {}
    for path in files:
        for entry in records(path):
            config |= {name_of(item): item.value_json for item in entry.run.config.update}
            values = {name_of(item): item.value_json for item in entry.history.item}
            if values:
                step = entry.history.step.num
                assert not set(found.get(step, {})) & set(values) - {"_step", "_timestamp", "_runtime"}, step
                found.setdefault(step, {}).update(values)
    assert [step for step in sorted(found) if "critic/loss" in found[step]] == [2, 4, 6, 8]
    for row in rows:
        sent = {tag: json.loads(found[row["step"]][tag]) for tag in row if tag != "step"}
        assert as_text(sent) == as_text(row)
    assert [step for step in sorted(found) if "samples/fixed" in found[step]] == [0, 4, 8]
    assert json.loads(config["train.batch_size"]) == 8
    assert not [path for path in Path("runs/a").rglob("*") if path.is_symlink()]


def name_of(item) -> str:
    return item.nested_key[0] if item.nested_key else item.key


def records(path: Path):
    """Read an offline run's file: LevelDB's log format, blocks of 32 KiB with parts of records, behind 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    content, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        left = 2**15 - at % 2**15
        size, kind = struct.unpack_from("<HB", content, at + 4)
        if left < 7 or kind == 0:
            at += left
            continue
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # all of a record, or its last part
            entry = wandb_internal_pb2.Record()
            entry.ParseFromString(whole)
            yield entry
            whole = b""


@pytest.mark.timeout(600)
def test_mlflow_in_a_local_store(twice, monkeypatch, tmp_path):
    installed("mlflow")
    installed("sqlalchemy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    rows = twice("mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("gan_cli").experiment_id])
    assert (run.info.run_name, run.info.status) == ("a", "FINISHED")
    assert (run.data.params["train.batch_size"], run.data.params["train.steps"]) == ("8", "4")
    assert run.data.tags["train.steps"] == "8"
    for tag in (tag for tag in rows[0] if tag != "step"):
        history = [(m.step, repr(m.value)) for m in client.get_metric_history(run.info.run_id, tag)]
        assert history == [(row["step"], repr(row[tag])) for row in rows if tag in row]
    assert {f.path for f in client.list_artifacts(run.info.run_id)} >= {"config.yaml", "images"}
    names = [f.path for f in client.list_artifacts(run.info.run_id, "images")]
    assert {int(name.split("step")[1][1:].split("%")[0].split("+")[0]) for name in names} == {0, 4, 8}
