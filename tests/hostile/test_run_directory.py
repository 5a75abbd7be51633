"""A run directory from a stranger: links, pipes, bombs and wrong types in its files."""

from __future__ import annotations

import os
import stat

import pytest
import yaml

from gan_cli.core import untrusted
from gan_cli.errors import GanError, UserError
from gan_cli.runs import directory
from tests.hostile.conftest import EVALUATE, RESUME, SAMPLE, perform

KINDS = {  # how a file of it is made, and what it is called
    "link": (lambda path, canary: path.symlink_to(canary), "is a link"),
    "folder link": (lambda path, canary: path.symlink_to(canary.parent), "is a link"),
    "dangling link": (lambda path, canary: path.symlink_to(canary.with_name("new")), "is a link"),
    "hard link": (lambda path, canary: os.link(canary, path), "has another name"),
    "pipe": (lambda path, canary: os.mkfifo(path), "is a pipe"),
    "socket": (lambda path, canary: os.mknod(path, stat.S_IFSOCK | 0o600), "is a socket"),
    "sparse": (lambda path, canary: path.open("wb").truncate(10 * 2**30), "10,737,418,240 bytes"),
}
PLACES = [
    *(("link", name) for name in ("config.yaml", ".lock", "metrics.jsonl", "checkpoints/step_0000000003/meta.json")),
    *(("folder link", "samples"), ("dangling link", "notes/deep/down"), ("dangling link", ".run.json.7.tmp")),
    *(("pipe", name) for name in ("config.yaml", "run.json", ".lock", "checkpoints")),
    *(("socket", "config.yaml"), ("socket", "checkpoints")),
    *(("hard link", "train.log"), ("sparse", "config.yaml"), ("sparse", "run.json")),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_what_is_no_plain_small_file_is_refused_before_anything_is_written(refused, run, canary, kind, name):
    path, (make, expected) = run / name, KINDS[kind]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(path.with_name(f"{path.name}_kept"))
    make(path, canary)
    for command, *words in [RESUME] if kind in ("hard link", "sparse") else [SAMPLE, EVALUATE, RESUME]:
        options = {"through_main": (kind, name) == ("link", ".lock"), "written": (kind, name) == ("sparse", "run.json")}
        line = refused(command, run, *words, **options)
        assert str(path) in line
        assert expected in line


def test_directories_without_end(refused, run):
    (run / "/".join("d" * 40)).mkdir(parents=True)
    assert "more than 16 deep" in refused("sample", run)


LAUGHS = b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 12))
CONTENTS = [
    ("config.yaml", b"a0: &a0 lol\n" + LAUGHS),
    ("config.yaml", b"[" * 20_000),
    ("config.yaml", b"a: !!python/object/apply:os.system ['touch canary']"),
    ("config.yaml", b"seed: 1" + b"0" * 100_000),
]
DAMAGE = [  # of what is rebuilt; for rows of curves, the first line
    ("run.json", b'{"sessions": [1, [], null]}'),
    ("run.json", b'{"a":' * 100_000),
    ("run.json", b'{"status": "\\ud800"}'),
    ("metrics.jsonl", b'{"step": "x"}\n'),
    ("timing.jsonl", b'{"step": ' + b"1" * 5000 + b"}\n"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "content"), CONTENTS, ids=lambda v: repr(v)[:40])
def test_contents_that_are_refused(refused, run, name, content):
    (run / name).write_bytes(content)
    for command, *words in [SAMPLE, RESUME]:
        assert name in refused(command, run, *words, written=True)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "content"), DAMAGE, ids=lambda v: repr(v)[:40])
def test_contents_that_are_made_anew(run, capsys, name, content):
    before = (run / name).read_bytes()
    rows = name.endswith(".jsonl")
    (run / name).write_bytes(content + before * rows)
    perform("resume", run, "train.steps=4")
    assert name in capsys.readouterr().err
    assert (run / name).read_bytes().startswith(before.partition(b"\n")[0] if rows else b"{")


@pytest.mark.parametrize("steps", [3, 4])  # finished, and not
def test_a_directory_in_the_place_of_a_file_is_named(run, steps):
    (run / "metrics.jsonl").unlink()
    (run / "metrics.jsonl").mkdir()
    with pytest.raises(GanError, match=r"metrics\.jsonl: Is a directory; no checkpoint is changed"):
        perform("resume", run, f"train.steps={steps}")


def test_networks_larger_than_the_memory_are_not_built(both, run):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("- 4\n", "- 1000000\n").replace("width: 4\n", "width: 1000000\n"))
    assert all("GB" in line for line in both(written=True))


def test_facts_of_wrong_types_and_events_that_are_none_are_passed_over(run):
    (run / "run.json").write_text('{"sessions": [{"versions": 3, "threads": [], "device": {}, "data": 1e9}]}')
    next(run.glob("events*")).write_bytes(b"\xff" * 1000)
    perform("resume", run, "train.steps=4")


def test_names_in_a_run_never_choose_a_path_and_a_link_to_a_run_does(run, canary, capsys):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"run_dir": "../../../outside/canary"}))
    (run / "run.json").write_text('{"run_dir": "../../../outside", "sessions": []}')
    run.with_name("latest").symlink_to(run)
    perform("sample", "latest", "count=4")
    assert capsys.readouterr().out.strip() == "latest/samples/step_0000000003_seed_0_count_4.png"
    assert (run / "samples" / "step_0000000003_seed_0_count_4.png").is_file()
    assert canary.read_text() == "alive"


def test_a_config_too_large_to_be_read_back_is_not_written(tmp_path):
    made = directory.RunDirectory(tmp_path)
    with pytest.raises(UserError, match="bytes long"):
        made.write_config({"classes": "x" * untrusted.CONFIG_BYTES})
    made.close()
    assert not (tmp_path / "config.yaml").exists()
