"""`gan sample RUN source=PICTURES`: a run of a task on a user's own pictures, and on held-out ones without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_cli.errors import UserError
from gan_cli.session import applying
from gan_cli.session.load import load
from gan_cli.training.sampling import generate
from tests.command_arguments import arguments_for


def pixels(path):
    return np.asarray(Image.open(path))


def made_by(run, source, part=""):
    """What the network itself makes of a source (H, W) uint8, as uint8."""
    state = load(Path(run), "cpu").state
    x = torch.from_numpy(source.astype(np.float32) / 127.5 - 1)[None, None]
    network = getattr(state.game.generator, part) if part else state.game.generator
    (out,) = generate(state.game, network, torch.zeros(1, 0), None, 1, x)
    return ((out[0, 0] + 1) * 127.5).round().numpy().astype(np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """A directory of grey, coloured and transparent pictures of several sizes."""
    draw, folder = np.random.default_rng(0), tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(draw.integers(0, 256, (4, 4), np.uint8)).save(folder / "small.png")
    Image.fromarray(draw.integers(0, 256, (21, 50), np.uint8)).save(folder / "deep" / "odd.bmp")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def first(printed: str) -> str:
    """What is printed before the line about the hidden picture."""
    return printed.partition("gan: source=")[0]


def test_small_pictures_are_enlarged_each_in_its_own_size_and_name(gan, run_of, pictures):
    run = run_of("enlarged")
    ended = gan("sample", run, f"source={pictures}", "out=made", "device=cpu")
    assert (ended.code, ended.out) == (0, "made\n")
    assert ended.err == f"gan: source={pictures}: not used: hidden: 1, {pictures}/.hidden.png\n"
    assert sorted(str(p.relative_to("made")) for p in Path("made").rglob("*.*")) == ["deep/odd.bmp", "small.png"]
    assert Image.open("made/small.png").mode == "L"
    for name, shape in (("small.png", (16, 16)), ("deep/odd.bmp", (84, 200))):
        made = pixels(Path("made") / name)
        assert made.shape == shape
        np.testing.assert_array_equal(made, made_by(run, pixels(pictures / name)))
    one = gan("sample", run, f"source={pictures}/small.png", "device=cpu").out.strip()
    assert Path(one) == Path(run) / "samples" / "step_0000000001_seed_0_small.png"
    np.testing.assert_array_equal(pixels(f"{one}/small.png"), pixels("made/small.png"))


def test_whole_pictures_are_degraded_first_with_a_sheet_beside(gan, run_of, pictures):
    run = run_of("enlarged")
    assert gan("sample", run, f"source={pictures}", "degrade=true", "out=made", "device=cpu").code == 0
    for name, shape in (("small.png", (4, 4)), ("deep/odd.bmp", (21, 50))):
        assert pixels(f"made/{name}").shape == shape
        sheet = pixels(f"made/sheets/{name}.png")
        (height, width), gap = shape, 2
        assert sheet.shape == (height + 2 * gap, 3 * width + 4 * gap, 3)
        result, target = (sheet[gap:-gap, (width + gap) * i + gap :][:, :width, 0] for i in (1, 2))
        np.testing.assert_array_equal(result, pixels(f"made/{name}"))
        np.testing.assert_array_equal(target, pixels(pictures / name))


def test_a_hole_is_where_the_picture_is_transparent(gan, run_of, tmp_path):
    run, folder = run_of("filled"), tmp_path / "holes"
    folder.mkdir()
    image = np.full((40, 30, 4), 255, np.uint8)
    image[..., :3] = np.random.default_rng(0).integers(0, 256, (40, 30, 1))
    image[5:17, 8:20, 3] = 0
    image[20, 20, 3] = 254
    Image.fromarray(image).save(folder / "a.png")
    assert gan("sample", run, f"source={folder}", "out=made").code == 0
    made, hole = pixels("made/a.png"), image[..., 3] < 255
    np.testing.assert_array_equal(made[~hole], image[..., 0][~hole])
    assert (made[hole] != image[..., 0][hole]).mean() > 0.9
    Image.fromarray(image[..., :3]).save(folder / "b.png")
    ended = gan("sample", run, f"source={folder}", "out=both")
    assert ended.code == 2
    assert ended.err.endswith("b.png: no pixel is transparent, so it has no hole to fill; degrade=true makes one\n")
    np.testing.assert_array_equal(pixels("both/a.png"), made)
    assert gan("sample", run, f"source={folder}/b.png", "degrade=true", "out=whole").code == 0
    np.testing.assert_array_equal(pixels("whole/b.png")[:10], image[:10, :, 0])


def test_colours_become_grey_and_grey_becomes_colours_and_it_says_so(gan, run_of, pictures):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)).save(pictures / "colours.png")
    Image.open(pictures / "small.png").convert("RGB").save(pictures / "grey_in_colours.png")
    ended = gan("sample", run_of("enlarged"), f"source={pictures}", "out=made")
    assert first(ended.err) == f"gan: {pictures}/colours.png: its colours are left out\n"
    assert pixels("made/colours.png").shape == (32, 32)
    np.testing.assert_array_equal(pixels("made/grey_in_colours.png"), pixels("made/small.png"))
    run = run_of("coloured")
    ended = gan("sample", run, f"source={pictures}/small.png", "degrade=true", "out=grey")
    assert first(ended.err) == f"gan: {pictures}/small.png: it is grey, and is read as three equal channels\n"
    assert pixels("grey/small.png").shape == (4, 4, 3)
    ended = gan("sample", run, f"source={pictures}/colours.png", "out=coloured")
    assert first(ended.err) == f"gan: {pictures}/colours.png: its colours are left out\n"
    assert pixels("coloured/colours.png").shape == (8, 8, 3)


def test_cycle_has_two_directions(gan, run_of, tmp_path):
    run, source = run_of("translated"), np.random.default_rng(0).integers(0, 256, (20, 33), np.uint8)
    Image.fromarray(source).save(tmp_path / "a.png")
    for word, part, out in (((), "b", "x"), (("direction=a_to_b",), "b", "y"), (("direction=b_to_a",), "a", "z")):
        assert gan("sample", run, "source=a.png", *word, f"out={out}", "device=cpu").code == 0
        expected = made_by(run, np.pad(source, ((0, 0), (0, 3)), mode="reflect"), part)[:, :33]
        np.testing.assert_array_equal(pixels(f"{out}/a.png"), expected)
    assert (pixels("y/a.png") != pixels("z/a.png")).any()


def test_pictures_too_large_for_the_memory_are_computed_in_tiles(gan, run_of, pictures, monkeypatch):
    run = run_of("enlarged")
    assert gan("sample", run, f"source={pictures}", "out=whole").code == 0
    monkeypatch.setattr(applying, "_free", lambda device: 2**20)
    ended = gan("sample", run, f"source={pictures}", "out=parts")
    side = 22  # half a MiB at 4 bytes x 2 x (64 + 64) values a pixel
    assert first(ended.err) == f"gan: {pictures}/deep/odd.bmp: computed in 3 tiles of {side} x {side}\n"
    np.testing.assert_array_equal(pixels("parts/small.png"), pixels("whole/small.png"))
    np.testing.assert_allclose(pixels("parts/deep/odd.bmp"), pixels("whole/deep/odd.bmp"), atol=8)
    asked = gan("sample", run, f"source={pictures}/deep", "tile=16", "out=asked")
    assert first(asked.err) == f"gan: {pictures}/deep/odd.bmp: computed in 8 tiles of 16 x 16\n"


def test_a_network_of_one_size_needs_tiles_of_that_size(run_of, tmp_path):
    run = load(Path(run_of("filled")), "cpu")
    run.state.game.generator = nn.Sequential(nn.Flatten(), nn.Linear(2 * 256, 256), nn.Unflatten(1, (1, 16, 16)))
    Image.fromarray(np.zeros((20, 40), np.uint8)).save(tmp_path / "a.png")

    def applied(tile):
        config = arguments_for("sample", "runs/NAME", "degrade=true", f"tile={tile}")[0]
        return applying.Applier(run, config)(tmp_path / "a.png", 0, torch.zeros(1, 0), None)

    with pytest.raises(UserError, match=r"the generator cannot read 20 x 40 pixels \(mat1 and .*\); tile=16$"):
        applied("auto")
    assert applied(16).made.shape == (1, 1, 20, 40)


def test_without_pictures_of_ones_own_there_are_held_out_ones(gan, run_of):
    run = run_of("enlarged")
    grid = pixels(gan("sample", run, "count=6").out.strip())
    assert grid.shape == (2 + 6 * 18, 2 + 3 * 18, 3)
    array = np.load(gan("sample", run, "count=6", "format=npz").out.strip())["samples"]
    np.testing.assert_array_equal(grid[2:18, 20:36], array[0])
    target = grid[2:18, 38:54, 0].astype(float)
    small = grid[2:18:4, 2:18:4, 0]
    expected = np.asarray(Image.fromarray(target.astype(np.float32)).resize((4, 4), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(small, expected.clip(0, 255), atol=1)
    both = pixels(gan("sample", run_of("translated"), "count=4").out.strip())
    assert both.shape == (2 + 4 * 18, 2 + 3 * 18, 3)


def test_a_run_with_classes_asks_for_them(gan, refused, pictures):
    small = ("task=restore", "condition=concat", "model.width=4", "model.generator.blocks=1", "dataset.image_size=16")
    brief = ("runtime=cpu", "train.steps=1", "train.batch_size=4", "dataset.limit=40")
    assert gan("train", *small, *brief, "run_dir=run").code == 0
    message = refused("sample", "run", f"source={pictures}")
    assert message == "this run's generator reads a class beside the picture; add y=CLASS"
    assert refused("sample", "run", "y=3").startswith("y=3: held-out pictures have their own classes")
    for y in (3, 8):
        assert gan("sample", "run", f"source={pictures}", f"y={y}", f"out=made_{y}").code == 0
    assert (pixels("made_3/deep/odd.bmp") != pixels("made_8/deep/odd.bmp")).any()
    assert pixels(gan("sample", "run", "count=3").out.strip()).shape == (2 + 3 * 18, 2 + 3 * 18, 3)


def test_mistakes(gan, refused, run_of, pictures, tmp_path):
    enlarged, translated, noise, filled = (run_of(name) for name in ("enlarged", "translated", "clothes", "filled"))
    source = f"source={pictures}"
    (tmp_path / "empty").mkdir()
    assert refused("sample", enlarged, "source=nowhere") == "source=nowhere: no such file or directory"
    assert refused("sample", enlarged, "source=empty").startswith("source=empty: there are no pictures (.png .jpg")
    assert refused("sample", noise, source) == f"{source}: this run's generator reads no pictures; leave source out"
    assert refused("sample", enlarged, source, "direction=b_to_a") == (
        "direction=b_to_a: this run translates in one direction; leave direction out"
    )
    assert "direction=up: must be a_to_b, b_to_a or null" in refused("sample", translated, source, "direction=up")
    assert refused("sample", translated, "direction=a_to_b").endswith("it is for your own pictures; add source=DIR")
    assert refused("sample", translated, source, "degrade=true") == (
        "degrade=true: this run has no degradation of pictures; leave degrade out"
    )
    assert refused("sample", enlarged, source, "format=npz") == (
        "format=npz: source= writes one picture for each picture; leave format out"
    )
    assert "tile=16: this run's generator needs tiles of at least 32 pixels" in refused(
        "sample", filled, source, "tile=16"
    )
    assert refused("sample", enlarged, source, f"out={pictures}").endswith("itself; choose another directory")
    assert refused("sample", enlarged, "count=501") == "count=501: 500 pictures are held out; count=500 or less"
    assert refused("sample", translated, "count=3").endswith("as many of each: count=4")
    assert refused("sample", enlarged, "y=3").startswith("y=3: this run was trained without classes")
    (pictures / "a.png").write_bytes(b"no picture")
    ended = gan("sample", enlarged, source, "out=some")
    assert (ended.code, ended.err) == (2, f"gan: {pictures}/a.png: corrupt, or not a picture that Pillow can read\n")
    assert Path("some/small.png").is_file()
