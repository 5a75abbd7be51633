"""Shell completion, in a real bash with Hydra's own script, and by queries as each shell sends them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from gan_cli.cli import main

TRY = r"""
COMP_LINE="$1"; COMP_POINT=${#1}; COMP_WORDS=($1)
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); [[ "$1" == *" " ]] && COMP_CWORD=${#COMP_WORDS[@]}
"$(complete -p gan | sed 's/.*-F \([^ ]*\) .*/\1/')"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_in_bash(tmp_path, monkeypatch):
    script = tmp_path / "gan"  # of this interpreter, as a console script would be
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom gan_cli.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    bash = ["bash", "-c", f'eval "$(gan -sc install=bash)"\nset -- "gan train -m loss=w"\n{TRY}']
    done = subprocess.run(bash, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout.split(), done.stderr) == (["loss=wgan", "loss=wgan_gp"], "")


@pytest.fixture
def query(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def ask(line, shell="bash"):
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line)))
        assert main(["-sc", f"query={shell}"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("gan s", ["sample", "study"]),
        ("gan study wgan_figure_2", ["wgan_figure_2"]),
        ("gan study wgan_figure_2 fu", ["full="]),
        ("gan list l", ["latent", "loss"]),
        ("gan train loss=wgan model.wid", ["model.width="]),
        ("gan train constraint=none const", ["constraint.", "constraint="]),
        ("gan train optimizer=adam optimizer.critic.be", ["optimizer.critic.betas."]),
        ("gan train --cfg job train.stpes=3 loss=nons", ["loss=nonsaturating"]),
        ("gan train dataset=ring datas", ["dataset.", "dataset=", "dataset_b="]),
        ("gan train dataset=ring dataset_b=ri", ["dataset_b=ring"]),
        ("gan train dataset=ring dataset_b=mnist dataset_b.im", ["dataset_b.image_size="]),
        ("gan resume runs/x runtime.th", ["runtime.threads="]),
        ("gan sample runs/x form", ["format="]),
        ("gan sample run=x co", ["count="]),
        ("gan train --from runs/x loss=nons", ["loss=nonsaturating"]),
        ("gan train --fr", ["--from"]),
        ("gan sample runs/x --fr", []),
        ("gan resume runs/x --config-d", ["--config-dir"]),
        *(
            (f"gan {line}", [])
            for line in ("train --from ", "sample runs/x", "resume ", "board ", "nothing x", "train --config-dir ")
        ),
        *((f"gan train {line}", []) for line in ("[[ lo", "--fast lo")),
        ("", ["train", "resume", "sample", "list", "board"]),
    ],
)
def test_queries(query, line, expected):
    found = query(line)
    assert found == expected if line else set(found) >= set(expected)


def test_files_of_the_users_and_other_shells(query, tmp_path):
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "mine.yaml").write_text("# Mine\n")
    assert query("gan train --config-dir conf loss=mi") == ["loss=mine"]
    (tmp_path / "runs" / "a").mkdir(parents=True)
    assert query("gan resume ru", "fish") == query("gan train --from ru", "fish") == ["runs/"]
    assert query("gan train loss=w", "fish") == query("gan train loss=w", "zsh") == ["loss=wgan", "loss=wgan_gp"]


def test_install_and_uninstall_and_nothing_else(capsys, refused):
    for shell in ("bash", "zsh", "fish"):
        assert main(["--shell-completion", f"install={shell}"]) == 0
        assert "query" in capsys.readouterr().out
        assert main(["train", "-sc", f"uninstall={shell}"]) == 0
        assert "hydra" in capsys.readouterr().out
    for words in ([], ["install=csh"], ["remove=bash"], ["a", "b"]):
        assert refused("-sc", *words).startswith("-sc ")
