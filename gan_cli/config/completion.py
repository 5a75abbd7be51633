"""Shell completion: commands by us, options and keys by Hydra."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import re
from collections.abc import Mapping

from gan_cli.config.arguments import BASE, SECOND, Arguments, flags_of, parse, split_positional
from gan_cli.config.tree import chosen_groups, conf_dir, groups, positional_key, primary_config, top_keys
from gan_cli.core.text import one_line
from gan_cli.errors import GanError, UserError


def complete(argv: list[str], commands: Mapping[str, str]) -> int:
    """Install, uninstall or answer a query of a shell's completion (`-sc query=bash`, the line in COMP_LINE).

    Raises:
        UserError: not one of these.
    """
    words = [w for w in argv if w not in ("-sc", "--shell-completion") and w not in commands]
    given = " ".join(words)
    match = re.fullmatch("(install|uninstall|query)=(bash|zsh|fish)", given)
    if match is None:
        raise UserError(f"-sc {given}: must be install, uninstall or query of bash, zsh or fish: -sc install=bash")
    if match[1] != "query":
        print(_hydra_completion("train", words), end="")
        return 0
    found = _query(os.environ.get("COMP_LINE", "").partition(" ")[2], shell := match[2], commands)
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
    if name == "list":
        return [group for group in (*groups(conf_dir()), "curves") if group.startswith(word)]
    config = primary_config(name) if name in commands else None
    if config is None:
        return []
    if before and before[-1] == BASE:
        return _folders(word, shell)
    if word.startswith("--"):
        return [flag for flag in flags_of(name) if flag.startswith(word)]
    try:
        rest, flags = parse(before)
        if "--config-dir" in flags:
            from gan_cli.config.compose import Composer

            Composer.of(name, Arguments([], flags))  # refuses files that Hydra should not read
    except GanError:
        return []  # a flag that waits for its value is another case: a file, which the shell itself completes
    positional = positional_key(config)
    if name == "study":
        chosen, rest = split_positional(rest)
        if chosen is None and "=" not in word:
            return [option for option in groups(conf_dir())["study"] if option.startswith(word)]
    if positional is not None:
        chosen, rest = split_positional(rest)
        if chosen is None and not any(w.startswith(f"{positional}=") for w in rest) and "=" not in word:
            return _folders(word, shell)
    options = [f"{flag}={flags[flag]}" for flag in ("--config-dir", "--config-name") if flag in flags]
    found = _keys_and_options(name, rest, word, [f"query={shell}", *options])
    keys = [*top_keys(config), *chosen_groups(config)]
    return found if positional is None else [f for f in found if re.split("[=.]", f)[0] in keys]


def _keys_and_options(command: str, before: list[str], word: str, query: list[str]) -> list[str]:
    """Return Hydra's completions of a word; a second choice of a group, which Hydra does not know, as the first."""
    second = next((key for key in SECOND if command == "train" and re.match(rf"{key}[=.]", word)), None)
    if second is not None:  # completed as if it were the first choice
        group = SECOND[second].partition("@")[0]
        others = [w for w in before if re.split("[=.]", w)[0] != group]
        before = [re.sub(rf"^({re.escape(SECOND[second])}|{second})(?=[=.])", group, w) for w in others]
        word = group + word.removeprefix(second)
    os.environ["COMP_LINE"] = " ".join(["gan", *before, word])
    found = _hydra_completion(command, query).split()
    if second is not None:
        return [second + answer.removeprefix(group) for answer in found]
    return found + [f"{key}=" for key in SECOND if command == "train" and word and key.startswith(word)]


def _folders(word: str, shell: str) -> list[str]:
    """Return directories for fish; the other shells complete files where there is no answer."""
    return sorted(glob.glob(glob.escape(word) + "*/")) if shell == "fish" else []


def _hydra_completion(command: str, arguments: list[str]) -> str:
    """Return what Hydra prints where it installs or answers a query; a line that it cannot read has no answer."""
    from gan_cli.config.compose import hydra_main

    answer = io.StringIO()
    try:
        with contextlib.redirect_stdout(answer), contextlib.redirect_stderr(io.StringIO()):
            hydra_main(conf_dir(), command, ["-sc", *arguments], lambda cfg: None)
    except (Exception, SystemExit) as error:
        if not arguments[0].startswith("query"):
            raise UserError(f"-sc {' '.join(arguments)}: {one_line(error)}") from error
    return answer.getvalue()
