"""Every command that is printed, kept or shown means in bash and zsh what it says: the shells read it here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from gan_cli.cli import commands, main
from gan_cli.config.arguments import override_of
from gan_cli.core.text import shell_line, shell_word
from tests.helpers import random_pictures, write_pictures

ROOT = Path(__file__).resolve().parents[1]
SHELLS = {  # a pattern that nothing matches is an error in zsh as it is, and here in bash
    "bash": ["bash", "-O", "failglob", "-c"],
    "zsh": [os.environ.get("ZSH_FOR_TESTS", "zsh"), "-fc"],
}
needs = {name: pytest.mark.skipif(shutil.which(line[0]) is None, reason=f"no {name}") for name, line in SHELLS.items()}
SHELL = pytest.mark.parametrize("shell", [pytest.param(name, marks=needs[name]) for name in SHELLS])

WORDS = r"""
a it's y=[0,3] {Bag:3} wgan* a? ~ ~/x =ls a=b #a a#b $HOME `id` !! back\slash it's\ a;b a&b (a) <a> a|b ^a a^b %1 -a é
+a=b a,b @
""".split()  # noqa: SIM905
WORDS += ["", "a b", "n/it's [1]", "it's !!", "it's $HOME", "it's \\\\", 'say "a"', 'it\'s "a"']
WORDS += ["\x1b[0m", "a\nb", "it's\ta", "\udce9"]


def read(shell: str, line: str, folder: Path) -> list[str]:
    """The words that a shell makes of a line which begins with gan."""
    function = "gan() { printf '%s\\0' gan \"$@\"; }; "
    ended = subprocess.run([*SHELLS[shell], function + line], capture_output=True, cwd=folder, check=False)
    assert ended.returncode == 0, f"{line}: {ended.stderr.decode()}"
    return os.fsdecode(ended.stdout).split("\0")[:-1]


@SHELL
def test_a_shell_reads_each_word_as_it_was(shell, tmp_path):
    assert read(shell, shell_line("gan", *WORDS), tmp_path) == ["gan", *WORDS]


@pytest.mark.parametrize("word", WORDS)
def test_a_quoted_word_holds_nothing_that_a_terminal_obeys(word):
    assert shell_word(word).isprintable()


@pytest.mark.parametrize(
    "plain", ["runs/NAME", "optimizer.lr=1e-4", "loss=wgan,wgan_gp", "-m", "--from", "+a=b", "a@b"]
)
def test_a_plain_word_stays_as_it_is(plain):
    assert shell_word(plain) == plain


@pytest.mark.parametrize("text", ["runs/a", "n/it's", "a b", "null", "1", "a,b", "[x]", "${a}", "it's\\", "é"])
def test_an_override_of_any_text_is_read_as_this_text(text):
    found = OverridesParser.create().parse_override(override_of("path", text)).value()
    assert str(getattr(found, "text", found)).replace("\\${", "${") == text


def shown() -> dict[str, str]:
    """Commands by where they are shown: the examples of each command's help, and blocks of README and docs."""
    found = {}
    for config in sorted((ROOT / "conf").glob("*.yaml")):
        for number, line in enumerate(config.read_text().splitlines(), start=1):
            if line.startswith("        gan "):
                found[f"{config.name}:{number}"] = re.split(r" {2,}", line.strip())[0]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for number, line in enumerate(block.replace("\\\n", "").splitlines()):
                if kind in ("bash", "sh", "console") and line.removeprefix("$ ").startswith("gan "):
                    place = f"{page.relative_to(ROOT)}:{kind}:{number}:{len(found)}"
                    found[place] = re.split(r" {2,}| [|&>;#]", line.removeprefix("$ "))[0]
    return found


SHOWN = shown()


