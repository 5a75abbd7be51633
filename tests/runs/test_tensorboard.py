import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from gan_cli.analysis.figures import save_png
from gan_cli.core import files
from gan_cli.runs.tensorboard import Board
from tests.children import run_code

TAG = "critic/wasserstein_estimate"


def read(run_dir, purge=True):
    return EventAccumulator(str(run_dir), size_guidance={"scalars": 0, "images": 0}, purge_orphaned_data=purge).Reload()


def curve(run_dir, tag=TAG, purge=True):
    return [(event.step, event.value) for event in read(run_dir, purge).Scalars(tag)]


def session(run_dir, steps, purge_step=None, offset=0.0):
    """Write a session without closing it properly, as a killed process leaves it."""
    board = Board(run_dir, purge_step)
    board.text("config", f"session from {purge_step}")
    board.hparams({"seed": 0})
    for step in steps:
        board.scalars(step, {TAG: step + offset, "critic/loss": -step - offset})
        board.image("samples/fixed", step, save_png(run_dir / "x.png", np.full((4, 6, 3), step, np.uint8)))
    board._file.close()


def test_scalars_images_and_text_read_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    board = Board(tmp_path, None)
    board.scalars(10, {TAG: 0.25, "critic/loss": float("nan")})
    board.image("samples/fixed", 10, save_png(tmp_path / "x.png", picture))
    board.text("config", "seed: 0")
    board.close()
    run = read(tmp_path)
    assert curve(tmp_path) == [(10, 0.25)]
    assert np.isnan(run.Scalars("critic/loss")[0].value)
    [image] = run.Images("samples/fixed")
    assert (image.step, image.width, image.height) == (10, 7, 5)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image.encoded_image_string))), picture)
    assert run.Tensors("config")[0].tensor_proto.string_val == [b"seed: 0"]


def test_a_row_is_in_the_file_at_once(tmp_path):
    board = Board(tmp_path, None)
    board.scalars(1, {TAG: 1.0})
    assert curve(tmp_path) == [(1, 1.0)]
    board.close()


def test_flush_reaches_the_disk(tmp_path, monkeypatch):
    board = Board(tmp_path, None)
    synced = []
    monkeypatch.setattr(files.os, "fsync", synced.append)
    board.scalars(1, {TAG: 1.0})
    assert not synced
    board.flush()
    assert len(synced) == 1
    board.close()


@pytest.mark.parametrize("purge", [True, False], ids=["reader purges", "reader takes all"])
@pytest.mark.parametrize("clock", [+1000.0, 0.0, -1000.0], ids=["forward", "still", "back"])
def test_a_resumed_curve_has_no_gap_no_duplicate_and_is_in_order(tmp_path, monkeypatch, clock, purge):
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    session(tmp_path, range(0, 60, 10))
    for resumed_at, end in ((30, 50), (40, 90)):
        now += clock
        session(tmp_path, range(resumed_at + 10, end, 10), purge_step=resumed_at + 1, offset=0.5)
    events = read(tmp_path, purge).Scalars(TAG)
    expected = [(s, s + 0.0) for s in range(0, 40, 10)] + [(s, s + 0.5) for s in range(40, 90, 10)]
    assert [(event.step, event.value) for event in events] == expected
    assert [image.step for image in read(tmp_path, purge).Images("samples/fixed")] == list(range(0, 90, 10))
    times = [event.wall_time for event in events]
    assert times == sorted(times)


def test_a_resume_before_the_first_checkpoint_keeps_nothing_but_step_0(tmp_path):
    session(tmp_path, [0, 10, 20])
    session(tmp_path, [10], purge_step=1, offset=0.5)
    assert curve(tmp_path) == [(0, 0.0), (10, 10.5)]


def test_a_reader_that_was_there_all_along_purges_too(tmp_path):
    session(tmp_path, [10, 20, 30])
    live = PluginEventAccumulator(str(tmp_path), tensor_size_guidance={"scalars": 0}).Reload()
    session(tmp_path, [20, 40], purge_step=11)
    steps = [event.step for event in live.Reload().Tensors(TAG)]
    assert steps == [10, 20, 40]


