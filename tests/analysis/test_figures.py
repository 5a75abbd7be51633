import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.analysis import plots
from gan_cli.analysis.figures import curve_figure, image_grid, points_figure, save_png, side_by_side, to_uint8
from gan_cli.core import files
from tests.children import fresh


def test_a_grid_by_hand():
    images = torch.tensor([-1.0, 0.0, 1.0]).reshape(3, 1, 1, 1).expand(3, 1, 2, 1)
    grid = image_grid(images, gap=1)
    w = 255
    row = [w, 0, w, 128, w], [w, 255, w, w, w]
    expected = np.array([[w] * 5, row[0], row[0], [w] * 5, row[1], row[1], [w] * 5], np.uint8)
    np.testing.assert_array_equal(grid, np.repeat(expected[..., None], 3, axis=2))


def test_colours_keep_their_channels_and_values_beyond_are_clamped():
    image = torch.tensor([-5.0, 0.5, float("inf")]).reshape(1, 3, 1, 1)
    assert image_grid(image, gap=0).tolist() == [[[0, 191, 255]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_nan_is_magenta_and_leaves_its_neighbours_as_they_are(channels):
    images = torch.zeros(1, channels, 1, 2)
    images[0, channels - 1, 0, 1] = float("nan")
    assert image_grid(images, gap=0).tolist() == [[[128] * 3, [255, 0, 255]]]


@pytest.mark.parametrize(
    ("count", "columns", "shape"),
    [(64, None, (8, 8)), (10, None, (3, 4)), (1, None, (1, 1)), (2, None, (1, 2)), (10, 5, (2, 5)), (3, 8, (1, 3))],
)
def test_grids_are_near_square_unless_asked_otherwise(count, columns, shape):
    grid = image_grid(torch.zeros(count, 1, 28, 20), columns)
    assert grid.shape == (2 + shape[0] * 30, 2 + shape[1] * 22, 3)
    assert grid.dtype == np.uint8


def test_every_pixel_value_survives_the_way_through_the_networks_range():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    grid = image_grid(pixels.float() / 127.5 - 1, gap=0)
    np.testing.assert_array_equal(grid[..., 0], pixels[0, 0].numpy())


def test_a_grid_takes_half_precision_and_gradients():
    assert image_grid(torch.ones(1, 1, 1, 1, dtype=torch.bfloat16, requires_grad=True), gap=0).tolist() == [[[255] * 3]]


def test_pixels_are_what_grids_are_made_of():
    images = torch.rand(5, 3, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    images[2, 1, 0, 0] = float("nan")
    pixels = to_uint8(images)
    assert (pixels.shape, pixels.dtype) == ((5, 4, 6, 3), np.uint8)
    np.testing.assert_array_equal(image_grid(images, columns=1, gap=0), pixels.reshape(20, 6, 3))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
def test_other_channels_are_shown_as_they_are_said_to_be(channels):
    images = torch.rand(2, channels, 4, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = to_uint8(images).astype(int)
    own = ((images + 1) * 127.5).round().int().permute(0, 2, 3, 1).numpy()
    for i in range(3):
        expected = own[..., 0 if channels == 1 else i] if channels != 2 or i < 2 else 0
        np.testing.assert_array_equal(found[..., i], np.broadcast_to(expected, found.shape[:3]))


def test_panels_of_other_channels_side_by_side():
    image, source, mask = torch.rand(2, 5, 4, 6), torch.rand(2, 1, 2, 3), torch.rand(2, 6, 4, 6)
    found = side_by_side([image, source, mask], (5, 4, 6))
    assert found.shape == (6, 3, 4, 6)
    assert torch.equal(found[3], image[1, :3])
    assert torch.equal(found[4], source[1].repeat_interleave(2, 1).repeat_interleave(2, 2).expand(3, -1, -1))
    assert torch.equal(found[5], mask[1, :3])


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (4, 0, 4, 4), (4, 4), (3, 4, 4)])
def test_what_is_not_a_batch_of_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"a grid needs|must have the shape"):
        image_grid(torch.zeros(shape))


def test_png_holds_the_pixels_and_the_same_bytes_each_time(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    for name in ("a.png", "b.png"):
        save_png(tmp_path / name, array)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), array)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_png_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    save_png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    before = (tmp_path / "a.png").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_png(tmp_path / "a.png", np.ones((2, 2, 3), np.uint8))
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def orange_share(picture):
    red, _, blue = np.moveaxis(picture.astype(int), 2, 0)
    return (red - blue > 40).mean()


