"""Shell completion: of commands here, of their options and keys by Hydra."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import sys
from collections.abc import Mapping

from gan_cli.arguments import parse, split_positional
from gan_cli.confdir import conf_dir, groups, positional_key, primary_config, top_keys
from gan_cli.errors import GanError, UserError
from gan_cli.wording import one_line


def complete(argv: list[str], commands: Mapping[str, str]) -> int:
    """Install, uninstall or answer a query of a shell's completion (`-sc query=bash`, the line in COMP_LINE).

    Raises:
        UserError: not one of these.
    """
    words = [w for w in argv if w not in ("-sc", "--shell-completion") and w not in commands]
    verb, _, shell = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if verb not in ("install", "uninstall", "query") or shell not in ("bash", "zsh", "fish"):
        raise UserError(
            f"-sc {' '.join(words)}: must be install, uninstall or query of bash, zsh or fish: -sc install=bash"
        )
    if verb != "query":
        _hydra_completion("train", [f"{verb}={shell}"])
        return 0
    line = os.environ.get("COMP_LINE", "")
    found = _query(line.partition(" ")[2], shell, commands)
    if found:
        print(("\n" if shell == "fish" else " ").join(found))
    return 0


def _query(line: str, shell: str, commands: Mapping[str, str]) -> list[str]:
    """Return what may stand at the end of a line, which is given without the program's name."""
    words = line.split()
    word = "" if not line or line[-1].isspace() else words.pop()
    if not words:
        return [name for name in commands if name.startswith(word)]
    name, *before = words
    config = primary_config(name)
    if name == "list":
        return [group for group in groups(conf_dir()) if group.startswith(word)]
    if config is None or name not in commands:
        return []
    try:
        arguments = parse(before)
    except GanError:
        return []  # a flag that waits for its value: a file, which the shell itself completes
    rest = arguments.overrides
    if positional_key(config) is not None:
        keys = list(top_keys(config))
        chosen, rest = split_positional(rest, keys)
        is_override = any(word.startswith(f"{key}=") for key in keys)
        if chosen is None and not is_override and not any(w.startswith("run=") for w in rest):
            return _directories(word) if shell == "fish" else []
    options = [
        f"{flag}={arguments.flags[flag]}" for flag in ("--config-dir", "--config-name") if flag in arguments.flags
    ]
    os.environ["COMP_LINE"] = " ".join(["gan", *rest, word])
    return _hydra_completion(name, [f"query={shell}", *options]).split()


def _directories(word: str) -> list[str]:
    return sorted(glob.glob(glob.escape(word) + "*/"))


def _hydra_completion(command: str, arguments: list[str]) -> str:
    """Let Hydra install, or answer a query and return what it printed; a line that it cannot read has no answer."""
    import hydra

    querying = arguments[0].startswith("query")
    saved, sys.argv = sys.argv, ["gan", "-sc", *arguments]
    answer, noise = io.StringIO(), io.StringIO()

    def task(cfg: object) -> None:
        raise AssertionError("completion runs no job")

    try:
        with contextlib.ExitStack() as stack:
            if querying:
                stack.enter_context(contextlib.redirect_stdout(answer))
                stack.enter_context(contextlib.redirect_stderr(noise))
            hydra.main(config_path=str(conf_dir()), config_name=command, version_base="1.3")(task)()
    except (Exception, SystemExit) as error:
        if not querying:
            raise UserError(f"-sc {' '.join(arguments)}: {one_line(error)}") from error
    finally:
        sys.argv = saved
    return answer.getvalue()
