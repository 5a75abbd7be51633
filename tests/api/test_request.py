"""Values of Python's as overrides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import gan_cli
from gan_cli.api.request import override
from gan_cli.errors import UserError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_value_is_read_back(value):
    parsed = OverridesParser.create().parse_override(override("a.b", value)).value()
    assert OmegaConf.to_container(OmegaConf.create({"b": parsed}), resolve=True)["b"] == value


def test_numbers_of_other_libraries():
    for value, text in (
        (torch.tensor([0, 3]), "k=[0,3]"),
        (np.float64(0.5), "k=0.5"),
        (np.arange(2), "k=[0,1]"),
        (range(2), "k=[0,1]"),
        (Path("a"), "k='a'"),
        ({"a": 1}, "k={a:1}"),
    ):
        assert override("k", value) == text


def test_a_second_dataset_is_chosen_as_on_the_command_line():
    config = gan_cli.compose(["task=cycle", "dataset_b=folder", "dataset_b.path=b", "dataset_b.image_size=32"])
    assert (config.dataset_b.name, config.dataset_b.arguments["path"]) == ("Folder", "b")


def test_compose_checks_as_the_command_line_does():
    config = gan_cli.compose(["loss=wgan_gp", "optimizer.lr=1e-3"])
    assert (config.loss.name, config.optimizer.lr) == ("Wasserstein", 1e-3)
    for words, message in (
        (["loss=wgann"], "loss=wgann: no such option; did you mean loss=wgan?"),
        (["optimizer.lr=fast"], "optimizer.lr=fast: must be a number above 0"),
        (["seed=0,1"], "seed=0,1: several values are a sweep; use gan_cli.sweep"),
        ("loss=wgan", "overrides='loss=wgan': must be a list of texts"),
        ([3], r"overrides=\[3\]: must be a list of texts"),
    ):
        with pytest.raises(UserError, match=f"^{message}"):
            gan_cli.compose(words)
    with pytest.raises(UserError, match="--config-dir nowhere: no such directory"):
        gan_cli.compose(config_dir="nowhere")


def test_a_notebook_shows_a_mistake_in_one_line():
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell", reason="pip install ipykernel")
    shell, shown = interactiveshell.InteractiveShell(), []
    shell._showtraceback = lambda kind, error, lines: shown.extend(lines)
    shell.run_cell("import gan_cli\ngan_cli.compose(['loss=wgn'])")
    (line,) = shown
    assert line.startswith("UserError: loss=wgn: no such option; did you mean loss=wgan?")
