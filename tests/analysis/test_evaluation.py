"""Scores of sets of real images that were made worse in a known way order as they should."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from gan_cli.analysis import evaluation
from gan_cli.analysis.reals import Joined, as_stored, available, open_singly, take, two_sets
from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.stacked import Stacked
from gan_cli.data.synthetic import Ring
from gan_cli.errors import UserError
from gan_cli.extractors.fashion_mnist import FashionMNIST
from gan_cli.extractors.inception import Inception
from gan_cli.extractors.pixels import Pixels

CPU = torch.device("cpu")
N = 500


@pytest.fixture(scope="module")
def sets():
    """Real images of the train split, other ones, and what becomes of the others."""
    data = open_singly(FashionMNIST10k(28), CPU)
    reals = two_sets(data, "train", 2 * N)
    x, y, *_ = reals.second
    noise = torch.randn(N, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    few = x[torch.arange(N) % 50]
    return {
        "real": reals.first.x[:N],
        "other": reals.first.x[N:],
        "same": x[:N],
        "blurred": gaussian_blur(x[:N], 5, 1.0),
        "much blurred": gaussian_blur(x[:N], 9, 2.0),
        "noisy": as_stored(x[:N] + 0.2 * noise),
        "very noisy": as_stored(x[:N] + 0.6 * noise),
        "classes dropped": x[y < 5][:N],
        "repeated": few,
    }


@pytest.fixture(scope="module")
def scores(sets):
    extractor = FashionMNIST()
    extractor.load(CPU)
    features = {name: evaluation.extract(extractor, x, 250) for name, x in sets.items()}
    real, other = features.pop("real"), features.pop("other")
    floors = evaluation.compared_features(extractor, real, other)
    return {
        name: {
            s.name.removesuffix("_fashion_mnist"): s._replace(floor=floor.value)
            for s, floor in zip(evaluation.compared_features(extractor, real, x), floors, strict=True)
        }
        for name, x in features.items()
    }


@pytest.mark.parametrize("name", ["frechet_distance", "kid"])
def test_distances_grow_with_the_damage(scores, name):
    value = {made: found[name].value for made, found in scores.items()}
    floor = scores["same"][name].floor
    assert value["same"] == pytest.approx(floor, rel=1, abs=0.05)
    assert value["same"] < value["blurred"] < value["much blurred"]
    assert value["same"] < value["noisy"] < value["very noisy"]
    assert min(value[made] for made in value if made != "same") > 2 * value["same"]


def test_precision_and_recall_separate_quality_from_diversity(scores):
    precision = {made: found["precision"].value for made, found in scores.items()}
    recall = {made: found["recall"].value for made, found in scores.items()}
    assert precision["same"] > precision["blurred"] > precision["much blurred"]
    assert precision["same"] > precision["noisy"] > precision["very noisy"]
    for made in ("classes dropped", "repeated"):
        assert precision[made] > 0.9 * precision["same"]
        assert recall[made] < 0.8 * recall["same"]
        assert scores[made]["coverage"].value < 0.8 * scores["same"]["coverage"].value
    assert recall["repeated"] < recall["classes dropped"]
    assert precision["same"] == pytest.approx(scores["same"]["precision"].floor, abs=0.1)


def test_the_classifier_score_falls_with_lost_classes(scores):
    value = {made: found["classifier_score"].value for made, found in scores.items()}
    assert value["same"] > value["classes dropped"] + 1
    assert value["classes dropped"] < 5.5


def test_only_inceptions_scores_go_by_plain_names(scores):
    names = {s.name for s in scores["same"].values()}
    assert all(name.endswith("_fashion_mnist") for name in names)
    assert "frechet_distance_fashion_mnist" in names
    x = evaluation.extract(Pixels(4), torch.rand(20, 1, 8, 8), 7)
    x = x._replace(log_p=torch.zeros(20, 2).log_softmax(1))
    assert [s.name for s in evaluation.compared_features(Inception(), x, x)][:3] == ["fid", "kid", "inception_score"]
    assert next(s.name for s in evaluation.compared_features(Pixels(), x, x)) == "frechet_distance_pixels"


def test_transport_between_images(sets):
    x = sets["same"][:100]
    found = {s.name: s for s in evaluation.compared_samples(x, x + 0.25, 64)}
    assert found["exact_w1"].value == pytest.approx(0.25 * 28, rel=1e-5)  # W1(P, P + c) = |c|, in 28 x 28 dimensions
    assert (found["exact_w1"].n_real, found["sliced_w1"].n_real) == (64, 100)
    assert found["exact_w1"].space == "pixels"


def test_modes_beside_those_of_a_perfect_sampler():
    data = open_singly(Ring(), CPU)
    reals = two_sets(data, "train", 600)
    half = reals.second.x[reals.second.y < 4]
    found = {s.name: s for s in evaluation.mode_scores(reals.first.x, half, *data.modes)}
    assert (found["modes"].value, found["modes"].floor) == (4, 8)
    assert found["high_quality_share"].value == pytest.approx(0.989, abs=0.02)


class TestReals:
    def test_no_image_is_in_both_sets(self):
        data = open_singly(FashionMNIST10k(8), CPU)
        found = two_sets(data, "train", 1000)
        assert found.second_split == "train"
        assert len(found.first.x) == len(found.second.x) == 1000
        order = torch.stack([data.train.draw(k)[0] for k in range(2000)])
        assert len(order.unique()) == 2000
        torch.testing.assert_close(torch.cat([found.first.x, found.second.x]), take(data.train, 0, 2000).x)

    def test_the_other_split_serves_where_it_is_large_enough(self):
        data = open_singly(FashionMNIST10k(8), CPU)
        assert two_sets(data, "train", 500).second_split == "heldout"
        assert two_sets(data, "heldout", "auto").second_split == "train"
        assert len(two_sets(data, "heldout", "auto").first.x) == 500
        assert len(two_sets(data, "train", "auto").first.x) == 4750

    def test_more_than_there_are(self):
        with pytest.raises(UserError, match=r"count=4751: .* need count=4750 or less"):
            two_sets(open_singly(FashionMNIST10k(8), CPU), "train", 4751)

    def test_what_has_no_end(self):
        stacked = open_singly(Stacked(image_size=8), CPU)
        assert available(stacked.train) is None
        assert available(stacked.heldout) is None
        assert len(two_sets(stacked, "train", 30).first.x) == 30
        assert available(open_singly(Ring(), CPU).train) is None

    def test_stored_images_have_256_values(self):
        x = as_stored(torch.linspace(-1.2, 1.2, 4000).reshape(1, 1, 40, 100))
        assert len(x.unique()) == 256
        assert (x.min(), x.max()) == (-1, 1)
        points = torch.randn(5, 2)
        assert as_stored(points) is points


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_are_joined_as_cat_joins_them(form, channels):
    parts = [torch.rand(4, channels, 6, 5).to(memory_format=form) * i for i in range(1, 4)]
    whole = Joined(10, parts[0])
    for part in parts[1:]:
        assert not whole.is_full
        whole.add(part)
    assert whole.is_full
    expected = torch.cat([*parts[:2], parts[2][:2]])
    assert torch.equal(whole.tensor, expected)
    assert whole.tensor.stride() == expected.stride()
