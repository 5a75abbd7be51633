"""A run directory from a stranger: links, pipes, bombs and wrong types in its files."""

from __future__ import annotations

import os
import socket

import pytest
import yaml

from gan_cli.core import untrusted
from gan_cli.errors import UserError
from gan_cli.runs import directory
from tests.hostile.perform import perform

COMMANDS = [("sample",), ("evaluate", "count=20", "w1_count=20"), ("resume", "train.steps=4")]
FILES = ["run.json", "config.yaml", ".lock", "train.log", "metrics.jsonl", "timing.jsonl", "checkpoints", "samples"]


def replace(path, make):
    if path.is_dir():
        path.rename(path.with_name(path.name + "_kept"))
    else:
        path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize("name", [*FILES, "events", "samples/step_0000000000.png", "checkpoints/step", "state"])
def test_links_out_of_the_run_are_refused_before_anything_is_written(refused, run, canary, command, name):
    state = run / "checkpoints" / "step_0000000003"
    path = {"events": next(run.glob("events*")), "checkpoints/step": state, "state": state / "state.safetensors"}.get(
        name, run / name
    )
    replace(path, lambda p: p.symlink_to(canary.parent if p.suffix in ("", ".3") and name in FILES[6:] else canary))
    through_main = name == ".lock"  # once for each command: it takes a second
    assert f"{path} is a link" in refused(command[0], str(run), *command[1:], through_main=through_main)
    assert canary.read_text() == "alive"


@pytest.mark.parametrize("name", ["run.json", ".run.json.7.tmp", "notes/deep/down"])
def test_a_link_of_any_name_is_refused_dangling_or_not(refused, run, canary, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    replace(run / name, lambda p: p.symlink_to(canary.with_name("new")))
    assert f"{name} is a link" in refused("sample", str(run))


def test_a_run_that_is_reached_by_a_link_is_the_users_choice(run):
    run.with_name("latest").symlink_to(run)
    perform("sample", "latest", "count=4")
    assert list((run / "samples").glob("*_count_4.png"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize("name", ["run.json", "config.yaml", ".lock", "metrics.jsonl", "checkpoints"])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_pipes_and_sockets_are_not_waited_for(refused, run, command, name, kind, monkeypatch):
    def make(path):
        if kind == "pipe":
            os.mkfifo(path)
        else:
            monkeypatch.chdir(path.parent)  # a socket's path is short
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)

    replace(run / name, make)
    assert f"{run / name} is a {kind}" in refused(command[0], str(run), *command[1:])


@pytest.mark.skipif(not hasattr(os, "mknod") or os.geteuid() != 0, reason="root makes devices")
def test_devices(refused, run):
    (run / "config.yaml").unlink()
    try:
        os.mknod(run / "config.yaml", 0o020666, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        pytest.skip("no devices can be made here")
    assert "is a device" in refused("sample", str(run))


def test_a_hard_link_is_not_written_through(refused, run, canary):
    replace(run / "train.log", lambda p: os.link(canary, p))
    assert "has another name" in refused("resume", str(run), "train.steps=4")
    assert canary.read_text() == "alive"


def test_directories_without_end(refused, run):
    deep = run / "/".join("d" * 40)
    deep.mkdir(parents=True)
    assert "more than 16 deep" in refused("sample", str(run))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["config.yaml", "run.json", "checkpoints/step_0000000003/meta.json"])
def test_ten_sparse_gigabytes_are_not_read(refused, run, name, capsys):
    os.truncate(run / name, 10 * 2**30)
    command = ("resume", str(run), "train.steps=4") if name == "run.json" else ("sample", str(run), "checkpoint=3")
    if "meta" in name:
        assert "does not verify" in refused(*command)
    else:
        assert "10,737,418,240 bytes" in refused(*command, written=True)


BOMBS = {
    "laughs": b"a0: &a0 lol\n"
    + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12)),
    "merges": b"a0: &a0 {x: 1}\n"
    + b"".join(b"a%d: &a%d {<<: [*a%d,*a%d]}\n" % (i, i, i - 1, i - 1) for i in range(1, 40)),
    "long alias": b"a: &a '" + b"x" * 100_000 + b"'\nb: [" + b"*a," * 1000 + b"]",
    "itself": b"a: &a [*a]",
    "brackets": b"[" * 20_000,
    "braces": b"{a: " * 30_000,
    "dashes": b"- " * 60_000,
    "tag": b"a: !!python/object/apply:os.system ['touch canary']",
    "new": b"a: !!python/object/new:os.system ['touch canary']",
    "name": b"a: !!python/name:os.system",
    "twice": b"seed: 1\nseed: 2",
    "nul": b"a: \0",
    "written nul": b'run_dir: "\\0"',
    "surrogate": b'run_dir: "\\ud800"',
    "latin": b"a: \xff",
    "utf16": "a: 1".encode("utf-16"),
    "digits": b"seed: 1" + b"0" * 100_000,
    "hex digits": b"seed: 0x" + b"f" * 100_000,
    "base sixty": b"seed: 1" + b":1" * 60_000,
    "base sixty float": b"seed: 1" + b":20" * 40_000 + b".0",
    "not a number": b"optimizer: {lr: .nan}",
    "infinite": b"optimizer: {lr: .inf}",
    "binary": b"a: !!binary aGVsbG8=",
    "set": b"a: !!set {x}",
    "date": b"a: 2001-01-01",
    "number as key": b"1: 2",
    "list as key": b"? [a]\n: 1",
    "two documents": b"a: 1\n---\nb: 2",
    "list": b"- 1",
    "empty": b"",
    "text": b"just text",
    "bad stamp": b"a: !!timestamp x",
    "bad truth": b"a: !!bool x",
    "bad whole": b"a: !!int ''",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bomb", BOMBS)
def test_configs_that_are_no_configs(refused, run, bomb):
    (run / "config.yaml").write_bytes(BOMBS[bomb])
    assert "config" in refused("sample", str(run))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 2**63),
        ("seed", 10**4000),
        ("model", {"width": 2**62}),
        ("train", None),
        ("train", {"steps": True}),
        ("loss", []),
        ("loss", {"_target_": ["x"]}),
        ("allow_targets", ["os"]),
        ("dataset", {"_target_": "gan_cli.data.synthetic.Ring", "modes": 10**30}),
        ("runtime", {"device": "cpu", "precision": "fp32", "engine": "eager", "threads": 10**6}),
        ("hydra", {"run": {"dir": "/"}}),
        ("run_dir", "${oc.env:HOSTILE_SECRET}"),
        ("run_dir", "${${oc.env:HOSTILE_SECRET}}"),
        ("run_dir", r"\${oc.env:HOSTILE_SECRET}"),
        ("${oc.env:HOSTILE_SECRET}", 1),
        ("loss", {"_target_": "gan_cli.losses.Wasserstein", "a": ["${oc.env:HOSTILE_SECRET}"]}),
        ("loss", {"${oc.env:HOSTILE_SECRET}": 1}),
        ("dataset", {"_target_": "${oc.decode:${oc.env:HOSTILE_SECRET}}"}),
        ("dataset", {"_target_": "${oc.create:{a:1}}"}),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
