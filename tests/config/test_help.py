"""`gan COMMAND --help`: every key with the comment of its config file."""

import re

import pytest
import yaml

from gan_cli.config.help import commented, comments
from gan_cli.config.tree import conf_dir


def test_each_key_has_the_comment_of_its_file(tmp_path):
    (tmp_path / "base.yaml").write_text("a: 1 # of the parent\nb: 2 # replaced\n")
    (tmp_path / "own.yaml").write_text(
        "# The file\ndefaults:\n  - base\n  - other@x: y # no key\n  - _self_\n\nb: '#1' # one, '#two'\n"
        "# above c\nc:\n  d: [1] # inner\n  e: 2\n\n# far\n\nf: 3\ng: {h: 1} # flow\n# last\ni:\n  - 1 # no key\n"
    )
    assert comments(tmp_path / "own.yaml", "part") == {
        "part.a": "of the parent",
        "part.b": "one, '#two'",
        "part.c": "above c",
        "part.c.d": "inner",
        "part.g": "flow",
        "part.i": "last",
    }
    (tmp_path / "top.yaml").write_text("# @package _global_\n# The file\nloss:\n  k: 1 # inner\n")
    assert comments(tmp_path / "top.yaml", "loss") == {"loss.k": "inner"}


def test_a_config_with_comments_is_the_same_config():
    text = "a:\n  b: 1\n  c:\n  - 1\n  - x: 2\nd: 'a # b'\n"
    shown = commented(text, {"a": "first", "a.c": "third", "x": "no key of the config"})
    assert shown == "a:  # first\n  b: 1\n  c:  # third\n  - 1\n  - x: 2\nd: 'a # b'\n"
    assert yaml.safe_load(shown) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("train", ["  steps: 2000  # generator updates, each with", "loss:  # wgan: Wasserstein GAN", "  c: 0.01"]),
        (
            "train loss=wgan_gp",
            ["constraint:  # gradient_penalty: Squared", "  sided: two  # one: gradient norms below"],
        ),
        ("train dataset_b=folder", ["dataset_b:  # folder: Any directory", "  skip_bad: false  # true: leave out"]),
        ("train experiment=quickstart", ["  steps: 600  # generator updates, each with"]),
        ("sample", ["count: 64  # number of images", "truncation: null  # psi: z is drawn again until every number"]),
        ("resume", ["  device: null  # on a new device, auto chooses"]),
        ("evaluate", ["extractor:  # auto: The classifier of clothes"]),
        ("study", ["docs: null  # a directory: write the page"]),
    ],
)
def test_help_shows_them(gan, words, lines):
    command, *overrides = words.split()
    shown = gan(command, *overrides, "--help").out
    for line in lines:
        assert re.search(rf"^{re.escape(line)}", shown, re.MULTILINE), line


def test_help_shows_every_comment_of_the_command(gan):
    for command in ("train", "sample", "evaluate", "collapse", "classifier", "export"):
        shown = gan(command, "--help").out
        for key, words in comments(conf_dir() / f"{command}.yaml").items():
            if not key.startswith(("hydra", "defaults")) and key.partition(".")[0] in shown:
                assert f"  # {words}\n" in shown, (command, key)


def test_help_shows_the_comments_of_a_users_own_option(gan, tmp_path):
    own = tmp_path / "mine" / "constraint"
    own.mkdir(parents=True)
    (own / "tight.yaml").write_text(
        "# A narrow clip\n_target_: gan_cli.constraints.weight_clip.WeightClip\nc: 0.001 # narrow\n"
    )
    shown = gan("train", "--config-dir", str(tmp_path / "mine"), "constraint=tight", "--help").out
    assert "constraint:  # tight: A narrow clip\n" in shown
    assert "  c: 0.001  # narrow\n" in shown
