import contextlib
import io
import struct
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator as PluginEventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from gan_cli.analysis.figures import png
from gan_cli.core import files
from gan_cli.runs import event_file
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.recovery import back_to
from gan_cli.runs.tensorboard import Board
from tests.children import run_code

TAG = "critic/wasserstein_estimate"


def read(run_dir, purge=True):
    return EventAccumulator(str(run_dir), size_guidance={"scalars": 0, "images": 0}, purge_orphaned_data=purge).Reload()


def curve(run_dir, tag=TAG, purge=True):
    return [(event.step, event.value) for event in read(run_dir, purge).Scalars(tag)]


@contextlib.contextmanager
def opened(run_dir, purge_step=None):
    """A run and its board; after a resume, brought back to the step before by what its checkpoint knew."""
    with contextlib.closing(RunDirectory(run_dir)) as run:
        if purge_step is not None:
            back_to(run, CHECKPOINTS.get((run_dir, purge_step - 1), {}), purge_step - 1, pytest.fail)
        yield run, Board(run, purge_step)


CHECKPOINTS = {}


def session(run_dir, steps, purge_step=None, offset=0.0):
    """Write a session without closing it properly, as a killed process leaves it, with a checkpoint at every step."""
    with opened(run_dir, purge_step) as (run, board):
        board.describe(f"session from {purge_step}", {"seed": 0})
        for step in steps:
            board.scalars(step, {TAG: step + offset, "critic/loss": -step - offset}, b'{"step": %d}\n' % step)
            board.image("samples/fixed", step, png(np.full((4, 6, 3), step, np.uint8)))
            CHECKPOINTS[run_dir, step] = run.contents()


def test_scalars_images_and_text_read_back(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with opened(tmp_path) as (_, board):
        board.scalars(10, {TAG: 0.25, "critic/loss": float("nan")})
        board.image("samples/fixed", 10, png(picture))
        board.describe("seed: 0", {})
        board.close()
    run = read(tmp_path)
    assert curve(tmp_path) == [(10, 0.25)]
    assert np.isnan(run.Scalars("critic/loss")[0].value)
    [image] = run.Images("samples/fixed")
    assert (image.step, image.width, image.height) == (10, 7, 5)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(image.encoded_image_string))), picture)
    assert run.Tensors("config")[0].tensor_proto.string_val == [b"```yaml\nseed: 0```"]


def test_a_row_is_in_the_file_at_once(tmp_path):
    with opened(tmp_path) as (_, board):
        board.scalars(1, {TAG: 1.0})
        assert curve(tmp_path) == [(1, 1.0)]


def test_flush_reaches_the_disk(tmp_path, monkeypatch):
    synced = []
    with opened(tmp_path) as (run, board):
        monkeypatch.setattr(files.os, "fsync", synced.append)
        board.scalars(1, {TAG: 1.0})
        assert not synced
        run.sync()
        assert len(synced) == 1


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
    assert text.tensor_proto.string_val == [b"```yaml\nsession from 11```"]


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_torn_end_after_the_checkpoint_is_cut_before_the_run_goes_on(tmp_path, lost):
    session(tmp_path, [10, 20, 30])
    [old] = tmp_path.glob("events*.gan")
    with open(old, "r+b") as file:
        file.truncate(old.stat().st_size - lost)  # within the picture of step 30
    session(tmp_path, [30], purge_step=21)
    assert [step for step, _ in curve(tmp_path)] == [10, 20, 30]
    assert [image.step for image in read(tmp_path).Images("samples/fixed")] == [10, 20, 30]


@pytest.mark.parametrize("tail", [b"\0" * 64, b"\xff" * 64, b"\x01"], ids=["zeros", "ones", "short"])
def test_rubbish_at_the_end_is_cut(tmp_path, tail):
    session(tmp_path, [10])
    [old] = tmp_path.glob("events*.gan")
    whole = old.stat().st_size
    with open(old, "ab") as file:
        file.write(tail)
    session(tmp_path, [20], purge_step=11)
    assert [step for step, _ in curve(tmp_path)] == [10, 20]
    assert old.stat().st_size == whole


def test_hparams_are_in_the_run_itself_and_say_how_it_ended(tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    settings = {"loss": "wgan", "optimizer.lr": 5e-5, "seed": 3, "train.ema": True}
    for purge_step, success in ((None, False), (1, True)):
        with opened(run_dir, purge_step) as (_, board):
            board.describe("", settings)
            board.close(success=success)
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
    with opened(tmp_path) as (_, board):
        board.describe("", {})
    [event] = read(tmp_path).Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    first = layout.category[0]
    assert first.title == "Wasserstein distance"
    assert [list(chart.multiline.tag) for chart in first.chart[:2]] == [
        ["^critic/\\w+_normalised$"],  # what can be compared between runs, then what is K times a distance
        ["^critic/wasserstein_(estimate|heldout)$"],
    ]
    assert layout.category[1].title == "Losses"


def test_another_reader_finds_the_newest_file_last(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.9000000000.elsewhere.1.0").write_bytes(b"")
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    for step, purge_step in ((10, None), (20, 11), (30, 21)):
        session(tmp_path, [step], purge_step)
    names = sorted(path.name for path in tmp_path.glob("events*"))
    assert names[1:] == [f"events.out.tfevents.900000000{i}" for i in ("1.gan", "2.gan", "3.about", "3.gan")]


FULL_DISK = """
import resource, sys
from pathlib import Path
from gan_cli.runs import event_file
from gan_cli.runs.directory import RunDirectory
from gan_cli.runs.tensorboard import Board
board = Board(RunDirectory(Path(sys.argv[1])), None)
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


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4095, 4096, 4097, 4099, 10_000])
def test_checksums_are_those_of_tensorboard(size):
    data = np.random.default_rng(size).bytes(size)
    assert event_file._checksum(data) == struct.pack("<I", masked_crc32c(data))
