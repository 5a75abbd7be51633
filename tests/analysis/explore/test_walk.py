"""`gan explore kind=walk` on small runs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gan_cli.analysis.explore import clips
from gan_cli.commands.sample import sample
from tests.command_arguments import arguments_for

FEW = ("kind=walk", "kind.points=2", "kind.frames=3", "kind.paths=2")


def test_a_strip_an_animation_and_the_sharpest_transition(explore, run_of):
    seen = explore(run_of("clothes"), *FEW, "kind.columns=3")
    assert [path.suffix for path in seen.files] == [".png", ".gif", ".json"]
    assert seen.picture().shape == (2 + 2 * 30, 2 + 3 * 30, 3)
    clip = Image.open(seen.files[1])
    assert (clip.n_frames, clip.size) == (4, (62, 32))
    jumps = seen.json["sharpest"]
    assert jumps["pixels"]["ratio"] >= 1 <= jumps["features"]["ratio"]
    assert seen.json["between"] == "slerp"
    assert f"sharpest transition in pixels: {jumps['pixels']['ratio']:.2f} times the mean step, path" in seen.out


def test_the_first_and_last_frame_are_samples(explore, run_of):
    run = run_of("clothes")
    strip = explore(run, *FEW, "kind.columns=2", "seed=3").picture()
    sample(*arguments_for("sample", run, "count=4", "seed=3", "out=grid.png"))
    np.testing.assert_allclose(np.asarray(Image.open("grid.png")).astype(int), strip, atol=1)


def test_the_run_directory_is_enough(explore, run_of):
    run = Path(run_of("clothes"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("path: null", "path: /nowhere/images"))
    seen = explore(str(run), *FEW)
    assert set(seen.json["sharpest"]) == {"pixels"}
    assert "/nowhere/images" in seen.json["protocol"]["left out"]


def test_classes_priors_and_closed_loops(explore, run_of):
    run = run_of("classes")
    seen = explore(run, *FEW, "kind.y=3", "kind.closed=true", "kind.between=lerp", "kind.animation=none")
    assert [path.suffix for path in seen.files] == [".png", ".json"]
    assert seen.json["between"] == "lerp"
    other = explore(run, *FEW, "kind.y=4", "kind.closed=true", "kind.between=lerp", "kind.animation=none")
    assert not set(seen.files) & set(other.files)
    assert (seen.picture() != other.picture()).any()
    assert seen.picture().shape == (2 + 2 * 30, 2 + 6 * 30, 3)


def test_the_same_again_in_another_place(explore, run_of, tmp_path):
    run = run_of("clothes")
    first, second = explore(run, *FEW), explore(run, *FEW, f"out={tmp_path}/x/y", "batch_size=3")
    assert {path.parent for path in second.files} == {tmp_path / "x" / "y"}
    assert first.json["sharpest"].keys() == second.json["sharpest"].keys()
    np.testing.assert_allclose(first.picture().astype(int), second.picture(), atol=1)


def test_the_command_line(gan, refused, run_of):
    run = run_of("clothes")
    ended = gan("explore", run, *FEW, "kind.columns=2")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1].endswith("_points_2_frames_3_paths_2_columns_2.json")
    assert "kind.points=1: must be a whole number of at least 2" in refused("explore", run, "kind.points=1")
    assert refused("explore", run, "kind=wlak").startswith("kind=wlak: no such option; did you mean kind=walk?")


def test_classes_and_images_that_there_are_not(declined, run_of):
    assert declined(run_of("clothes"), "kind.y=1") == (
        "kind.y=1: this run was trained without classes (condition=none); leave kind.y out"
    )
    assert declined(run_of("classes"), "kind.y=10").startswith("kind.y=10: there is no class 10; classes: 0 T")
    assert declined(run_of("ring"), *FEW).startswith("kind=walk: it shows images, but this run generates points")


@pytest.mark.parametrize("format", ["gif", "mp4"])
def test_a_clip_holds_its_frames(format):
    if format == "mp4":
        av = pytest.importorskip("av")
    shades = np.linspace(20, 230, 5).astype(np.uint8)
    frames = np.broadcast_to(shades[:, None, None, None], (5, 33, 64, 3))
    content = io.BytesIO(clips.encoded(clips.Clip(frames, 12.0, format)))
    if format == "gif":
        clip = Image.open(content)
        found = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(clip)]
        assert clip.info["duration"] == 80  # of a second in thousandths
    else:
        with av.open(content) as container:
            found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert container.streams.video[0].average_rate == 12
    assert len(found) == 5
    assert found[0].shape[:2] == ((33, 64) if format == "gif" else (34, 64))  # H.264 wants even sides
    np.testing.assert_allclose([frame[10, 10, 0] for frame in found], shades, atol=3)


def test_mp4_without_its_library(declined, run_of, monkeypatch):
    monkeypatch.setattr(clips, "find_spec", lambda name: None)
    line = declined(run_of("clothes"), "kind.animation=mp4")
    assert line == 'kind.animation=mp4: PyAV is not installed; pip install "gan_cli[video]", or use kind.animation=gif'
