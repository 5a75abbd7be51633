"""`gan doctor`: the machine, and runs that are whole, running, stopped, damaged or hostile; nothing is ever written."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from importlib import metadata

import pytest
import torch

from gan_cli.cli import main
from gan_cli.commands import _doctor_findings, _doctor_machine
from gan_cli.commands._doctor_findings import Finding
from gan_cli.runs.directory import RunDirectory
from tests.conftest import POINTS, SMALL


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 5 steps with checkpoints at 4 and 5."""
    path = tmp_path_factory.mktemp("trained") / "run"
    steps = ("train.steps=5", "checkpoint.every_steps=4", "log.every_steps=2")
    assert main(["train", *SMALL, *POINTS, *steps, f"run_dir={path}"]) == 0
    return path


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def doctor(gan, run):
    """Examine the run; returns the exit code and the lines by their names, `!` as their first character."""

    def examine(*argv):
        before = snapshot(run)
        ended = gan("doctor", *(argv or ("run",)))
        assert snapshot(run) == before
        assert ended.err == ""
        title, *lines = ended.out.splitlines()
        assert title == "run"
        matches = [re.fullmatch(r"([! ]) (\S+(?: \S+)*?) {2,}(\S.*)", line) for line in lines]
        return ended.code, {match[2]: match[1].strip() + match[3] for match in matches}

    return examine


def snapshot(run):
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() and not path.is_symlink() else b"")
        for path in sorted(run.rglob("*"))
    }


def edit(run, change):
    path = run / "run.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rewrite(run, pattern, change):
    for path in run.glob(pattern):
        path.write_bytes(change(path.read_bytes()))


def test_a_finished_run(doctor):
    code, lines = doctor()
    assert code == 0
    assert lines["status"].startswith("finished at step 5, ")
    assert lines["config"] == "valid, 5 steps"
    assert re.fullmatch(r"verified, [\d.]+ kB", lines["checkpoint 5"])
    assert lines["checkpoint 4"].startswith("verified")
    assert lines["metrics.jsonl"] == "3 rows, the last one at step 5"
    assert re.fullmatch(r"2 event files, [\d.]+ kB, up to step 5", lines["TensorBoard"])
    assert "the next checkpoint needs about" in lines["disk"]
    assert lines["continue"] == "finished; to train longer: gan resume run train.steps=10"


def test_the_command_it_names_continues_the_run(doctor, gan, run):
    shutil.rmtree(run / "checkpoints" / "step_0000000005")
    edit(run, lambda status: status.update(status="running", step=4))
    code, lines = doctor()
    assert code == 0
    assert lines["status"].startswith("killed, or the machine went down; last saved status: step 4, ")
    where, _, command = lines["continue"].partition(": ")
    assert (where, command) == ("from step 4", "gan resume run")
    assert gan(*command.split()[1:]).code == 0
    assert doctor()[1]["status"].startswith("finished at step 5")


def test_a_run_in_use(doctor, run):
    held = RunDirectory(run)
    code, lines = doctor()
    held.close()
    assert code == 0
    assert lines["status"].startswith(f"running, process {os.getpid()} on ")
    assert lines["continue"] == "the run is still running: nothing to do"


BESIDE = {"number": 2, "step": 4, "what": "samples/x.png", "reason": "disk full"}
FAILED = {"status": "failed", "reason": "critic/loss became nan at step 6", "failures": [BESIDE]}
HARMS = {
    "damaged": lambda run: rewrite(run, "checkpoints/*5/state*", lambda b: b[:-1] + bytes([b[-1] ^ 1])),
    "unsealed": lambda run: [path.unlink() for path in run.glob("checkpoints/*/MANIFEST.json")],
    "lost": lambda run: [shutil.rmtree(run / "checkpoints"), (run / "run.json").unlink()],
    "failed": lambda run: edit(run, lambda status: status.update(FAILED)),
    "changed": lambda run: rewrite(run, "config.yaml", lambda b: b.replace(b"seed: 0", b"seed: 1")),
    "torn": lambda run: rewrite(run, "events*.gan", lambda b: b + b"torn"),
    "one bit": lambda run: rewrite(run, "events*.gan", lambda b: b[:900] + bytes([b[900] ^ 1]) + b[901:]),
    "a name": lambda run: rewrite(run, "events*.about", lambda b: b[:-99] + b"x" + b[-98:]),
    "no rows": lambda run: (run / "metrics.jsonl").unlink(),
    "a tag": lambda run: rewrite(run, "metrics.jsonl", lambda b: b.replace(b"critic/loss", b"critic/lass", 1)),
    "last row": lambda run: rewrite(run, "metrics.jsonl", lambda b: b.replace(b'"step": 5', b'"step": 6')),
    "picture": lambda run: rewrite(run, "samples/step_0000000000.png", lambda b: b[:99]),
    "a directory": lambda run: [(run / "timing.jsonl").unlink(), (run / "timing.jsonl").mkdir()],
    "half a status": lambda run: rewrite(run, "run.json", lambda b: b[:40]),
}


