"""Every curve is declared beside the code that logs it, and what describes curves reads these declarations."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
import torch

from gan_cli.analysis import evaluation, run_report, verdicts
from gan_cli.analysis.comparison import compare
from gan_cli.cli import main
from gan_cli.commands._list_curves import rows
from gan_cli.config.schema import Part
from gan_cli.config.tree import conf_dir
from gan_cli.core import curves
from gan_cli.core.charts import layout
from gan_cli.core.curves import Curve
from gan_cli.data.source import RealData
from gan_cli.extractors.base import Features
from gan_cli.runs import directory
from gan_cli.runs.reading import headline, run_at
from gan_cli.session import build
from gan_cli.session.session import Session
from gan_cli.training import phases, probes
from tests.conftest import TINY, options
from tests.helpers import Labelled, noise_data

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {  # what an option logs its curves with
    "loss=infogan": ["latent=infogan"],
    "loss=ebgan": ["loss.pull_away=0.1"],
    "condition=projection": ["loss=hinge"],
}
OF_VECTORS = {"critic/label_error_real", "critic/label_error_fake"}  # tests/conditions/test_label_vectors.py logs them
PARTS = [f"{group}={option}" for group in ("loss", "constraint", "condition") for option in options(group)]
PARTS.remove("constraint=bcr")  # of images, with no curve of its own
RUN = ("model=toy_mlp", "dataset=ring", *TINY, "train.steps=2", "log.every_steps=1")
OF_EVERY_RUN = (*phases.CURVES, *probes.CURVES)


def matching(tag, declared):
    return [curve for curve in declared if re.fullmatch(curve.pattern, tag)]


def trained(config, folder):
    """The game of a run of two steps on points, and the tags of its rows."""
    conditional = config.condition.name != "Unconditional"
    plan, data = build.check(config, (2,), 3 if conditional else None), noise_data((2,), 8)
    if conditional:
        train, heldout = (Labelled((2,), 8, 0, name) for name in ("train", "heldout"))
        fixed = Labelled((2,), 8, 0, "fixed")
        data = RealData((2,), ("a", "b", "c"), train, heldout, "noise", lambda n: fixed.batch(*fixed.draw(0)))
    state = plan.state(data)
    Session(plan, directory.RunDirectory(folder), data, state).train()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return state.game, {tag for line in lines for tag in line} - {"step"}


@pytest.mark.parametrize("choice", PARTS)
def test_what_a_run_logs_is_what_it_and_its_parts_declare(config_of, tmp_path, choice):
    game, logged = trained(config_of(*RUN, choice, *NEEDED.get(choice, [])), tmp_path)
    declared = [*game.loss.logged, *game.constraint.logged, *game.condition.logged]
    for tag in logged:
        assert len(matching(tag, [*OF_EVERY_RUN, *declared])) == 1, tag
        assert curves.find(tag) in (*OF_EVERY_RUN, *declared)
    assert {c.tag for c in declared if not any(matching(tag, [c]) for tag in logged)} <= OF_VECTORS


def test_a_loss_of_a_users_own_needs_no_declaration_and_may_have_some(config_of, tmp_path, monkeypatch):
    (tmp_path / "own_curves.py").write_text(
        "from gan_cli.core.curves import Curve\n"
        "from gan_cli.losses.wasserstein import Wasserstein\n"
        "class Silent(Wasserstein):\n"
        "    logged = ()\n"
        "    def estimates(self, real, fake):\n"
        "        return {'own_estimate': real.score.mean(), 'own_other': fake.score.mean()}\n"
        "class Declaring(Silent):\n"
        "    logged = (Curve('critic/own_other', 'nats', 'lower', 'what I mean', role='maximised'),)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "run").mkdir()
    own = Part.of("own_curves.Silent", {})
    _, logged = trained(config_of(*RUN).replace(loss=own, allow_targets=["own_curves"]), tmp_path / "run")
    assert {"critic/own_estimate", "critic/own_heldout", "critic/own_normalised", "critic/own_other"} <= logged
    assert headline(dict.fromkeys(sorted(logged), 0.0)) == "critic/own_estimate"
    assert (curves.better("critic/own_estimate"), curves.better("critic/own_other")) == ("lower", "neither")
    assert verdicts.meaning("critic/own_estimate") == verdicts.meaning("critic/own_other") == "a curve of this loss"
    own = importlib.import_module("own_curves").Declaring.logged
    assert verdicts.meaning("critic/own_other", own) == "what I mean"
    assert run_report.estimate_of([{"critic/loss": 0.0, "critic/own_other": 0.0}], own) == "critic/own_other"
    assert verdicts.maximised("critic/own_other", own) == "critic/own_other"
    assert verdicts.maximised("critic/own_other") == "critic/loss"


def test_the_scores_of_an_evaluation_are_declared_with_their_direction():
    x = torch.randn(20, 4)
    found = evaluation.compared_samples(x, x + 1, 10) + evaluation.mode_scores(x[:, :2], x[:, :2], torch.eye(2), 1.0)
    for standard, name in ((True, "inception"), (False, "efficientnet_lite0")):
        extractor = type("Any", (), {"standard": standard, "name": name})()
        features = Features(x, torch.randn(20, 3).log_softmax(dim=1))
        found += evaluation.compared_features(extractor, features, features)
    for score in found:
        assert len(matching(score.tag, curves.declared())) == 1, score.tag
    for name in ("critic_estimate", "critic_lipschitz", "critic_estimate_over_lipschitz"):
        assert len(matching(f"distance/{name}", curves.declared())) == 1


def test_what_is_read_from_the_files_is_what_the_modules_hold():
    for path, found in curves.sources().items():
        module = importlib.import_module(f"gan_cli.{'.'.join(path.with_suffix('').parts)}")
        for name, (own, _) in found.items():
            held = getattr(getattr(module, name), "logged", ()) if name else getattr(module, "CURVES", ())
            assert tuple(own) == tuple(curve for curve in held if curve in own)
            assert name or tuple(own) == held


@pytest.mark.parametrize("choice", PARTS)
def test_the_list_names_the_options_that_log_a_curve(config_of, choice):
    group, _, option = choice.partition("=")
    plan = build.check(config_of(*RUN, choice, *NEEDED.get(choice, [])), (2,), 3)
    part = plan.state_for((2,), 3).game.condition if group == "condition" else getattr(plan.parts, group)
    named = {curve for curve, by in rows(conf_dir()) if re.search(rf"\b{group}=([\w,]+,)?{option}\b", by)}
    assert named == set(part.logged)


def test_declarations_of_one_tag_agree():
    by_tag = {curve.tag: curve for curve in curves.declared()}
    assert len(by_tag) == len(curves.declared())
    for curve in by_tag.values():
        assert re.match(r"(critic|generator|quality|distance|optimizer|speed)/", curve.tag)
        assert curve.better in ("higher", "lower", "neither")
        assert curve.unit
        assert curve.meaning
        assert "\n" not in curve.meaning
        assert curve.meaning[-1] != "."
    with pytest.raises(ValueError, match="malformed"):
        curves.declarations("CURVES = (Curve(TAG, 'nats', 'lower', 'text'),)")


def test_the_names_of_what_is_derived_from_an_estimate():
    estimate, bound = "critic/wasserstein_estimate", "critic/f_divergence_bound"
    assert [curves.is_estimate(tag) for tag in (estimate, bound)] == [True, True]
    for tag in ("critic/mmd", "critic/wasserstein_heldout", "distance/critic_estimate", "wasserstein_estimate"):
        assert not curves.is_estimate(tag)
    assert (curves.heldout_tag(estimate), curves.heldout_tag(bound)) == (
        "critic/wasserstein_heldout",
        "critic/f_divergence_heldout",
    )
    assert curves.normalised_tag(estimate) == curves.normalised_tag("critic/wasserstein_normalised")
    assert curves.find("critic/js_heldout").better == "lower"
    assert Curve("quality/kid[_<extractor>]", "", "lower", "").pattern == r"quality/kid(_\w+)?"


def test_the_curve_of_a_report_is_the_estimate_or_what_is_declared_in_its_place():
    maximised = {c.tag for c in curves.declared() if curves.is_maximised(c.tag)}
    assert maximised == {c.tag for c in curves.declared() if curves.is_estimate(c.tag)} | {
        "critic/mmd",
        "critic/energy_distance",
        "critic/sinkhorn_divergence",
    }
    assert all(verdicts.maximised(tag) == tag for tag in maximised | {"critic/loss"})
    assert verdicts.maximised("critic/energy_gap") == verdicts.maximised("critic/convergence") == "critic/loss"
    for tags, chosen in (
        (("critic/balance", "critic/convergence", "critic/energy_gap", "critic/k_t", "critic/loss"), "convergence"),
        (("critic/energy_gap", "critic/loss", "critic/pulling_away"), "energy_gap"),
        (("critic/js_estimate", "critic/loss", "critic/mutual_information"), "js_estimate"),
        (("critic/loss", "critic/score_std"), "loss"),
    ):
        assert run_report.estimate_of([dict.fromkeys(tags, 0.0)]) == f"critic/{chosen}"
    assert "a lower bound of the Jensen-Shannon divergence" in verdicts.meaning("critic/js_estimate")
    assert "does not estimate a distance" in verdicts.meaning("critic/loss")


def test_the_page_of_tensorboard_has_every_estimate_once_and_the_wasserstein_panel_first():
    page = layout()
    assert list(page) == [
        "Wasserstein distance",
        "Losses",
        "Other distances",
        "Health",
        "Quality",
        "Modes",
        "Speed",
        "Content",
    ]
    assert page["Wasserstein distance"] == {
        "estimate, held-out": ["^critic/wasserstein_(estimate|heldout)$"],
        "Lipschitz constant": ["^critic/lipschitz$"],
        "normalised by the Lipschitz constant": [r"^critic/\w+_normalised$"],
    }
    charts = [tags for category in page.values() for tags in category.values()]
    for curve in curves.declared():
        shown = [one for one in charts if any(re.search(pattern, curve.tag) for pattern in one)]
        if curves.is_estimate(curve.tag):
            twin = curves.heldout_tag(curve.tag)
            assert len([one for one in charts if any(re.search(pattern, twin) for pattern in one)]) == 1
        if curve.role or curves.is_estimate(curve.tag):
            assert len(shown) == 1, curve.tag
    assert list(page["Losses"]) == ["critic", "generator", "penalty"]


def test_a_comparison_takes_the_direction_from_the_declarations(tmp_path):
    tags = ("critic/convergence", "critic/mutual_information", "critic/balance", "quality/density")
    for loss, value in (("wgan", 1.0), ("gan", 2.0)):
        run = tmp_path / loss
        run.mkdir()
        (run / "config.yaml").write_text("seed: 0\nlatent: {size: 8}\ntrain: {steps: 1}\n".replace("8", str(value)))
        (run / "run.json").write_text('{"status": "finished"}')
        (run / "metrics.jsonl").write_text(json.dumps({"step": 1, **dict.fromkeys(tags, value)}) + "\n")
    found = compare([run_at(tmp_path / "wgan"), run_at(tmp_path / "gan")], tags)
    best = {tag: [cell.best for cell in cells] for tag, cells in found.cells.items()}
    assert best == {
        "critic/convergence": [True, False],
        "critic/mutual_information": [False, True],
        "critic/balance": [False, False],
        "quality/density": [False, False],
    }


def test_the_list_of_curves(capsys):
    assert main(["list", "curves"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(curves.declared()) + 1
    (line,) = [line for line in lines if line.startswith("critic/js_estimate ")]
    assert re.match(r"critic/js_estimate +nats +lower +log 2 - L_D / 2: ", line)
    assert line.endswith("(loss=feature_matching,gan,infogan,nonsaturating)")
