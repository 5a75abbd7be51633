"""A run's directory: one owner, whatever happens to its name, and nothing left unfinished in it."""

import contextlib
import json
import os
import shutil
import threading

import pytest

from gan_cli.core import files, held
from gan_cli.core.files import AppendFile
from gan_cli.core.held import is_held
from gan_cli.errors import MISTAKE, UserError
from gan_cli.runs import checkpoint
from gan_cli.runs.directory import RunDirectory, used


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "samples").mkdir()
    with contextlib.closing(RunDirectory(path)) as run:
        yield run


def everything(path):
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


WRITES = [
    lambda run: run.write_status("running", step=3),
    lambda run: run.write_config({"seed": 0}),
    lambda run: run.append("metrics.jsonl").write(b"row\n"),
    lambda run: run.write("samples/step_0000000001.png", b"picture"),
    lambda run: checkpoint.save(run.checkpoints, 1, {}, {"step": 1}, 2),
]


@pytest.mark.parametrize("write", WRITES)
def test_what_lost_its_directory_writes_nothing_into_the_one_that_took_its_name(run, write):
    shutil.rmtree(run.path)
    run.path.mkdir()
    with contextlib.closing(RunDirectory(run.path)):
        before = everything(run.path)
        with pytest.raises(FileNotFoundError):
            write(run)
        run.note("nor a line")
        assert everything(run.path) == before
    assert not run.is_there()


@pytest.mark.parametrize("write", WRITES)
def test_what_was_moved_is_written_where_it_is_now(run, tmp_path, write):
    run.path.rename(tmp_path / "moved")
    run.path.mkdir()
    write(run)
    assert everything(run.path) == []
    assert len(everything(tmp_path / "moved")) > 2


def test_a_lock_cannot_be_removed(run):
    (run.path / ".lock").unlink()
    assert is_held(run.path)
    with pytest.raises(UserError, match="in use by another process"):
        RunDirectory(run.path)
    run.close()
    assert not is_held(run.path)
    RunDirectory(run.path).close()


def test_without_proc_a_lost_directory_is_noticed_too(run, monkeypatch, tmp_path):
    monkeypatch.setattr(held, "_OWN_FILES", tmp_path / "no such")
    assert run.inside == run.path
    run.write_status("running")
    shutil.rmtree(run.path)
    run.path.mkdir()
    with pytest.raises(FileNotFoundError):
        run.write_status("running")
    assert everything(run.path) == []


def test_errors_name_the_file_as_the_user_knows_it(run):
    (run.inside / "run.json").mkdir()
    with pytest.raises(OSError, match="directory") as caught:
        run.write_status("running")
    assert str(run.path) in run.named(caught.value)
    assert "/proc/" not in run.named(caught.value)


def test_what_a_killed_process_left_unfinished_is_swept(tmp_path):
    stay = ("samples/mine.tmp", "notes.tmp", "checkpoints/step_0000000001/x", ".hidden")
    go = (".run.json.77.tmp", "samples/.step_0000000010.png.5.tmp", "checkpoints/.tmp-step_0000000002-9/x")
    go += ("checkpoints/.tmp-old-step_0000000000/y",)
    for name in (*stay, *go):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    RunDirectory(tmp_path).close()
    assert [name for name in stay if not (tmp_path / name).exists()] == []
    assert [str(p) for p in tmp_path.rglob("*tmp*") if p.name.startswith(".")] == []
    assert list((tmp_path / "checkpoints").iterdir()) == [tmp_path / "checkpoints/step_0000000001"]


def test_what_cannot_be_swept_ends_nothing(tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise OSError(5, "Input/output error")

    (tmp_path / ".run.json.77.tmp").write_text("")
    monkeypatch.setattr(os, "unlink", fails)
    RunDirectory(tmp_path).close()


def test_only_leftovers_are_no_run_yet(tmp_path):
    for name in (".lock", "train.log", ".config.yaml.7.tmp"):
        (tmp_path / name).write_text("")
    assert not used(tmp_path)
    (tmp_path / "config.yaml").write_text("")
    assert used(tmp_path)


@pytest.mark.parametrize(
    "change", [os.unlink, lambda path: os.truncate(path, 2), lambda path: path.write_bytes(b"other, and longer"),
               lambda path: os.replace(shutil.copy(path, f"{path}_2"), path)]
)  # fmt: skip
def test_a_file_that_somebody_changes_while_it_grows_is_noticed_before_a_checkpoint(run, change):
    file = run.append("metrics.jsonl")
    file.write(b"a row\n")
    run.sync()
    change(run.path / "metrics.jsonl")
    with pytest.raises(OSError, match=r"changed by somebody else|No such file"):
        run.sync()


def test_contents_are_those_of_the_steps_that_stay(run):
    file = run.append("metrics.jsonl")
    sizes = {}
    for step in (1, 2, 4):
        file.write(b"row\n" * step, step)
        file.write(b"and more\n", step)
        run.write(f"samples/step_{step:010d}.png", b"picture" * step)
        sizes[step] = file.content()["bytes"]
    assert run.contents()["metrics.jsonl"] == files.hashed(run.path / "metrics.jsonl")
    earlier = run.contents(3)
    assert earlier["metrics.jsonl"] == files.hashed(run.path / "metrics.jsonl", sizes[2])
    assert sorted(earlier) == ["metrics.jsonl", "samples/step_0000000001.png", "samples/step_0000000002.png"]


def test_a_file_that_is_opened_again_knows_what_it_holds(tmp_path):
    path = tmp_path / "log"
    for i in range(3):
        with contextlib.closing(AppendFile(path)) as file:
            assert file.content() == files.hashed(path)
            file.write(b"%d\n" % i)
    assert path.read_bytes() == b"0\n1\n2\n"


def test_run_json_that_cannot_be_read_is_known_as_such(tmp_path):
    (tmp_path / "run.json").write_text('{"status": "fini')
    with contextlib.closing(RunDirectory(tmp_path)) as run:
        assert run.status == {}
        assert "run.json cannot be read: Unterminated string" in run.damage
        run.write_status("running", step=3)
    assert json.loads((tmp_path / "run.json").read_text())["step"] == 3


@pytest.mark.parametrize(("number", "code"), [(13, MISTAKE), (2, MISTAKE), (5, 1), (24, 1), (28, 1), (12, 1)])
def test_a_machine_that_fails_is_no_mistake_of_the_users(number, code):
    error = UserError("cannot be read")
    error.__cause__ = OSError(number, os.strerror(number))
    assert error.exit_code == code
    assert UserError("plain").exit_code == MISTAKE


def test_a_thread_may_sync_while_a_piece_is_written(tmp_path, monkeypatch):
    file, real, threads, found = AppendFile(tmp_path / "rows"), os.write, [], []

    def synced():
        try:
            file.sync()
        except OSError as error:
            found.append(error)

    def write(descriptor, piece):
        written = real(descriptor, piece)
        threads.append(threading.Thread(target=synced))
        threads[-1].start()
        threads[-1].join(0.1)  # it is done by now, or waits for this piece
        return written

    monkeypatch.setattr(os, "write", write)
    file.write(b"a row\n")
    threads[0].join()
    assert (found, file.content()["bytes"]) == ([], 6)
