"""`gan list`: the groups and what each option is."""

from __future__ import annotations

import pytest

from gan_cli.config.tree import conf_dir, groups, meaning, positional_key, top_keys


def test_every_group_and_option_is_listed_with_its_meaning(gan):
    out = gan("list").out
    for group, options in groups(conf_dir()).items():
        assert f"{group}\n" in out
        for name, text in options.items():
            assert text, f"conf/{group}/{name}.yaml has no comment that says what it is"
            assert f"  {name} " in out
            assert text in out
    assert "hydra" not in out


def test_one_group(gan):
    out = gan("list", "loss").out
    assert out.splitlines()[0] == "loss"
    rows = [line.split(maxsplit=1) for line in out.splitlines()]
    assert ["wgan", "Wasserstein GAN with weight clipping (Arjovsky et al. 2017, Algorithm 1)"] in rows
    assert "dataset" not in out


def test_own_options_stand_among_the_others_and_before_those_of_their_name(gan, tmp_path):
    for name, text in (
        ("loss/mine", "# @package _global_\n\n# Mine (me, 2026)\n"),
        ("loss/wgan", "# Own WGAN\n"),
        ("my/x", ""),
    ):
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    out = gan("list", "--config-dir", "conf").out
    assert "Mine (me, 2026)" in out
    assert "Own WGAN" in out
    assert "Wasserstein GAN with weight clipping" not in out
    assert "\nmy\n  x\n" in out


def test_unknown_group_and_directory(refused):
    assert refused("list", "los").startswith("los: no such group; did you mean loss? groups: condition, constraint,")
    assert refused("list", "--config-dir", "nowhere") == "--config-dir nowhere: no such directory"
    assert refused("list", "--fast").startswith("unrecognized arguments: --fast")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# @package _global_\n# What it is\na: 1\n", "What it is"),
        ("\n\n#   What it is  \n", "What it is"),
        ("a: 1 # not this\n# nor this\n", ""),
        ("", ""),
        ("#\n# What it is", "What it is"),
    ],
)
def test_the_meaning_is_the_first_comment(tmp_path, text, found):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert meaning(path) == found


def test_keys_are_read_without_a_yaml_parser(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("# c\nrun: ??? # RUN\ncount: 64\nempty:\n  inner: ???\n")
    assert top_keys(path) == {"run": "???", "count": "64", "empty": ""}
    assert positional_key(path) == "run"
    assert positional_key(conf_dir() / "train.yaml") is None
