"""What a config directory of the user's may hold: it may come from a stranger.

Its files are small and plain, and they choose nothing of Hydra but an installed launcher and sweeper, the mode, and
what a sweep varies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.resolvers import oc

from gan_cli.config.identity import leaves
from gan_cli.core import untrusted
from gan_cli.core.text import one_line, shell_word, show
from gan_cli.errors import UserError

_DEPTH = 3  # of folders in which Hydra finds options
_FREE = re.compile(  # keys that every command line has its own of
    r"(runtime|overrides|searchpath|job\.(override_dirname|config_name))(\.|$)"
)
_TEXT = re.compile(r"(help|hydra_help|mode|sweeper\.params)(\.|$)")  # keys that a config may set, as they stand
_PARAMETER = re.compile(r"\+{0,2}(?!(hydra|allow_targets|run_dir|out)\b)[A-Za-z_][\w./]*")
_RULE = (
    "a config directory may choose hydra/launcher and hydra/sweeper among the installed plugins, hydra.mode and "
    "hydra.sweeper.params, and nothing else of Hydra: remove it, or give it on the command line (a primary config of "
    "your own begins with the command's, as in `defaults: [train, _self_]`)"
)


def check_files(directory: Path, primary: str) -> None:
    """Refuse config files that Hydra should not read.

    They are too large, their aliases stand for too much, or they let Hydra search elsewhere, and a `pkg://` there would
    be imported.

    Args:
        directory: of the user's.
        primary: the name of the primary config, which may be in it.

    Raises:
        UserError: the first such file.
    """
    found = {path for depth in range(_DEPTH + 1) for path in directory.glob("*/" * depth + "*.y*ml")}
    for path in sorted({*found, directory / f"{primary}.yaml"}):
        try:
            text = untrusted.read(path.resolve(), untrusted.CONFIG_BYTES).decode()
            config = yaml.load(text, untrusted.Loader)
        except (yaml.YAMLError, FileNotFoundError):
            continue  # Hydra explains that, if it reads the file
        except OSError as error:
            raise UserError(f"{path} {error.strerror}: not a config file") from error
        except Exception as error:  # what a tag asks for cannot be made of its text: the library raises many kinds
            raise UserError(f"{path} holds {error}: not a config file") from error
        if text.startswith("\ufeff"):
            raise UserError(
                f"{path} begins with a byte order mark, which hides its first line, # @package, from Hydra: save "
                f"it as UTF-8 without one: sed -i '1s/^\\xEF\\xBB\\xBF//' {shell_word(path)}"
            )
        block = config.get("hydra") or {} if isinstance(config, dict) else {}
        if not isinstance(block, dict) or "searchpath" in block:
            raise UserError(f"{path}: hydra={show(block)}: {_RULE}")


def check_hydra(cfg: DictConfig, package: DictConfig) -> None:
    """Refuse a composed config whose `hydra` block is not the package's, but for what `_RULE` allows.

    Args:
        cfg: composed with the directory's files.
        package: composed without them, with the same launcher and sweeper.

    Raises:
        UserError: the first key that differs.
    """
    found, allowed = (leaves(OmegaConf.to_container(c.hydra, resolve=False, enum_to_str=True)) for c in (cfg, package))
    for key, value in sorted(found.items()):
        if _FREE.match(key) or (_TEXT.match(key) and "${" not in str(value)):
            continue
        if key not in allowed or allowed[key] != value:
            raise UserError(f"hydra.{key}={show(value)}: {_RULE}")
    for name in OmegaConf.select(cfg, "hydra.sweeper.params") or ():
        if not _PARAMETER.fullmatch(str(name)):
            raise UserError(f"hydra.sweeper.params.{one_line(name)}: a sweep can vary this on the command line only")


@contextmanager
def no_environment() -> Iterator[None]:
    """Keep `${oc.env:NAME}` from being read: Hydra resolves a defaults list while it composes."""
    OmegaConf.clear_resolver("oc.env")
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env)
