"""The pages of the site that are made from conf/ and the code; `make docs` builds the site itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from gan_cli.config.tree import conf_dir, groups
from gan_cli.core import curves

pytest.importorskip("griffe", reason='pip install "gan_cli[dev]"')
sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts" / "site"))
import notebooks
import options
import page_text
import reference


def section(page, title):
    return re.split(r"^## ", page.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_option_has_its_meaning_its_keys_and_what_it_chooses():
    pages = options.pages()
    for group, found in groups(conf_dir()).items():
        page = pages[f"reference/options/{group}.md"]
        for option, meaning in found.items():
            text = section(page, option)
            assert page_text.plain(meaning) in text
            path = conf_dir() / group / f"{option}.yaml"
            for key in options.keys(path) if group != "study" else []:
                assert f"`{key.name}`" in text or key.name.endswith("_target_")
                assert key.default.startswith("gan_cli.") or f"`{key.default}`" in text
            for choice in options.choices(path):
                assert f"`{choice.group}={choice.option}`" in text


def test_a_key_has_the_comment_of_its_yaml():
    keys = {key.name: key for key in options.keys(conf_dir() / "constraint" / "gradient_penalty.yaml")}
    assert keys["every"] == ("every", "1", "n: apply the penalty at each n-th critic update, multiplied by n")
    keys = {key.name: key for key in options.keys(conf_dir() / "train.yaml")}
    assert keys["checkpoint.keep"].default == "2"
    assert keys["checkpoint.keep"].meaning.startswith("the newest checkpoints")


def test_a_key_without_a_comment_has_the_meaning_of_the_argument_or_of_the_same_key_elsewhere():
    dragan = {key.name: key.meaning for key in options.keys(conf_dir() / "constraint" / "dragan.yaml")}
    assert dragan["k"] == options.described("gan_cli.constraints.dragan.Dragan")["k"] != ""
    quickstart = {key.name: key.meaning for key in options.keys(conf_dir() / "experiment" / "quickstart.yaml")}
    assert quickstart["train.steps"] == "generator updates, each with the critic updates that precede it"


def test_every_key_has_a_meaning_but_those_of_torch_itself():
    files = [path for path in conf_dir().rglob("*.yaml") if path.parent.name not in ("study", "output", "help")]
    missing = []
    for path in files:
        found = {key.name: key for key in options.keys(path)}
        for name, key in found.items():
            target = found.get(f"{name.rpartition('.')[0]}._target_")
            of_torch = target is not None and target.default.startswith("torch.")
            if not (key.meaning or of_torch or name.endswith("_target_")):
                missing.append((path.relative_to(conf_dir()).as_posix(), name))
    assert missing == []


def test_every_command_and_every_curve_is_there():
    pages = reference.pages()
    assert set(re.findall(r"^## gan (\w+)$", pages["reference/commands.md"], re.MULTILINE)) == set(reference.commands())
    train = section(pages["reference/commands.md"], "gan train")
    assert "| `train.steps` | `2000` | generator updates" in train
    assert "| [`loss`](options/loss.md) | `wgan` | what the players minimise" in train
    assert "usage: gan compare" in section(pages["reference/commands.md"], "gan compare")
    for curve in curves.declared():
        assert f"| `{curve.tag}` |" in pages["reference/curves.md"]


def test_a_notebook_is_a_page_with_its_pictures():
    pages = notebooks.pages()
    text = pages["notebooks/first_run.md"]
    pictures = re.findall(r"!\[output of the cell\]\((.+?)\)", text)
    assert len(pictures) == 3
    assert all(pages[f"notebooks/{name}"].startswith(b"\x89PNG") for name in pictures)
    assert "```python\n" in text


def test_text_means_nothing_to_markdown():
    assert page_text.plain("a_b * <x> {3: 100} [1] `c_d <y>`") == r"a\_b \* &lt;x\> \{3: 100\} \[1\] `c_d <y>`"
    assert page_text.table(["a", "b"], [("x | y", "")]) == "| a | b |\n| --- | --- |\n| x \\| y |  |\n"
