"""`gan`: finds the command, gives it the rest of the arguments, and ends with one line for every error."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

from gan_cli.config.tree import positional_key, primary_config
from gan_cli.core.places import require_text
from gan_cli.core.processor import choose_waiting
from gan_cli.core.text import did_you_mean, print_error, shell_line
from gan_cli.errors import GanError, UserError

COMMANDS = Path(__file__).parent / "commands"
EXAMPLES = """\
Examples
  gan train loss=wgan model=dcgan            train; the curve and the pictures go to runs/
  gan train -m loss=wgan,wgan_gp seed=0,1,2  a sweep: six runs
  gan list loss                              the losses, each with its paper
  gan board                                  TensorBoard on runs/
  gan sample runs/NAME                       a grid of images from a run

See `gan COMMAND --help` for the rest; `eval "$(gan -sc install=bash)"` completes commands, options and keys."""


def main(argv: list[str] | None = None) -> int:
    """Run a command line and return its exit code: 0, 2 for a user's mistake, 130 after Ctrl-C, or the error's own.

    Args:
        argv: arguments without the program's name; None: the process's own.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises then, where it would print and exit
    choose_waiting()  # before torch is loaded
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # pydantic would look through every installed package for them
    argv = sys.argv[1:] if argv is None else argv
    try:
        code = dispatch(argv)
        sys.stdout.flush()
    except GanError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `gan list | head`: what reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except OSError as error:  # a disk that is full, a path that may not be entered: nothing of it is ours to explain
        print_error(GanError(f"{error.filename}: {error.strerror}" if error.filename else str(error)))
        return GanError.exit_code
    return code


def dispatch(argv: list[str]) -> int:
    """Run the command that the first argument names.

    Raises:
        GanError: any error that ends the command.
    """
    if not {"-sc", "--shell-completion"}.isdisjoint(argv):
        from gan_cli.config.completion import complete

        return complete(argv, commands())
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0
    if "--version" in argv:
        from gan_cli.core.extras import version

        print(f"gan {version('gan_cli') or '(not installed)'}")
        return 0
    require_text(argv)
    if any("allow_targets" in word for word in argv) and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last: a module that the user opts in to is found, and hides nobody else's
    name, *rest = argv
    known = commands()
    if name not in known:
        raise _unknown(name, argv, list(known))
    if primary_config(name) is not None:
        from gan_cli.launch import launch

        return launch(name, rest)
    module = importlib.import_module(f"gan_cli.commands.{name}")
    return module.main(rest)


def _unknown(name: str, argv: list[str], known: list[str]) -> UserError:
    """Return the error for a first word that is no command."""
    from gan_cli.config.aliases import COMMANDS as ALIASES

    kind = "flag" if name.startswith("-") else "command"
    if "=" in name and kind == "command":
        hint = f"; did you mean {shell_line('gan', 'train', *argv)}?"
    else:
        hint = f"; did you mean {ALIASES[name]}?" if ALIASES.get(name) in known else did_you_mean(name, known)
    return UserError(f"{name}: no such {kind}{hint or ';'} commands: {', '.join(known)}")


def commands() -> dict[str, str]:
    """Return every command's name and one-line meaning: a file each in commands/, its docstring's first line."""
    files = {path.stem: path for path in sorted(COMMANDS.glob("[!_]*.py"))}
    names = dict.fromkeys(["train", "resume", "sample", "list", "runs", "board", *files])
    return {name: files[name].read_text(encoding="utf-8").partition("\n")[0].strip('"') for name in names}


def overview() -> str:
    """Return what `gan --help` prints."""
    rows = []
    for name, text in commands().items():
        config = primary_config(name)
        key = positional_key(config) if config is not None else None
        rows.append(f"  {f'{name} {key.upper()}' if key else name:12}  {text}")
    head = "gan COMMAND [arguments]: config-driven experiments with generative adversarial networks."
    return "\n".join([head, "", "Commands", *rows, "", EXAMPLES])
