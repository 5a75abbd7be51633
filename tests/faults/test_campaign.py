"""The campaign: whatever is done to a run, it ends equal to an undisturbed one, or what is not equal was said."""

from __future__ import annotations

import pytest

from tests.faults.campaign import Campaign

FEW, MANY = 5, 300


@pytest.mark.parametrize("kind", ["kill", "fault", "mutation"])
@pytest.mark.parametrize(
    ("first", "trials"), [(0, FEW), pytest.param(FEW, MANY, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])]
)
def test_no_difference_goes_unnoticed(tmp_path, whole, campaign_scores, kind, first, trials):
    campaign = Campaign(tmp_path, whole)
    campaign.scores = campaign_scores
    for seed in range(first, first + trials):
        campaign.run(kind, seed)
    assert campaign_scores[kind].unnoticed == []