def points(seed, dimensions=2):
    return torch.randn(200, dimensions, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dimensions", [1, 2])
def test_points_and_score_are_on_the_picture(dimensions):
    real, fake = points(0, dimensions), points(1, dimensions)
    asked = []

    def score(x):
        asked.append(x)
        return x.sum(dim=1)

    with_score = points_figure(real, fake, score)
    bare = points_figure(real, fake, None)
    [at] = asked
    assert at.shape == (120 * 120 if dimensions == 2 else 400, dimensions)
    assert at.dtype == real.dtype
    assert with_score.dtype == np.uint8
    assert with_score.shape == bare.shape == ((640, 740, 3) if dimensions == 2 else (450, 720, 3))
    assert (with_score != bare).any(axis=2).mean() > 0.005
    real_only = points_figure(real, fake[:0], None)
    assert orange_share(bare) > orange_share(real_only) + 0.004
    np.testing.assert_array_equal(points_figure(real, fake, score), with_score)


def test_the_map_is_not_transposed(monkeypatch):
    seen = {}
    monkeypatch.setattr(plots, "maps", lambda real, fake, ticks, scores: seen.update(ticks=ticks, scores=scores))
    points_figure(torch.tensor([[0.0, 0.0], [4.0, 400.0]]), points(0), lambda x: x[:, 0] + 10 * x[:, 1])
    (x, y), scores = seen["ticks"], seen["scores"]
    assert (x[0], x[-1], y[0], y[-1]) == (-1.0, 5.0, -100.0, 500.0)
    np.testing.assert_allclose(scores, x[None, :] + 10 * y[:, None], rtol=1e-5)


def test_the_frame_follows_the_real_points_and_can_be_set(monkeypatch):
    frames = []
    monkeypatch.setattr(
        plots, "maps", lambda real, fake, ticks, scores: frames.append([axis[[0, -1]] for axis in ticks])
    )
    for fake in (points(1), 100 * points(1), points(1) * float("nan")):
        points_figure(points(0), fake, None)
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], frames[2])
    points_figure(points(0), points(1), None, limits=(-2.0, 3.0))
    np.testing.assert_array_equal(frames[3], [[-2.0, 3.0]] * 2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("value", [0.0, 7.5, float("nan"), float("inf")])
def test_a_constant_or_broken_critic_still_gives_a_picture(dimensions, value):
    fake = points(1, dimensions)
    fake[:5] = float("nan")
    picture = points_figure(points(0, dimensions), fake, lambda x: torch.full((len(x),), value))
    assert orange_share(picture) > 0.004


def test_the_critic_is_asked_without_gradients():
    weight = torch.ones(2, requires_grad=True)

    def score(x):
        assert not torch.is_grad_enabled()
        return x @ weight

    points_figure(points(0), points(1), score)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_fakes_alone_fill_their_own_frame(monkeypatch, dimensions):
    fake = 50 + points(1, dimensions)
    assert orange_share(points_figure(None, fake, None)) > 0.004
    seen = []
    monkeypatch.setattr(plots, "maps" if dimensions == 2 else "histograms", lambda *args: seen.extend(args))
    points_figure(None, fake, None)
    real, _, ticks, scores = seen
    assert real is scores is None
    for axis, x in zip(ticks, fake.T, strict=True):
        margin = (x.max() - x.min()) / 4
        np.testing.assert_allclose(axis[[0, -1]], [x.min() - margin, x.max() + margin])


@pytest.mark.parametrize(("real", "fake"), [((5, 3), (5, 3)), ((5,), (5,)), ((5, 2), (5, 1)), ((5, 1, 4, 4), (5, 2))])
def test_points_of_other_dimensions_are_refused(real, fake):
    with pytest.raises(ValueError, match="must be"):
        points_figure(torch.zeros(real), torch.zeros(fake), None)


def captured_curves(monkeypatch, rows, tags):
    seen = {}
    monkeypatch.setattr(plots, "curves", seen.update)
    curve_figure(rows, tags)
    return seen


def test_long_curves_are_filtered_by_the_median_of_101(monkeypatch):
    values = np.random.default_rng(0).normal(size=150)
    rows = [{"step": 10 * i, "a": value} for i, value in enumerate(values)] + [{"step": 1500, "b": 1.0}]
    steps, raw, filtered_steps, filtered = captured_curves(monkeypatch, rows, ["a"])["a"]
    np.testing.assert_array_equal(raw, values)
    np.testing.assert_array_equal(steps, np.arange(150) * 10)
    np.testing.assert_array_equal(filtered_steps, np.arange(50, 100) * 10)
    np.testing.assert_array_equal(filtered, [np.sort(values[i - 50 : i + 51])[50] for i in range(50, 100)])


@pytest.mark.parametrize(("count", "filtered_count"), [(1, 0), (100, 0), (101, 1)])
def test_short_curves_are_drawn_as_logged(monkeypatch, count, filtered_count):
    rows = [{"step": i, "a": 1.0} for i in range(count)]
    assert len(captured_curves(monkeypatch, rows, ["a"])["a"][3]) == filtered_count


@pytest.mark.filterwarnings("error")
def test_curves_with_gaps_are_drawn():
    rows = [{"step": i, "a": float("nan") if 30 < i < 60 else 1.0 * i, "b": -1.0} for i in range(300)]
    picture = plots.rendered(curve_figure(rows, ["a", "b"]))
    assert picture.shape == (450, 800, 3)
    for red, green, blue in ((0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E)):
        assert (picture == (red, green, blue)).all(axis=2).sum() > 300


def test_a_notebook_shows_curves_without_pyplot(tmp_path):
    figure = curve_figure([{"step": i, "a": 1.0 * i} for i in range(5)], ["a"])
    (tmp_path / "a.png").write_bytes(figure._repr_png_())
    with Image.open(tmp_path / "a.png") as picture:
        np.testing.assert_allclose(np.asarray(picture)[..., :3], plots.rendered(figure), atol=8)


def test_a_curve_that_no_row_has_is_refused():
    with pytest.raises(ValueError, match="no row has critic/mmd"):
        curve_figure([{"step": 1, "a": 1.0}], ["critic/mmd"])


def test_grids_do_not_pay_for_matplotlib_and_figures_leave_pyplot_alone():
    code = (
        "import sys, torch; from gan_cli.analysis import figures; assert 'matplotlib' not in sys.modules;"
        "figures.points_figure(torch.rand(5, 2), torch.rand(5, 2), None);"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    fresh("-c", code)
