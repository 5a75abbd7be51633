"""The tags under which a loss's estimates appear in a run."""

import json

import pytest

from gan_cli.runs import directory
from gan_cli.session import build
from gan_cli.session.session import Session
from tests.conftest import TINY
from tests.helpers import noise_data

CURVES = {
    "fgan_kl": ("f_divergence_bound", "f_divergence_heldout"),
    "gan": ("js_estimate", "js_heldout"),
    "lsgan": ("le_cam_estimate", "le_cam_heldout"),
    "hinge": ("total_variation_estimate", "total_variation_heldout"),
    "rgan": ("relativistic_estimate", "relativistic_heldout"),
    "ragan": ("relativistic_estimate", "relativistic_heldout"),
}


@pytest.mark.parametrize(("loss", "curves"), CURVES.items())
def test_an_estimate_stands_beside_its_held_out_twin(config_of, tmp_path, loss, curves):
    overrides = ["model=toy_mlp", "dataset=ring", *TINY, "train.steps=2", "log.every_steps=1"]
    plan, data = build.check(config_of(f"loss={loss}", *overrides)), noise_data((2,), 8)
    Session(plan, directory.RunDirectory(tmp_path), data, plan.state(data)).train()
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert {f"critic/{curve}" for curve in curves} <= set(row)
    own = {tag for tag in row if tag.endswith(("_estimate", "_bound", "_heldout", "_normalised"))}
    assert own == {f"critic/{curve}" for curve in curves}
