"""The first line of a report: what the samples are worth, beside what other real samples come to."""

import math

import pytest

from gan_cli.analysis import verdicts
from gan_cli.analysis.sample_quality import Measured, judged, of_rows

FRECHET, RECALL = "quality/frechet_distance_fashion_mnist", "quality/recall_fashion_mnist"
FLOORS = {FRECHET: 0.5, RECALL: 0.9, "quality/kid": 0.0}


@pytest.mark.parametrize(
    ("frechet", "recall", "kind", "text"),
    [
        (
            14,
            0.0,
            "look",
            "the samples are far from the data: Frechet distance 14, other real samples 0.5, with 1,000 sam",
        ),
        (3, 0.05, "look", "the samples are unlike the data: Frechet distance 3"),
        (6, 0.5, "look", "the samples are far from the data"),
        (3, 0.5, "look", "the samples are not yet as near to the data as other real samples are: Frechet distance 3"),
        (0.6, 0.8, "good", "the samples are as near to the data as other real samples are: Frechet distance 0.6"),
        (0.6, 0.01, "look", "the samples are unlike the data: Frechet distance 0.6"),
        (math.nan, 0.0, "look", "the samples cannot be measured: Frechet distance nan"),
    ],
)
def test_kinds(frechet, recall, kind, text):
    found = judged(Measured({FRECHET: frechet, RECALL: recall, "quality/kid": 1.0}, FLOORS, 1000, 50))
    assert found.kind == kind
    assert found.text.startswith(text)
    if recall < 0.09 and math.isfinite(frechet):
        assert (
            f"recall {recall:.2g}, other real samples 0.9: the samples show almost nothing of the data's" in found.text
        )


def test_points_are_judged_by_the_exact_distance_and_pixels_are_not():
    found = judged(Measured({"distance/exact_w1": 0.5, "quality/modes": 2}, {"distance/exact_w1": 0.02}, 500, 9))
    assert found.text.startswith("the samples are far from the data: exact W1 0.5, other real samples 0.02, with 500")
    images = judged(Measured({"distance/exact_w1": 11, FRECHET: 20}, {"distance/exact_w1": 10, FRECHET: 0.5}, 500, 9))
    assert images.text.startswith("the samples are far from the data: Frechet distance 20")
    assert judged(Measured({"quality/kid": 0.1}, FLOORS, 500, 9)) is None


def test_the_last_scores_of_the_rows_are_taken():
    rows = [{"step": 1, FRECHET: 9.0}, {"step": 2, FRECHET: 7.0}, {"step": 3, "critic/loss": 1.0}]
    status = {"evaluation": {"floors": FLOORS, "count": 200}}
    assert of_rows(rows, status) == Measured(rows[1], FLOORS, 200, 2)
    assert of_rows(rows[2:], status) is None
    for broken in ({}, {"evaluation": None}, {"evaluation": {"floors": 3}}):
        assert of_rows(rows, broken) is None


@pytest.mark.parametrize(("value", "said"), [(0.69, True), (0.6, False)])
def test_a_js_estimate_at_its_largest_value(value, said):
    rows = [{"step": i, "critic/js_estimate": value} for i in range(30)]
    found = verdicts.separated("critic/js_estimate", rows)
    assert [v.kind for v in found] == ["look"] * said
    assert not said or found[0].text.startswith("the critic wins: the JS estimate is 0.69, and 0.693 (log 2)")
    assert verdicts.separated("critic/wasserstein_estimate", [{"critic/wasserstein_estimate": 0.69}]) == []
