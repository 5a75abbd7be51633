"""Short names of a run's parts."""

from gan_cli.config.names import option, readable

CONFIG = {
    "seed": 1,
    "loss": {"_target_": "gan_cli.losses.wasserstein.Wasserstein"},
    "model": {"width": 8, "critic": {"_target_": "gan_cli.models.mlp.Trunk"}},
    "run_dir": "runs/x",
    "optimizer": {"critic": {"_target_": "torch.optim.Adam", "betas": [0.5, 0.9]}},
}


def test_readable():
    assert readable(CONFIG, {"model": "toy_mlp", "loss": "wgan", "runtime": "cpu", "experiment": "x"}) == {
        "loss": "wgan",
        "model": "toy_mlp",
        "experiment": "x",
        "seed": 1,
        "loss.class": "Wasserstein",
        "model.width": 8,
        "model.critic.class": "Trunk",
        "optimizer.critic.class": "Adam",
        "optimizer.critic.betas": [0.5, 0.9],
    }


def test_a_run_that_does_not_know_its_options():
    assert [option(group, CONFIG, {}) for group in ("loss", "model", "dataset")] == ["Wasserstein", "Trunk", ""]
    assert option("model", CONFIG, {"model": "toy_mlp"}) == "toy_mlp"
