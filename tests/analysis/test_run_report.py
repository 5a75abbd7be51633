"""The numbers behind a report: correlations, a critic that is trained on, scores of what a run has kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gan_cli.analysis import critic_health, figures, quality_points, run_report, verdicts
from gan_cli.analysis.correlation import correlation, spearman
from gan_cli.analysis.critic_health import Further, GradientNorms
from gan_cli.analysis.quality_points import Point, Points
from gan_cli.core.log_rows import LogRows
from gan_cli.extractors.pixels import Pixels
from gan_cli.losses.base import CriticOutput
from gan_cli.session import build
from tests.conftest import options

CPU = torch.device("cpu")
ESTIMATE = "critic/wasserstein_estimate"


class TestCorrelation:
    def test_by_hand(self):
        assert spearman([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx(0.8)
        assert spearman([1, 2, 3], [9, 4, 1]) == -1
        assert spearman([1, 1, 2], [1, 2, 3]) == pytest.approx(math.sqrt(3) / 2)  # ranks 1.5, 1.5, 3
        assert math.isnan(spearman([1, 2, 3], [5, 5, 5]))

    def test_the_interval_holds_the_value_and_narrows_with_more_pairs(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=150)
        y = x + rng.normal(size=150)
        few, many = correlation(x[:20], y[:20]), correlation(x, y)
        for found in (few, many):
            assert found.low < found.rho < found.high
        assert many.high - many.low < (few.high - few.low) / 2
        assert many.rho == pytest.approx(6 / math.pi * math.asin(math.sqrt(0.5) / 2), abs=0.2)  # of two Gaussians
        assert few == correlation(x[:20], y[:20])

    def test_too_few_and_constant(self):
        assert correlation([1, 2, 3, 4], [1, 2, 3, 4]) is None
        assert math.isnan(correlation([1] * 6, range(6)).rho)


@pytest.fixture
def state_of(config_of):
    def made(*overrides):
        small = ("model.width=8", "train.batch_size=16", "model=toy_mlp", "dataset=ring")
        plan = build.check(config_of(*small, *overrides))
        plan, data = plan.open()
        return plan.state(data), data

    return made


class TestCritic:
    def test_a_fresh_critic_is_not_optimal_and_one_trained_on_is_nearer(self, config_of, state_of):
        former = ("model.critic.last_init=null", "model.generator.last_init=null")  # which it was measured with
        state, data = state_of("loss=nonsaturating", "optimizer.lr=6e-3", *former)
        batches = critic_health.pairs(state.game, data.heldout, 0, CPU)
        generator = [p.clone() for p in state.params["generator"]]
        tag = "critic/js_estimate"
        first = critic_health.further_updates(state, data.train, batches, tag, 100, 0)
        state.real_batches += 100
        second = critic_health.further_updates(state, data.train, batches, tag, 100, 1)
        assert first.updates == list(range(0, 101, 10))
        assert 0.5 < first.rise < math.log(2)
        assert first.error < 0.05
        assert second.values[0] == pytest.approx(first.values[-1])
        assert abs(second.rise) < first.rise / 3
        assert all(torch.equal(a, b) for a, b in zip(generator, state.params["generator"], strict=True))
        assert verdicts.optimal(tag, first, config_of("updates.n_critic=5")).text.endswith("updates.n_critic=10")

    def test_the_gradient_norm_of_a_linear_critic(self, state_of):
        state, data = state_of("loss=wgan_gp")
        state.game.critic = Linear(3.0, 4.0)
        found = critic_health.gradient_norms_at(state, critic_health.pairs(state.game, data.heldout, 0, CPU), 0)
        for norms in found:
            assert norms.shape == (16 * critic_health.BATCHES,)
            np.testing.assert_allclose(norms, 5.0, rtol=1e-6)
        assert verdicts.gradient_norm(found, state.game.constraint.target_norm).kind == "look"

    @pytest.mark.parametrize(
        "input", [name for name in options("input") if name not in ("diffaugment", "ada")]
    )  # of images alone
    def test_every_input_is_as_it_was_at_the_step(self, state_of, input):
        state, data = state_of("loss=wgan", f"input={input}")
        batches = critic_health.pairs(state.game, data.heldout, 0, CPU)
        found = []
        for state.step in (0, 10_000):
            norms = critic_health.gradient_norms_at(state, batches, 0).real.tolist()
            found.append((norms, critic_health._measure(state, batches, "critic/wasserstein_estimate", 0).tolist()))
        assert (found[0] != found[1]) is (input == "noise")  # it is annealed by then

    def test_measuring_moves_nothing(self, state_of):
        state, data = state_of("loss=hinge", "model.critic.norm=batch")
        before = {name: t.clone() for name, t in state.tensors().items()}
        batches = critic_health.pairs(state.game, data.heldout, 0, CPU)
        critic_health.gradient_norms_at(state, batches, 0)
        critic_health._measure(state, batches, "critic/total_variation_estimate", 0)
        assert all(torch.equal(before[name], t) for name, t in state.tensors().items())


class Linear(torch.nn.Module):
    """A critic that is linear in points of the plane."""

    def __init__(self, *weight):
        super().__init__()
        self.weight = torch.tensor(weight)

    def forward(self, x, y, c, shown):
        return CriticOutput(x @ self.weight, x, {}, x, y, c)


class TestQualityPoints:
    def test_the_rows_own_scores_come_first(self):
        rows = [{"step": i, ESTIMATE: float(i), "distance/exact_w1": 2.0 * i} for i in range(1, 7)]
        found = quality_points.from_rows(LogRows(rows), ESTIMATE)
        assert found.name == "distance/exact_w1"
        assert [tuple(p) for p in found.points] == [(i, i, 2.0 * i, "row") for i in range(1, 7)]
        for row in rows:
            row["quality/kid_pixels"] = float("nan")
        assert quality_points.from_rows(LogRows(rows), ESTIMATE).name == "distance/exact_w1"  # a NaN is no point
        assert quality_points.from_rows(LogRows(rows[:4]), ESTIMATE) is None
        for row in rows:
            row["quality/fid"] = 1.0
        assert quality_points.from_rows(LogRows(rows), ESTIMATE).name == "quality/fid"

    @pytest.mark.parametrize(("channels", "count", "columns"), [(1, 10, None), (3, 6, 3)])
    def test_a_picture_gives_back_its_images(self, tmp_path, channels, count, columns):
        x = torch.rand(count, channels, 6, 5) * 2 - 1
        figures.save_png(tmp_path / "a.png", figures.image_grid(x, columns))
        found = quality_points.grid_images(tmp_path / "a.png", (channels, 6, 5), count)
        torch.testing.assert_close(found, x, atol=1 / 127, rtol=0)
        assert quality_points.grid_images(tmp_path / "a.png", (channels, 7, 5), count) is None
        assert quality_points.grid_images(tmp_path / "a.png", (channels, 6, 5), 99) is None

    def test_pictures_and_checkpoints_are_scored_at_their_rows(self):
        rows = [{"step": step, ESTIMATE: float(step)} for step in (10, 20, 30)]
        real = torch.rand(40, 1, 8, 8) - 1  # dark
        worse = [(step, torch.rand(20, 1, 8, 8) - 1 + bright) for step, bright in ((0, 1), (5, 1), (20, 0.5), (40, 0))]
        found = quality_points.from_samples(
            LogRows(rows), ESTIMATE, real, Pixels(4), iter([(30, real)]), lambda: iter(worse)
        )
        assert [(p.step, p.estimate, p.source) for p in found.points] == [
            (5, 10.0, "picture"),
            (20, 20.0, "picture"),
            (30, 30.0, "checkpoint"),
        ]
        scores = [p.score for p in found.points]
        assert scores == sorted(scores, reverse=True)
        assert found.name == "quality/kid_pixels"

    def test_points_are_scored_by_their_checkpoints_alone(self):
        rows = [{"step": 10, ESTIMATE: 1.0}]
        real = torch.rand(30, 2)
        found = quality_points.from_samples(
            LogRows(rows), ESTIMATE, real, None, iter([(10, real[:20] + 3)]), pytest.fail
        )
        assert found.points[0].score == pytest.approx(math.hypot(3, 3), rel=1e-6)  # W1(P, P + c) = |c|


class TestVerdicts:
    def related(self, values, scores, higher=False):
        points = Points(
            "s", "", [Point(i, v, s, "row") for i, (v, s) in enumerate(zip(values, scores, strict=True))], higher
        )
        return verdicts.quality(points, correlation(values, scores), "")

    def test_whether_the_estimate_follows_quality(self):
        up, noise = list(range(10)), [3, 9, 1, 7, 2, 8, 0, 6, 5, 4]
        assert self.related(up, up).text.startswith("the estimate falls as samples improve: Spearman 1.00")
        assert self.related(up, up[::-1], higher=True).kind == "good"
        assert self.related(up, up[::-1]).kind == "look"
        assert self.related(up, noise).text.startswith("it is not clear whether the estimate follows quality")
        few = self.related([1, 2], [1, 2])
        assert few.kind == "unknown"
        assert "2 points, but at least 5 are needed; train a run with evaluate.every_steps=100" in few.text
        shape = [Point(i, v, 9.0 - i, "row") for i, v in enumerate([1, 2, 8, 7, 6, 5, 4, 3])]
        later = Points("s", "", shape).from_peak()
        assert [p.step for p in later.points] == [2, 3, 4, 5, 6, 7]
        own = correlation([p.estimate for p in later.points], [p.score for p in later.points])
        (verdict,) = verdicts.after_peak(later, own)
        assert (verdict.kind, "from the peak of the estimate at step 2 on" in verdict.text) == ("good", True)
        assert "because" in verdicts.quality(None, None, "because").text

    def test_whether_the_critic_is_optimal(self, config_of):
        config = config_of("updates.n_critic=5")
        rises = verdicts.optimal(ESTIMATE, Further([0, 50], [1.0, 1.38], 0.01), config)
        assert rises.text == (
            "the critic is not optimal (the estimate: +38 % after 50 more updates, 1 to 1.38): try updates.n_critic=10"
        )
        assert verdicts.optimal(ESTIMATE, Further([0, 50], [1.0, 1.05], 0.01), config).kind == "good"
        assert verdicts.optimal(ESTIMATE, Further([0, 50], [1.0, 1.38], 0.3), config).kind == "good"  # noise
        without_n_critic = config_of("updates=simultaneous")
        assert verdicts.optimal(ESTIMATE, Further([0, 50], [1.0, 5.0], 0.1), without_n_critic).text == (
            "the critic is not optimal (the estimate: 5.0 times as high after 50 more updates, 1 to 5): "
            "try updates=alternating_5"
        )
        assert "NaN" in verdicts.optimal(ESTIMATE, Further([0, 50], [1.0, math.nan], 0.1), config).text

    def test_the_others(self, config_of):
        assert "58 % of the critic's weights are at ±0.01" in verdicts.saturation(0.58, 0.01).text
        assert verdicts.saturation(0.2, 0.01).kind == "good"
        ones = GradientNorms(*(np.ones(4),) * 3)
        assert verdicts.gradient_norm(ones, 1.0).kind == "good"
        steps, falling = np.arange(20.0), np.linspace(2, 1, 20)
        assert "still falling" in verdicts.trend(ESTIMATE, steps, falling, 100)[0].text
        assert "is rising" in verdicts.trend(ESTIMATE, steps, falling[::-1], 100)[0].text
        rested = np.concatenate([falling, np.ones(40)])
        assert verdicts.trend(ESTIMATE, np.arange(60.0), rested, 100)[0].kind == "unknown"
        assert self.overfits([1.0, 1.1, 0.9], [0.5, 0.6, 0.4]) == ["look"]
        assert self.overfits([1.0, 1.1, 0.9], [0.95, 1.0, 0.9]) == ["good"]
        assert self.overfits([1.0, 1.1, 0.9], [1.5, -0.9, 0.2]) == ["good"]  # chance
        assert self.overfits([0.01, -0.02, 0.01], [-0.5, -0.6, -0.4]) == []  # there is no estimate to speak of
        assert verdicts.overfitting(ESTIMATE, [{ESTIMATE: 1.0}] * 5) == []
        assert verdicts.trend("critic/js_estimate", np.arange(60.0), rested, 100)[0].kind == "unknown"
        from_below = verdicts.optimal(ESTIMATE, Further([0, 9], [-0.1, 0.4], 0.01), config_of())
        assert "not optimal (the estimate: +0.5 after 9 more updates, -0.1 to 0.4)" in from_below.text

    def overfits(self, estimates, heldout):
        pairs = zip(estimates, heldout, strict=True)
        rows = [{ESTIMATE: e, "critic/wasserstein_heldout": h} for e, h in pairs]
        return [v.kind for v in verdicts.overfitting(ESTIMATE, rows)]


@pytest.mark.parametrize(("n", "window"), [(300, 101), (100, 11), (20, 3), (2, 1)])
def test_the_median_filter(n, window):
    steps, values = np.arange(n, dtype=float), np.sin(np.arange(n))
    at, smooth, found = run_report.filtered(steps, values)
    assert found == window
    assert len(at) == len(smooth) == n - window + 1
    if window > 1:
        assert smooth[0] == np.median(values[:window])
        assert at[0] == window // 2
