"""Distances between sets are taken block by block, and are those between the whole sets."""

import pytest
import torch

from gan_cli.metrics import frechet, kid, manifold, transport


@pytest.fixture
def pair():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(300, 24, generator=rng), torch.randn(260, 24, generator=rng) * 1.2


@pytest.fixture
def small(monkeypatch):
    """Make the blocks so small that there are several of each kind, the last of them short."""

    def make() -> None:
        for module in (kid, manifold):
            monkeypatch.setattr(module, "ROWS", 64)
            monkeypatch.setattr(module, "COLUMNS", 112)
        monkeypatch.setattr(frechet, "ROWS", 64)
        monkeypatch.setattr(transport, "SAMPLES", 64)

    return make


def test_precision_to_coverage(pair, small):
    whole = manifold.manifold(*pair)
    small()
    assert manifold.manifold(*pair) == whole
    assert 0 < whole.precision < 1


@pytest.mark.parametrize("distance", [kid.kernel_distance, frechet.frechet_distance])
def test_distances_of_features(pair, small, distance):
    whole = distance(*pair)
    small()
    assert distance(*pair) == pytest.approx(whole, rel=1e-12)


def test_projections(pair, small):
    a, b = pair[0][:260], pair[1]
    whole = transport.sliced_w1(a, b)
    small()
    assert transport.sliced_w1(a, b) == pytest.approx(whole, rel=1e-12)


def test_radii_reach_into_other_blocks(pair, small):
    """A sample itself is left out in whichever block it is, and a block may be shorter than k."""
    whole = manifold._radii(pair[1], 3, 5)
    small()
    for found, expected in zip(manifold._radii(pair[1][:260], 3, 5), whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    nearest = torch.cdist(pair[1].double(), pair[1].double()).sort().values
    torch.testing.assert_close(whole[0], nearest[:, 3])
