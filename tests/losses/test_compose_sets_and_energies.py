"""Auto-encoder critics, codes and distances between sets: on every kind of data, each phase moves its own player."""

import pytest
import torch

from gan_cli.session import build
from gan_cli.training.eager import Eager
from tests.helpers import Labelled

LOSSES = {
    "ebgan": [],
    "ebgan_pt": ["loss=ebgan", "loss.pull_away=0.1"],
    "began": [],
    "infogan": [],
    "mmd": [],
    "mmd_pixels": ["loss=mmd", "loss.space=pixels", "constraint=none"],
    "energy_distance": [],
    "energy_distance_pixels": ["loss=energy_distance", "loss.space=pixels", "constraint=none"],
    "sinkhorn": [],
    "sinkhorn_pixels": ["loss=sinkhorn", "loss.space=pixels", "constraint=none"],
}
SHAPES = {"points": (2,), "grey": (1, 12, 12), "rgb": (3, 8, 8)}


def small_game(config_of, loss, shape, *overrides):
    family = ["model=toy_mlp", "model.width=16"] if len(shape) == 1 else ["model=dcgan", "model.width=4"]
    config = config_of(
        *(LOSSES[loss] or [f"loss={loss}"]), *family, "latent.size=3", "train.batch_size=6", "updates.n_critic=1",
        *overrides,
    )  # fmt: skip
    plan = build.check(config, shape, 3)
    state = plan.state_for(shape, 3)
    return state, Eager(plan.parts.updates, Labelled(shape, 6), 6, 0, torch.device("cpu"))


def weights(state):
    return {name: p.detach().clone() for player in state.game.players().values() for name, p in player.items()}


GAMES = [(loss, kind, "none") for loss in LOSSES for kind in SHAPES] + [
    (loss, kind, condition)
    for loss in LOSSES
    for kind in ("points", "grey")
    for condition in ("concat", "auxiliary_classifier")
    if not loss.endswith("pixels")
]


@pytest.mark.parametrize(("loss", "kind", "condition"), GAMES)
def test_every_phase_moves_its_own_player_alone(config_of, loss, kind, condition):
    state, run = small_game(config_of, loss, SHAPES[kind], f"condition={condition}")
    players = {name: set(params) for name, params in state.game.players().items()}
    phases = run.updates.phases(0)
    for phase in phases:
        run.updates.phases = lambda step, phase=phase: [phase]
        before = weights(state)
        logs = run(state)
        after = weights(state)
        moved = {name for name in before if not torch.equal(before[name], after[name])}
        if phase.player == "critic" and not state.game.loss.critic_plays:
            assert logs == []
            assert not moved
            continue
        assert all(value.isfinite() for value in logs[0].values())
        assert moved <= players[phase.player]
        idle = set() if state.game.loss.reads_score else {"critic.score.weight", "critic.score.bias"}
        assert len(moved) >= 0.8 * len(players[phase.player] - idle)  # a dead unit's bias may rest


@pytest.mark.parametrize("loss", ["ebgan", "began"])
def test_an_auto_encoder_answers_with_its_error_and_its_code(config_of, loss):
    state, _ = small_game(config_of, loss, (1, 12, 12), "model.code_size=5")
    x = torch.rand(6, 1, 12, 12) * 2 - 1
    output = state.game.ask(x)
    again = state.game.critic.reconstruct(x)[1]
    error = (x - again).abs() if loss == "began" else (x - again) ** 2
    torch.testing.assert_close(output.score, error.mean(dim=(1, 2, 3)))
    assert output.features.shape == (6, 5)


@pytest.mark.parametrize("loss", ["mmd", "energy_distance"])
def test_on_features_nobody_trains_the_score_and_no_curve_shows_it(config_of, loss):
    state, run = small_game(config_of, loss, (2,))
    before = weights(state)
    logs = run(state)
    assert torch.equal(state.game.critic.score.weight, before["critic.score.weight"])
    assert not any("score" in tag for row in logs for tag in row)


@pytest.mark.parametrize("loss", ["mmd_pixels", "energy_distance_pixels"])
def test_on_pixels_the_generator_reads_real_samples_and_the_curve_is_its_loss(config_of, loss):
    state, run = small_game(config_of, loss, (2,))
    (row,) = run(state)
    assert state.real_batches == 1
    name = loss.removesuffix("_pixels")
    torch.testing.assert_close(row[f"critic/{name}"], row["generator/loss"])
