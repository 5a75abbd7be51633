"""The findings of `gan doctor` about this machine: versions, hardware, disk space, optional packages."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from rich.filesize import decimal as size

from gan_cli.commands._doctor_findings import Finding
from gan_cli.config.tree import conf_dir, groups
from gan_cli.core.extras import pip_install
from gan_cli.core.extras import version as version_of

_SHELLS = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}


def software() -> list[Finding]:
    """Return the versions of Python, of this package and of its requirements."""
    found = [Finding("python", platform.python_version()), Finding("gan_cli", version_of("gan_cli") or "not installed")]
    found += [_required(r) for r in _requirements() if r.marker is None]
    try:
        import torchvision  # noqa: F401
    except Exception as error:  # a build for another torch fails with whatever its loader raises
        text = f"cannot be imported ({error}); install torch and torchvision from the same source"
        found.append(Finding("torch with torchvision", text, wrong=True))
    return found


def extras() -> list[Finding]:
    """Return the optional packages, which only some configs need, and shell completion."""
    found = []
    for requirement in _requirements():
        extra = _extra(requirement)
        if extra is None or extra == "dev":
            continue
        version = version_of(requirement.name)
        users = ", ".join(_users(extra)) or "optional"
        state = version if version else f"missing; {pip_install(extra)}"
        found.append(Finding(requirement.name, f"{state} (for {users})"))
    return [*found, _completion()]


def hardware() -> list[Finding]:
    """Return the processor, the memory, the GPUs, the values of `auto` on them, and the disk space for runs."""
    from gan_cli.config.schema import Runtime
    from gan_cli.core import hardware as here
    from gan_cli.session import engines, runtime
    from gan_cli.session.provenance import processor

    bf16 = "native bf16" if here.cpu_has_bf16() else "no native bf16"
    found = [Finding("processor", f"{processor()}, {os.cpu_count() or 1} logical cores, {bf16}"), _memory(), *_gpus()]
    auto = runtime.resolve(Runtime(**dict.fromkeys(("device", "precision", "engine", "threads"), "auto")))
    auto = auto.replace(engine=engines.choose(auto, {}).engine)
    shown = ("device", "precision", "engine", "threads")
    found.append(Finding("runtime=auto", " ".join(f"{key}={getattr(auto, key)}" for key in shown)))
    return [*found, room(Path("runs"))]


def kept() -> list[Finding]:
    """Return the caches with their sizes."""
    from gan_cli.data.caches import caches
    from gan_cli.data.places import user_directory

    found = caches()
    total = sum(cache.size for cache in found)
    what = f"{size(total)} in {user_directory()}; `gan clean` removes them" if found else f"none in {user_directory()}"
    return [Finding("caches", what), *(Finding(c.path.name, f"{size(c.size)}, {c.text}") for c in found)]


def room(path: Path, needed: int = 0) -> Finding:
    """Return the free space on the disk of a path; wrong if it is at most `needed` bytes, or cannot be written."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        return Finding("disk", f"{existing} is not writable; choose another run_dir", wrong=True)
    want = f", the next checkpoint needs about {size(needed)}" if needed else ""
    return Finding("disk", f"{size(free)} free for {path}{want}", wrong=free <= needed)


def _required(requirement: Requirement) -> Finding:
    version = version_of(requirement.name)
    if version is None:
        return Finding(requirement.name, f"missing; pip install {requirement.name}", wrong=True)
    fits = requirement.specifier.contains(version, prereleases=True)
    return Finding(requirement.name, version if fits else f"{version}, but {requirement} is needed", wrong=not fits)


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(text) for text in metadata.requires("gan_cli") or ()]
    except metadata.PackageNotFoundError:
        return []


def _extra(requirement: Requirement) -> str | None:
    marker = str(requirement.marker or "")
    return marker.partition('extra == "')[2].partition('"')[0] or None


def _users(extra: str) -> list[str]:
    """Return the options whose description names an extra."""
    found = groups(conf_dir())
    return [f"{g}={o}" for g, options in found.items() for o, text in options.items() if f"gan_cli[{extra}]" in text]


def _completion() -> Finding:
    shell = Path(os.environ.get("SHELL", "bash")).name
    shell = shell if shell in _SHELLS else "bash"
    line = f"gan -sc install={shell}"
    start = Path(os.path.expanduser("~")) / _SHELLS[shell]
    try:
        installed = line in start.read_text(errors="replace")
    except OSError:
        installed = False
    text = f"installed in {start}" if installed else f'not in {start}; add this line to it: eval "$({line})"'
    return Finding("completion", text)


def _memory() -> Finding:
    from gan_cli.core import hardware as here

    memory = here.memory()
    allowed = f", {size(memory.limit)} allowed to this container" if memory.limit < memory.total else ""
    return Finding("memory", f"{size(memory.total)}, {size(memory.free)} free{allowed}")


def _gpus() -> list[Finding]:
    import torch
    from torch.utils import collect_env

    driver = collect_env.get_nvidia_driver_version(collect_env.run)
    if not torch.cuda.is_available():
        return [Finding("gpu", f"none usable: {_why_none(torch, driver)}")]
    return [_gpu(torch, index, driver) for index in range(torch.cuda.device_count())]


def _gpu(torch: Any, index: int, driver: str | None) -> Finding:
    about = torch.cuda.get_device_properties(index)
    text = f"{about.name}, {size(about.total_memory)}, compute capability {about.major}.{about.minor}"
    text += f", driver {driver or 'unknown'}, CUDA {torch.version.cuda} of this PyTorch"
    try:
        torch.ones(8, device=f"cuda:{index}").sum().item()
    except RuntimeError as error:
        return Finding(f"cuda:{index}", f"{text}; cannot compute: {error}", wrong=True)
    return Finding(f"cuda:{index}", text)


def _why_none(torch: Any, driver: str | None) -> str:
    if torch.version.cuda is None:
        return "this PyTorch is built without CUDA"
    if driver is None:
        return "there is no NVIDIA driver"
    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        return f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']} hides it, or driver {driver} does not fit"
    return f"driver {driver} does not fit CUDA {torch.version.cuda} of this PyTorch"
