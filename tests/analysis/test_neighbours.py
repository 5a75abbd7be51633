"""The memorisation test, on generators that copy and on such that do not."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from gan_cli.analysis import neighbours
from gan_cli.analysis.neighbours import Space, cells, compare, copies, data_copying, mann_whitney, nearest, verdict


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nearest_is_the_sorted_distance_matrix_in_any_parts(monkeypatch):
    x, y = torch.randn(7, 5, generator=rng()), torch.randn(23, 5, generator=rng(1))
    exact = (x[:, None] - y[None]).double().norm(dim=2).sort(dim=1)
    monkeypatch.setattr(neighbours, "ROWS", 4)
    for parts in (1, 5, 23):
        found = nearest(x, y.split(parts), 3)
        torch.testing.assert_close(found.distances, exact.values[:, :3])
        assert found.positions.tolist() == exact.indices[:, :3].tolist()


def test_a_copy_is_at_no_distance_and_images_are_flattened():
    x = torch.rand(6, 1, 8, 8, generator=rng()) * 2 - 1
    found = nearest(x.flip(0), [x[:2], x[2:]])
    assert found.positions[:, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert found.distances.max() < 1e-5


def test_too_few_references():
    with pytest.raises(ValueError, match="2 references are fewer than the 3 nearest"):
        nearest(torch.zeros(2, 4), [torch.zeros(2, 4)], 3)


@pytest.mark.parametrize("values", [[1.0, 2, 3, 5, 8, 13, 21], [1.0, 1, 2, 2, 2, 3, 4]])
def test_mann_whitney_over_all_orders_has_mean_0_and_deviation_1(values):
    pool = torch.tensor(values)
    zs = []
    for chosen in itertools.combinations(range(7), 3):
        a, b = pool[list(chosen)], pool[[i for i in range(7) if i not in chosen]]
        zs.append(mann_whitney(a, b)[0])
    z = torch.tensor(zs)
    assert float(z.mean()) == pytest.approx(0, abs=1e-6)
    assert float(z.std(correction=0)) == pytest.approx(1, rel=1e-6)
    assert zs[0] == z.min() < 0  # the three smallest


def test_p_is_the_chance_of_so_small_a_rank_sum():
    z, p = mann_whitney(torch.zeros(30), torch.ones(30))
    assert z == pytest.approx(-math.sqrt(59))  # each side one tie of 30
    assert p == pytest.approx(0.5 * math.erfc(math.sqrt(59 / 2)))
    assert mann_whitney(torch.ones(4), torch.ones(5)) == (0.0, 0.5)


def test_ranks_within_cells_are_not_misled_by_another_mixture_of_kinds():
    # Cell 0 is dense, cell 1 wide. Honest samples of cell 0 alone look near over all, and are not within the cell.
    dense, wide = torch.rand(400, generator=rng()), 10 + torch.rand(200, generator=rng(1))
    fake, heldout = dense[:200], torch.cat([dense[200:], wide])
    labels = torch.cat([torch.zeros(200), torch.ones(200)]).long()
    assert mann_whitney(fake, heldout)[0] < -8
    assert abs(data_copying(fake, heldout, torch.zeros(200).long(), labels)[0]) < 2
    assert data_copying(fake / 4, heldout, torch.zeros(200).long(), labels)[0] < -8
    assert math.isnan(data_copying(fake[:10], heldout, torch.zeros(10).long(), labels)[0])


def test_the_deviation_of_c_t_is_that_of_a_mean_of_cells():
    found = []
    for seed in range(200):
        values = torch.rand(2, 240, generator=rng(seed))
        labels = torch.arange(240) % 4
        found.append(data_copying(*values, labels, labels))
    assert found[0][1] == pytest.approx(0.5)  # four cells of one weight
    assert float(torch.tensor([c_t for c_t, _ in found]).std()) == pytest.approx(0.5, rel=0.15)


def test_cells_find_clusters():
    centres = torch.tensor([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    x = centres.repeat(40, 1) + torch.randn(120, 2, generator=rng())
    found = cells(x, 3)
    assert nearest(centres, [found]).distances.max() < 1
    assert nearest(centres, [found]).positions[:, 0].sort().values.tolist() == [0, 1, 2]
    assert len(cells(x[:2], 10)) == 2


def space(fake, heldout):
    return compare(fake, heldout, torch.zeros(len(fake)).long(), torch.zeros(len(heldout)).long())


def test_a_copy_is_near_in_every_space():
    heldout = torch.linspace(1, 2, 101)
    near, far = torch.full((4,), 0.5), torch.full((4,), 1.5)
    pixels = space(torch.cat([near, near, far]), heldout)
    features = space(torch.cat([near, far, near]), heldout)
    assert pixels.threshold == pytest.approx(1.01)
    assert copies({"pixels": pixels, "features": features}).tolist() == [True] * 4 + [False] * 8


@pytest.mark.parametrize(
    ("copied", "expected"), [(0, "not memorised: 0.0 %"), (20, "memorised: 10.0 %"), (8, "not sure: 4.0 %")]
)
def test_the_verdict(copied, expected):
    fake = torch.cat([torch.zeros(copied), torch.ones(200 - copied)])
    line = verdict({"pixels": Space(fake, fake, 0.0, 0.5, 0.0, 0.3, 0.5)})
    assert line.startswith(expected)
    assert "of 200 samples are nearer to a training image, in pixels, than" in line


@pytest.mark.parametrize(("n", "expected"), [(20, "not sure"), (1000, "memorised")])
def test_few_held_out_images_do_not_show_how_near_one_in_a_hundred_is(n, expected):
    fake = torch.cat([torch.zeros(30), torch.ones(170)])
    line = verdict({"pixels": Space(fake, torch.ones(n), 0.0, 0.5, 0.0, 0.3, 0.5)})
    assert line.startswith(f"{expected}: 15.0 %")
    assert "\n" not in line


def test_copies_that_are_not_exact_are_copies_where_every_space_says_so():
    def at(c_t):
        return Space(torch.ones(200), torch.ones(200), 0.0, 0.5, c_t, 0.5, 0.5)

    line = verdict({"pixels": at(-9), "features": at(-1.7)})
    assert line.startswith("memorised: samples are nearer to the training images than held-out images are (C_T -9.0 in")
    for spaces in (
        {"pixels": at(-9)},
        {"pixels": at(-9), "features": at(-1.2)},
        {"pixels": at(math.nan), "features": at(-9)},
    ):
        assert verdict(spaces).startswith("not memorised: 0.0 %")