@pytest.mark.parametrize(
    ("harm", "code", "name", "line"),
    [
        ("damaged", 1, "checkpoint 5", "!damaged: state.safetensors is not what was written"),
        ("damaged", 1, "checkpoint 4", r"verified, [\d.]+ kB"),
        ("damaged", 1, "continue", "from step 4: gan resume run"),
        ("unsealed", 1, "checkpoint 5", "!damaged: MANIFEST.json: No such file or directory"),
        ("unsealed", 1, "continue", "!no checkpoint is intact: restore one from a copy.*"),
        ("lost", 0, "continue", "from step 0: gan resume run"),
        ("failed", 1, "status", ".*critic/loss became nan at step 6"),
        ("failed", 1, "failures", "!2 in total; the last at step 4: samples/x.png: disk full"),
        ("changed", 1, "continue", r".*\(seed: 0 -> 1\).*gan resume run force=true"),
        ("torn", 0, "TensorBoard", ".* is damaged or incomplete after byte {}; continuing the run repairs it.*"),
        ("a name", 0, "TensorBoard", ".*about is damaged or incomplete after byte .*; continuing the run repairs it"),
        ("one bit", 1, "{}", "!damaged or removed; gan resume rebuilds it .*"),
        ("no rows", 1, "metrics.jsonl", "!damaged or removed; gan resume rebuilds it .*"),
        ("a tag", 1, "metrics.jsonl", "!damaged or removed; gan resume rebuilds it .*"),
        ("last row", 1, "metrics.jsonl", "!damaged or removed; gan resume rebuilds it .*"),
        ("picture", 1, "samples/step_0000000000.png", "!damaged or removed; gan resume rebuilds it .*"),
        ("a directory", 1, "timing.jsonl", "!damaged or removed; gan resume rebuilds it .*"),
        ("half a status", 1, "status", "!.*cannot be read.*; gan resume rebuilds it from the newest checkpoint"),
    ],
)
def test_what_has_happened_to_a_run_is_reported(doctor, run, harm, code, name, line):
    (events,) = run.glob("events*.gan")
    whole = events.stat().st_size
    HARMS[harm](run)
    found, lines = doctor()
    assert found == code
    assert re.fullmatch(line.format(whole), lines[name.format(events.name)])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"\xff\xfe"),
        ("config.yaml", b"a: &a [*a]\n"),
        ("run.json", b"["),
        ("metrics.jsonl", b"nonsense\n"),
        ("checkpoints/step_0000000005/MANIFEST.json", b"{}"),
        ("checkpoints/step_0000000005/meta.json", b"[" * 10_000),
    ],
)
def test_whatever_is_broken_is_one_line(doctor, run, name, content):
    (run / name).write_bytes(content)
    code, lines = doctor()
    assert code == 1
    assert any(text.startswith("!") for text in lines.values())


@pytest.mark.parametrize("content", [{}, {"status": "failed", "failures": [1]}, {"sessions": [{}], "step": []}])
def test_a_strange_status_has_no_traceback(doctor, run, content):
    (run / "run.json").write_text(json.dumps(content))
    doctor()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_out_of_the_run_is_not_followed_nor_a_pipe_waited_for(gan, run, tmp_path, kind):
    (tmp_path / "canary").write_text("mine")
    path = run / "metrics.jsonl"
    path.unlink()
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(tmp_path / "canary")
    ended = gan("doctor", "run")
    assert ended.code == 1
    assert f"metrics.jsonl is a {kind}" in ended.out
    assert "mine" not in ended.out


def test_a_run_of_own_parts_names_them(doctor, run, tmp_path):
    (tmp_path / "my_parts.py").write_text("class Mine:\n    def __init__(self): ...\n")
    path = run / "config.yaml"
    text = re.sub(r"(?m)^  _target_: gan_cli\.losses\..*$", "  _target_: my_parts.Mine", path.read_text())
    path.write_text(text.replace("allow_targets: []", "allow_targets: [my_parts]"))
    code, lines = doctor()
    assert code == 1
    assert lines["config"].endswith("if you trust it, add 'allow_targets=[my_parts]'")
    assert "my_parts" not in sys.modules
    lines = doctor("run", "allow_targets=[my_parts]")[1]
    assert lines["config"].startswith("valid")
    assert "'allow_targets=[my_parts]' force=true" in lines["continue"]


@pytest.mark.parametrize("argv", [["nowhere"], ["."], ["a", "b"], [".", "b"], [".", "allow_targets=3"], ["--fast"]])
def test_what_is_no_run(refused, argv):
    refused("doctor", *argv)


def test_the_machine(gan, tmp_path):
    ended = gan("doctor")
    assert ended.err == ""
    assert re.search(rf"torch +{re.escape(metadata.version('torch'))}\n", ended.out)
    lines = {line[2:].partition("  ")[0]: line for line in ended.out.splitlines()}
    assert {"python", "processor", "memory", "runtime=auto", "disk", "lmdb", "completion"} <= set(lines)
    assert "(for dataset=lsun_bedroom)" in lines["lmdb"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert f"device={device} " in lines["runtime=auto"]
    assert ended.code == int(any(line.startswith("!") for line in ended.out.splitlines()))
    assert list(tmp_path.iterdir()) == []


def test_missing_and_old_packages_are_wrong(monkeypatch):
    versions = {"tqdm": None, "numpy": "1.0"}
    known = _doctor_machine.version_of
    monkeypatch.setattr(_doctor_machine, "version_of", lambda name: versions.get(name, known(name)))
    found = {f.name: f for f in _doctor_machine.software()}
    assert found["tqdm"] == Finding("tqdm", "missing; pip install tqdm", wrong=True)
    assert found["numpy"].wrong
    assert found["numpy"].text.startswith("1.0, but numpy>=")
    assert not found["torch"].wrong


def test_a_disk_without_room(monkeypatch, tmp_path):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    assert _doctor_machine.room(tmp_path / "not" / "there", 2000).wrong
    assert not _doctor_machine.room(tmp_path, 500).wrong


def test_table():
    text = _doctor_findings.table("title", [Finding("a", "one\ntwo"), Finding("long name", "x", wrong=True)])
    assert text == "title\n  a          one two\n! long name  x"
