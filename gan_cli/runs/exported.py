"""The directory of an exported generator: its weights, and all that is needed to build it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gan_cli.core import untrusted
from gan_cli.core.files import Tally, whole_directory, write_synced
from gan_cli.core.places import writing
from gan_cli.errors import UserError
from gan_cli.runs.checkpoint_meta import check_meta, is_count, shapes

if TYPE_CHECKING:
    from torch import Tensor

CONFIG, WEIGHTS = "config.json", "model.safetensors"  # as Hugging Face's hub has them
FORMAT = 1
_CONFIG_BYTES = 2**21
_MAX_NAME = 200  # characters of a class's name


class About(NamedTuple):
    """What an exported generator's config.json says.

    Attributes:
        step: after which it was exported.
        weights: ema, its moving average; or raw.
        statistics: of its batch norms: running; or whole, computed again.
        sample_shape: (C, H, W) or (D,).
        source_shape: of what it reads beside z where its data bring it; None: no.
        n_classes: of its labels, 0 for none.
        class_names: where they are known.
        task: what its task keeps beside tensors.
        config: from which it is built, unchecked: a run's, with nothing of the critic.
        trained_with: the settings of the run, for people.
    """

    step: int
    weights: str
    statistics: str
    sample_shape: tuple[int, ...]
    source_shape: tuple[int, ...] | None
    n_classes: int
    class_names: tuple[str, ...] | None
    task: dict[str, Any]
    config: dict[str, Any]
    trained_with: dict[str, Any]


def is_export(path: Path) -> bool:
    """Return whether a directory is an exported generator's; one with a run's config.yaml is a run's."""
    return (path / CONFIG).is_file() and (path / WEIGHTS).is_file() and not (path / "config.yaml").is_file()


def needs_the_run(path: Path) -> UserError:
    """Return the refusal of what an export is not enough for."""
    return UserError(
        f"run={path}: an exported generator, which can be sampled, explored, evaluated and exported; this needs the run"
    )


def write(folder: Path, about: About, tensors: Mapping[str, Tensor], others: Mapping[str, bytes]) -> None:
    """Write an exported generator whole, or nothing.

    Args:
        folder: new, or empty.
        about: of config.json.
        tensors: generator.NAME and task.NAME.
        others: further files by name.

    Raises:
        UserError: it holds something, or cannot be written.
    """
    from gan_cli.runs.tensor_file import pieces

    require_new(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with whole_directory(folder, folder.with_name(f".{folder.name}.{os.getpid()}.tmp")) as made:
            entry = write_synced(made / WEIGHTS, pieces(tensors))
            content = {"library_name": "gan_cli", "gan_cli_export": FORMAT, **about._asdict(), WEIGHTS: entry}
            text = json.dumps(content, indent=1, allow_nan=False).encode() + b"\n"
            for name, file in {CONFIG: text, **others}.items():
                write_synced(made / name, [file])


def require_new(folder: Path) -> None:
    """Require a directory that is not there, or is empty.

    Raises:
        UserError: it holds something: an export replaces nothing, since people complete model cards.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"out={folder} exists already, and is not replaced: choose another out=DIR")


def read_about(path: Path) -> About:
    """Return what an export says of itself.

    Raises:
        UserError: it is not what `gan export` writes.
    """
    return _read(path)[0]


def read(path: Path) -> tuple[About, dict[str, Tensor]]:
    """Return what an export says of itself and its tensors, which are the very bytes that were hashed.

    Raises:
        UserError: it is not what `gan export` writes.
    """
    import safetensors.torch

    from gan_cli.core.hardware import memory_bytes

    about, entry = _read(path)
    try:
        content = untrusted.read(path / WEIGHTS, memory_bytes() // 4)  # held twice as it is parsed
        if entry != Tally([content]).content:
            raise UserError(f"{path / WEIGHTS} is not the file that {CONFIG} describes; export it again")
        return about, safetensors.torch.load(content)
    except OSError as error:
        raise UserError(f"{path / WEIGHTS} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"{path / WEIGHTS} holds no tensors ({type(error).__name__})") from error


def _read(path: Path) -> tuple[About, Any]:
    if link := next((name for name in (CONFIG, WEIGHTS) if (path / name).is_symlink()), None):
        raise UserError(
            f"{path / link} is a link, as in the cache of huggingface.co: snapshot_download(NAME, local_dir=DIR) copies"
        )
    untrusted.check_tree(path)
    try:
        content = untrusted.parse_json(untrusted.read(path / CONFIG, _CONFIG_BYTES))
        if not isinstance(content, dict) or content.get("gan_cli_export") != FORMAT:
            raise ValueError(f"`gan export` did not write it: it has no gan_cli_export={FORMAT}")
        return _about(content), content.get(WEIGHTS)
    except OSError as error:
        raise UserError(f"{path / CONFIG} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path / CONFIG}: {error}") from error


def _about(content: dict[str, Any]) -> About:
    found = {name: content.get(name) for name in About._fields}
    if not is_count(found["step"]):
        raise ValueError("its step is not a count")
    check_meta(found, found["step"])
    if found["weights"] not in ("ema", "raw"):
        raise ValueError("its weights are neither ema nor raw")
    if found["statistics"] not in ("running", "whole"):
        raise ValueError("its statistics are neither running nor whole")
    for name in ("task", "config", "trained_with"):
        if not isinstance(found[name], dict):
            raise ValueError(f"its {name} is not a mapping")
    names, n_classes = found["class_names"], found["n_classes"]
    if names is not None and not (isinstance(names, list) and len(names) == n_classes and all(map(_is_name, names))):
        raise ValueError("its class_names are not the names of its classes")
    found["sample_shape"], found["source_shape"] = shapes(found)
    return About(**found | {"class_names": None if names is None else tuple(names)})


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= _MAX_NAME