def test_settings_of_wrong_values(refused, run, command, key, value):
    config = yaml.safe_load((run / "config.yaml").read_text())
    given = config.get(key)
    merged = (
        {**given, **value} if isinstance(given, dict) and isinstance(value, dict) and "_target_" not in value else value
    )
    text = yaml.safe_dump({**config, key: "HUGE" if value == 10**4000 else merged})
    (run / "config.yaml").write_text(text.replace("HUGE", "1" + "0" * 4000))
    if key == "allow_targets":  # in the file it means nothing: the command goes on
        config["loss"]["_target_"] = "os.system"
        (run / "config.yaml").write_text(yaml.safe_dump({**config, "allow_targets": ["os"]}))
    refused(command[0], str(run), *command[1:])


def test_networks_larger_than_the_memory_are_not_built(refused, run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    text = yaml.safe_dump(config).replace("- 4\n", "- 1000000\n").replace("width: 4\n", "width: 1000000\n")
    assert text != yaml.safe_dump(config)
    (run / "config.yaml").write_text(text)
    for command in COMMANDS:
        assert "GB" in refused(command[0], str(run), *command[1:], written=True)


STATUSES = {
    "list": b"[]",
    "sessions": b'{"sessions": 3}',
    "session": b'{"sessions": [1, [], null]}',
    "deep": b'{"a":' * 100_000,
    "fifty": b'{"a":' * 60 + b"1" + b"}" * 60,
    "infinite": b'{"a": 1e400}',
    "nan": b'{"a": NaN}',
    "digits": b'{"a": ' + b"1" * 100_000 + b"}",
    "twice": b'{"a": 1, "a": 2}',
    "latin": b'{"a": "\xff"}',
    "surrogate": b'{"status": "\\ud800"}',
    "nul": b'{"status": "\\u0000"}',
    "torn": b'{"a": ',
}


@pytest.mark.parametrize("status", STATUSES)
def test_statuses_that_are_no_status(refused, run, status):
    (run / "run.json").write_bytes(STATUSES[status])
    assert "run.json" in refused("resume", str(run), "train.steps=4", written=True)


def test_sessions_of_wrong_types_are_not_compared(run):
    (run / "run.json").write_text('{"sessions": [{"versions": 3, "threads": [], "device": {}, "data": 1e9}]}')
    perform("resume", str(run), "train.steps=4")


@pytest.mark.parametrize("name", ["metrics.jsonl", "timing.jsonl"])
@pytest.mark.parametrize("line", [b"[]", b'{"step": "x"}', b"[" * 100_000, b'{"step": ' + b"1" * 5000 + b"}", b"\xff"])
def test_rows_that_are_no_rows(refused, run, name, line):
    (run / name).write_bytes(line + b"\n" + (run / name).read_bytes())
    assert "is not a row" in refused("resume", str(run), "train.steps=4", written=True)


def test_events_that_are_no_events(run):
    next(run.glob("events*")).write_bytes(b"\xff" * 1000)
    perform("resume", str(run), "train.steps=4")


def test_a_module_in_the_run_or_here_is_not_imported(refused, run, here, canary):
    body = f"open({str(canary)!r}, 'w').write('dead')\nclass Mine: pass\n"
    for folder in (run, here):
        (folder / "my_losses.py").write_text(body)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["loss"]["_target_"] = "my_losses.Mine"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    assert "runs only where the command line says so" in refused("sample", str(run))
    assert canary.read_text() == "alive"


@pytest.mark.parametrize("name", ["../../../outside/canary", "/etc/passwd"])
def test_names_in_a_run_never_choose_a_path(run, canary, name, capsys):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["run_dir"] = name
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "run.json").write_text('{"run_dir": "../../../outside", "sessions": []}')
    perform("sample", str(run), "count=4")
    assert capsys.readouterr().out.strip() == str(run / "samples" / "step_0000000003_seed_0_count_4.png")
    assert canary.read_text() == "alive"


def test_a_config_too_large_to_be_read_back_is_not_written(tmp_path):
    made = directory.RunDirectory(tmp_path)
    with pytest.raises(UserError, match="bytes long"):
        made.write_config({"classes": "x" * untrusted.CONFIG_BYTES})
    directory.close()
    assert not (tmp_path / "config.yaml").exists()
