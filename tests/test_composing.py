"""What the tests compose from memory is what Hydra composes."""

from omegaconf import OmegaConf

from gan_cli.config.arguments import Arguments
from gan_cli.config.compose import Composer
from gan_cli.errors import UserError
from tests.children import run_code

LINES = [
    "seed=1",
    "loss=wgan_gp optimizer=rmsprop seed=2",
    "loss=wgan_gp optimizer=rmsprop seed=3 +loss.more=1",
    "task=cycle dataset@dataset_b=fashion_mnist_10k",
    "~constraint model=mlp model.width=4",
    "seed=1 lss=wgan",
    "experiment=[] loss=wgan_gpp",
]


def composed(overrides):
    """The config as text, or the refusal; without the directory in which it was composed."""
    try:
        cfg = Composer.of("train", Arguments([], {})).compose(overrides.split())
    except UserError as error:
        return f"{error}"
    cfg.hydra.runtime.cwd = ""
    return OmegaConf.to_yaml(cfg)


def test_memory_changes_nothing():
    code = "import sys; from tests.test_composing import composed; print(composed(sys.argv[1]), end='')"
    for line in LINES:
        plain = run_code(code, line)  # a process that remembers nothing
        assert [composed(line), composed(line)] == [plain.stdout] * 2, plain.stderr
