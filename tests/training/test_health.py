"""When a critic is called collapsed."""

from types import SimpleNamespace

import pytest

from gan_cli.training.health import ROWS, CriticWatch

C = 0.01


def watched(rows, clip=C):
    warned = []
    watch = CriticWatch(lambda step, what, reason: warned.append((step, what, reason)), clip)
    for step, row in enumerate(rows, 1):
        assert watch(SimpleNamespace(step=step), {f"critic/{name}": value for name, value in row.items()}) == {}
    return warned


def scores(std, mean=0.0):
    return {"score_std": std, "score_real": mean, "score_fake": -mean}


FIRST = scores(0.5)  # of weights not clipped yet
SOUND = scores(3e-4, 2e-3)
FLAT = {
    "the optimizers' eps": scores(9e-9),
    "rounding": scores(9e-6, 1.0),
    "of its largest": scores(2.9e-8, 1e-9),
    "one value": scores(0.0),
}


@pytest.mark.parametrize("row", FLAT.values(), ids=FLAT)
def test_one_score_for_every_sample_is_reported_after_twenty_rows(row):
    assert watched([FIRST, SOUND] + [row] * (ROWS - 1)) == []
    ((step, what, reason),) = watched([FIRST, SOUND] + [row] * 3 * ROWS)
    assert (step, what) == (ROWS + 2, "collapsed critic")
    for fix in ("a larger constraint.c (now 0.01)", "a smaller optimizer.critic.lr", "another constraint"):
        assert fix in reason


def test_weights_at_their_bound():
    assert watched([{**SOUND, "clip_saturation": 0.98}] * 2 * ROWS) == []
    ((step, _, reason),) = watched([{**SOUND, "clip_saturation": 0.999}] * 2 * ROWS)
    assert step == ROWS
    assert "99.9% of its weights are at their bound" in reason


def test_an_episode_is_reported_once_and_a_new_one_again():
    flat = FLAT["one value"]
    warned = watched([FIRST, SOUND] + [flat] * 50 + [SOUND] + [flat] * 19 + [SOUND] + [flat] * 20)
    assert [step for step, _, _ in warned] == [2 + ROWS, 2 + 50 + 1 + 19 + 1 + 20]


def test_small_scores_are_no_symptom_nor_is_a_large_first_row():
    assert watched([scores(10.0)] + [scores(2e-7, 1e-6)] * 100) == []
    assert watched([scores(10.0)] + [scores(1e-5, 1e-4), scores(4e-9 + 1e-7, 0.0)] * 50) == []


def test_a_bound_is_named_only_where_there_is_one():
    ((_, _, reason),) = watched([FIRST] + [FLAT["one value"]] * ROWS, clip=None)
    assert "constraint.c" not in reason


def test_rows_without_scores_are_passed_over():
    assert watched([{"mmd": 0.0}] * 50) == []