def test_what_describes_the_run_is_that_of_the_last_session(tmp_path):
    session(tmp_path, [10])
    session(tmp_path, [20], purge_step=11)
    [text] = read(tmp_path).Tensors("config")
    assert text.tensor_proto.string_val == [b"session from 11"]


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_torn_end_is_cut_before_the_run_goes_on(tmp_path, lost):
    session(tmp_path, [10, 20])
    [old] = tmp_path.glob("events*")
    with open(old, "r+b") as file:
        file.truncate(old.stat().st_size - lost)  # within the picture of step 20
    session(tmp_path, [30], purge_step=21)
    assert [step for step, _ in curve(tmp_path)] == [10, 20, 30]
    assert [image.step for image in read(tmp_path).Images("samples/fixed")] == [10, 30]


@pytest.mark.parametrize("tail", [b"\0" * 64, b"\xff" * 64, b"\x01"], ids=["zeros", "ones", "short"])
def test_rubbish_at_the_end_is_cut(tmp_path, tail):
    session(tmp_path, [10])
    [old] = tmp_path.glob("events*")
    whole = old.stat().st_size
    with open(old, "ab") as file:
        file.write(tail)
    session(tmp_path, [20], purge_step=11)
    assert [step for step, _ in curve(tmp_path)] == [10, 20]
    assert old.stat().st_size < whole  # the tail, and the config that the new session wrote again


def test_hparams_are_in_the_run_itself_and_say_how_it_ended(tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    settings = {"loss": "wgan", "optimizer.lr": 5e-5, "seed": 3, "train.ema": True}
    for purge_step, success in ((None, False), (1, True)):
        board = Board(run_dir, purge_step)
        board.hparams(settings)
        board.close(success=success)
        board.close()
        tags = {tag: HParamsPluginData.FromString(data) for tag, data in hparams_of(run_dir).items()}
        assert set(tags) == {"_hparams_/session_start_info", "_hparams_/session_end_info"}
        start = tags["_hparams_/session_start_info"].session_start_info.hparams
        assert {key: getattr(field, field.WhichOneof("kind")) for key, field in start.items()} == settings
        assert start["train.ema"].WhichOneof("kind") == "bool_value"
        status = tags["_hparams_/session_end_info"].session_end_info.status
        assert status == (api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE)
    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == [run_dir]


def hparams_of(run_dir):
    return PluginEventAccumulator(str(run_dir)).Reload().PluginTagToContent("hparams")


def test_the_layout_puts_the_wasserstein_panel_first(tmp_path):
    board = Board(tmp_path, None)
    board.layout()
    board.close()
    [event] = read(tmp_path).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    first = layout.category[0]
    assert first.title == "Wasserstein distance"
    assert list(first.chart[0].multiline.tag) == ["^critic/wasserstein_(estimate|heldout)$"]
    assert layout.category[1].title == "Losses"


def test_another_reader_finds_the_newest_file_last(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.9000000000.elsewhere.1.0").write_bytes(b"")
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    for _ in range(3):
        Board(tmp_path, 1).close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[-3:] == [f"events.out.tfevents.900000000{i}.gan" for i in (1, 2, 3)]


FULL_DISK = """
import resource, sys
from pathlib import Path
from gan_cli.runs.tensorboard import Board
board = Board(Path(sys.argv[1]), None)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
step = 0
try:
    while True:
        step += 1
        board.scalars(step, {"a": float(step)})
except OSError as error:
    print(step, type(error).__name__)
try:
    board.image("b", step, b"x" * 4000)
except OSError as error:
    print(type(error).__name__)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
board.scalars(step, {"a": float(step)})
board.close()
"""


def test_a_full_disk_raises_at_once_and_the_row_can_be_written_again(tmp_path):
    done = run_code(FULL_DISK, tmp_path)
    assert done.returncode == 0, done.stderr
    last, error, image_error = done.stdout.split()
    assert error == image_error == "OSError"
    assert curve(tmp_path, "a") == [(step, float(step)) for step in range(1, int(last) + 1)]
    assert int(last) > 10
