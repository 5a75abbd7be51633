"""A run directory from a stranger: links, pipes, bombs and wrong types in its files."""

from __future__ import annotations

import os
import socket

import pytest
import yaml

from gan_cli.core import untrusted
from gan_cli.errors import UserError
from gan_cli.runs import directory
from tests.hostile.conftest import perform

RESUME = ("resume", "train.steps=4")
COMMANDS = [("sample",), ("evaluate", "count=20", "w1_count=20"), RESUME]
STATE = "checkpoints/step_0000000003/state.safetensors"


def replace(path, make):
    if path.is_dir():
        path.rename(path.with_name(path.name + "_kept"))
    else:
        path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize("name", ["run.json", "config.yaml", ".lock", "metrics.jsonl", "events", "samples", STATE])
def test_links_out_of_the_run_are_refused_before_anything_is_written(refused, run, canary, command, name):
    path = next(run.glob("events*")) if name == "events" else run / name
    replace(path, lambda p: p.symlink_to(canary.parent if name == "samples" else canary))
    through_main = name == ".lock"  # once for each command: it takes a second
    assert f"{path} is a link" in refused(command[0], str(run), *command[1:], through_main=through_main)


@pytest.mark.parametrize("name", [".run.json.7.tmp", "notes/deep/down"])
def test_a_link_of_any_name_is_refused_dangling_or_not(refused, run, canary, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    replace(run / name, lambda p: p.symlink_to(canary.with_name("new")))
    assert f"{name} is a link" in refused("sample", str(run))


def test_a_run_that_is_reached_by_a_link_is_the_users_choice(run):
    run.with_name("latest").symlink_to(run)
    perform("sample", "latest", "count=4")
    assert list((run / "samples").glob("*_count_4.png"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", [COMMANDS[0], RESUME], ids=lambda c: c[0])
@pytest.mark.parametrize("name", ["run.json", "config.yaml", ".lock", "checkpoints"])
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


def test_a_hard_link_is_not_written_through(refused, run, canary):
    replace(run / "train.log", lambda p: os.link(canary, p))
    assert "has another name" in refused("resume", str(run), "train.steps=4")


def test_directories_without_end(refused, run):
    (run / "/".join("d" * 40)).mkdir(parents=True)
    assert "more than 16 deep" in refused("sample", str(run))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["config.yaml", "run.json", "checkpoints/step_0000000003/meta.json"])
def test_ten_sparse_gigabytes_are_not_read(refused, run, name):
    os.truncate(run / name, 10 * 2**30)
    command = (RESUME[0], str(run), RESUME[1]) if name == "run.json" else ("sample", str(run), "checkpoint=3")
    assert ("does not verify" if "meta" in name else "10,737,418,240 bytes") in refused(*command, written=True)


LAUGHS = b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12))
CONTENTS = {  # of a file, by what the line then holds
    ("config.yaml", "config"): [
        *(b"a0: &a0 lol\n" + LAUGHS, b"[" * 20_000, b"a: !!python/object/apply:os.system ['touch canary']"),
        *(b'run_dir: "\\0"', b"seed: 1" + b"0" * 100_000, b"optimizer: {lr: .inf}"),
        b"a: 2001-01-01",
    ],
    ("run.json", "run.json"): [
        *(b"[]", b'{"sessions": 3}', b'{"sessions": [1, [], null]}', b'{"a":' * 100_000, b'{"a": 1e400}'),
        *(b'{"a": ' + b"1" * 100_000 + b"}", b'{"a": "\xff"}', b'{"status": "\\ud800"}'),
    ],
    ("metrics.jsonl", "is not a row"): [b"[]\n", b'{"step": "x"}\n', b"[" * 100_000 + b"\n", b"\xff\n"],
    ("timing.jsonl", "is not a row"): [b'{"step": ' + b"1" * 5000 + b"}\n"],
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "told", "content"),
    [(*key, content) for key, contents in CONTENTS.items() for content in contents],
    ids=lambda v: repr(v)[:40],
)
def test_contents_that_are_refused(refused, run, name, told, content):
    rest = (run / name).read_bytes() if name.endswith(".jsonl") else b""
    (run / name).write_bytes(content + rest)
    assert told in refused(RESUME[0], str(run), RESUME[1], written=True)
    if name == "config.yaml":
        assert told in refused("sample", str(run))


VALUES = [
    *(("seed", 2**63), ("train", None), ("train", {"steps": True}), ("loss", []), ("hydra", {"run": {"dir": "/"}})),
    *(("model", {"width": 2**62}), ("dataset", {"_target_": "gan_cli.data.synthetic.Ring", "modes": 10**30})),
    *(("runtime", {"device": "cpu", "precision": "fp32", "engine": "eager", "threads": 10**6}),),
    *(("run_dir", "${oc.env:HOSTILE_SECRET}"), ("${oc.env:HOSTILE_SECRET}", 1), ("run_dir", r"\${seed}")),
    *(("loss", {"${oc.env:HOSTILE_SECRET}": 1}), ("dataset", {"_target_": "${oc.create:{a:1}}"})),
]


@pytest.mark.parametrize(("key", "value"), VALUES)
@pytest.mark.parametrize("command", [COMMANDS[0], RESUME], ids=lambda c: c[0])
def test_settings_of_wrong_values(refused, run, command, key, value):
    config = yaml.safe_load((run / "config.yaml").read_text())
    merges = isinstance(value, dict) and "_target_" not in value
    (run / "config.yaml").write_text(yaml.safe_dump(config | {key: config.get(key, {}) | value if merges else value}))
    refused(command[0], str(run), *command[1:])


def test_networks_larger_than_the_memory_are_not_built(refused, run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("- 4\n", "- 1000000\n").replace("width: 4\n", "width: 1000000\n"))
    for command in COMMANDS:
        assert "GB" in refused(command[0], str(run), *command[1:], written=True)


def test_facts_of_wrong_types_and_events_that_are_none_are_passed_over(run):
    (run / "run.json").write_text('{"sessions": [{"versions": 3, "threads": [], "device": {}, "data": 1e9}]}')
    next(run.glob("events*")).write_bytes(b"\xff" * 1000)
    perform(RESUME[0], str(run), RESUME[1])


@pytest.mark.parametrize("name", ["../../../outside/canary", "/etc/passwd"])
def test_names_in_a_run_never_choose_a_path(run, canary, name, capsys):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "run_dir": name}))
    (run / "run.json").write_text('{"run_dir": "../../../outside", "sessions": []}')
    perform("sample", str(run), "count=4")
    assert capsys.readouterr().out.strip() == str(run / "samples" / "step_0000000003_seed_0_count_4.png")
    assert canary.read_text() == "alive"


def test_a_config_too_large_to_be_read_back_is_not_written(tmp_path):
    made = directory.RunDirectory(tmp_path)
    with pytest.raises(UserError, match="bytes long"):
        made.write_config({"classes": "x" * untrusted.CONFIG_BYTES})
    made.close()
    assert not (tmp_path / "config.yaml").exists()