def inline() -> dict[str, str]:
    """Commands and overrides in the text of README and docs, by where they are."""
    found = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`([^`\n]+)`", text):
            if re.match(r"(gan |\+?[a-z_][\w.@/]*=)", code) and set("[](){}*?~;<>&$") & set(code):
                found[f"{page.relative_to(ROOT)}: {code}"] = f"gan {code.removeprefix('gan ')}"
    return found


def test_commands_are_found():
    assert len(SHOWN) > 60
    assert {line.split()[1] for line in SHOWN.values()} >= {"train", "sample", "resume", "evaluate", "explore"}


@SHELL
def test_what_help_and_pages_show_can_be_pasted(shell, tmp_path):
    for place, line in SHOWN.items():
        words = read(shell, line, tmp_path)
        assert "$" in line or words == shlex.split(line), place  # a variable of the page's own is empty here


@SHELL
def test_what_a_sentence_shows_can_be_pasted(shell, tmp_path):
    for place, line in inline().items():
        assert read(shell, line.partition(" | ")[0], tmp_path), place


@SHELL
def test_the_examples_of_the_other_commands_can_be_pasted(shell, tmp_path, gan, capsys):
    for name in commands():
        with suppress(SystemExit):
            assert gan(name, "--help").code == 0
        text = capsys.readouterr().out
        for line in re.findall(r"gan (?:runs|compare|report|board|doctor|tag|list) [^`\n;]*?(?=[,.;`\n]| {2})", text):
            if not {"[", "..."} & set(line.split()) and "[" not in line:
                read(shell, line, tmp_path)


TRAIN = ("train", "dataset=folder", "model=mlp", "model.width=4", "dataset.image_size=8", "train.batch_size=2")
SMALL = ("runtime=cpu", "runtime.threads=1", "train.steps=1")
NAME = "runs/it's [1] $x"


def quoted_commands(text: str) -> list[str]:
    return re.findall(r"`(gan .*?)`", text) + re.findall(r": (gan [^`]*)$", text, re.MULTILINE)


@pytest.fixture
def odd(gan, tmp_path):
    """A run whose directory's name needs quotes everywhere."""
    write_pictures(tmp_path / "p", random_pictures(6, 8, 8))
    return gan(*TRAIN, *SMALL, "dataset.path=p", override_of("run_dir", NAME))


@SHELL
def test_commands_about_a_run_with_an_odd_name(shell, odd, gan, tmp_path):
    assert odd.code == 0
    lines = quoted_commands(odd.err)
    lines += quoted_commands(gan(*TRAIN, *SMALL, "dataset.path=p", override_of("run_dir", NAME)).err)
    lines += quoted_commands(gan("doctor", NAME).out)
    assert {line.split()[1] for line in lines} == {"sample", "resume"}
    for line in lines:
        words = read(shell, line.removesuffix(" draws from the generator"), tmp_path)
        assert words[2] == NAME
        assert main([words[1], NAME, *(["train.steps=2"] if words[1] == "resume" else ["count=4"])]) in (0, 2)
    assert main(["sample", NAME, "count=4"]) == 0


@SHELL
def test_run_json_keeps_a_line_that_makes_the_same_run(shell, odd, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["gan", *TRAIN, *SMALL, "dataset.path=p", override_of("run_dir", f"{NAME} 2")])
    import sys

    assert main(sys.argv[1:]) == 0
    (session,) = json.loads((tmp_path / f"{NAME} 2" / "run.json").read_text())["sessions"]
    words = read(shell, session["command_line"], tmp_path)
    assert words == session["command"] == sys.argv
    shutil.rmtree(tmp_path / f"{NAME} 2")
    assert main(words[1:]) == 0


def test_a_job_that_hydra_starts_keeps_its_own_command(gan, tmp_path):
    own = ("hydra/launcher=basic", "model=toy_mlp", "dataset=ring", "train.batch_size=8", "run_dir='runs/${seed}'")
    assert gan("train", "-m", *SMALL, *own, "seed=3,4").code == 0
    (session,) = json.loads((tmp_path / "runs" / "4" / "run.json").read_text())["sessions"]
    assert session["command"][:2] == ["gan", "train"]
    shutil.rmtree(tmp_path / "runs" / "4")
    assert main(session["command"][1:]) == 0
    assert (tmp_path / "runs" / "4" / "metrics.jsonl").exists()


@SHELL
@pytest.mark.parametrize("typed", ["dataset.path=n/it's", "dataset.path='n/it's'", "dataset.path=a]b"])
def test_the_advice_for_a_value_that_cannot_be_read_is_one_word(shell, typed, refused, tmp_path):
    advice = refused("train", "dataset=folder", typed).partition("as in ")[2]
    (word,) = read(shell, f"gan {advice}", tmp_path)[1:]
    value = typed.partition("=")[2]
    value = value[1:-1] if value[0] == "'" else value
    found = OverridesParser.create().parse_override(word).value()
    assert getattr(found, "text", found) == value


@SHELL
@pytest.mark.parametrize(
    "typed",
    [("datset.image_size=[8,8]",), ("optimizer.critic.beta=[0.5,0.9]",), ("dataset.image_size=[8,8,8]",), ("y=[1]",)],
)
def test_hints_with_brackets_are_quoted(shell, typed, refused, tmp_path):
    line = refused("train", *typed)
    for hint in re.findall(r"(?:did you mean |such as |; )('[^']*'|[^\s']*=\S*?)(?=[?,; ]|$)", line):
        read(shell, f"gan {hint}", tmp_path)
