"""What `auto` means on this machine, and whether a run fits into its memory."""

from __future__ import annotations

import errno

import torch
from torch import nn

from gan_cli.config.schema import RunConfig, Runtime
from gan_cli.core.hardware import available_threads, cpu_has_bf16, cuda_has_bf16, memory_bytes
from gan_cli.core.processes import Processes, processes
from gan_cli.errors import GanError, UserError

# oneDNN fails with the second where it cannot allocate a buffer.
_OUT_OF_MEMORY = ("can't allocate memory", "could not create a primitive", "Cannot allocate memory")


def resolve(runtime: Runtime) -> Runtime:
    """Return the runtime with every `auto` replaced that the machine alone decides, by rule and never by timing.

    Raises:
        UserError: CUDA or a precision that this machine does not have.
    """
    here = processes()
    device = device_of(runtime.device)
    cuda = device.startswith("cuda")
    precision = runtime.precision
    if precision == "auto":
        precision = "bf16" if (cuda_has_bf16(device) if cuda else cpu_has_bf16()) else "fp32"
    if precision == "tf32" and not cuda:
        raise UserError("runtime.precision=tf32: a mode of NVIDIA GPUs, this run is on the CPU: runtime.precision=fp32")
    threads = available_threads(here.local_size) if runtime.threads == "auto" else runtime.threads
    return runtime.replace(device=device, precision=precision, threads=threads)


def device_of(device: str) -> str:
    """Return the device that a setting means here.

    Raises:
        UserError: CUDA, which this machine does not have.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    _require(device, processes())
    return device


def apply(runtime: Runtime) -> None:
    """Set torch's threads and matrix precision as a resolved runtime says."""
    torch.set_num_threads(runtime.threads)
    torch.backends.cudnn.deterministic = True  # a resumed run must equal an unbroken one
    torch.backends.cudnn.benchmark = False
    tf32 = runtime.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False  # sums of sums are float32, as in cuDNN
    torch.backends.cudnn.allow_tf32 = tf32


def require_memory(networks: nn.Module, config: RunConfig) -> None:
    """Refuse networks that, with their gradients, are larger than the memory, before any of it is taken.

    Args:
        networks: on the meta device.
        config: resolved.

    Raises:
        UserError: they are.
    """
    device = config.runtime.device
    cuda = device.startswith("cuda")
    room = torch.cuda.get_device_properties(device).total_memory if cuda else memory_bytes()
    needed, width = 2 * sum(t.numel() * t.element_size() for t in networks.parameters()), config.model.width
    if needed > room:
        raise UserError(
            f"the networks and their gradients are {needed / 1e9:,.0f} GB, {device} has {room / 1e9:,.0f} GB: "
            f"{'smaller networks' if width is None else f'a smaller model.width (now {width})'} or dataset.image_size"
        )


def out_of_memory(error: Exception, config: RunConfig) -> GanError | None:
    """Return a failed allocation as an error that names the fix; None for any other error."""
    first_line = str(error).partition("\n")[0] or type(error).__name__
    known = isinstance(error, (torch.OutOfMemoryError, MemoryError)) or getattr(error, "errno", None) == errno.ENOMEM
    if not known and not any(sign in first_line for sign in _OUT_OF_MEMORY):
        return None
    sizes = [f"train.batch_size={config.train.batch_size}"]
    sizes += [f"model.width={config.model.width}"] if config.model.width else []
    return GanError(f"out of memory at {', '.join(sizes)}: halve {'either' if sizes[1:] else 'it'} ({first_line})")


def _require(device: str, here: Processes) -> None:
    if not device.startswith("cuda"):
        return
    if not torch.cuda.is_available():
        raise UserError(f"runtime.device={device}: no CUDA GPU is usable here; cpu (or auto) runs without one")
    if here.size > 1 and device != "cuda":
        raise UserError(f"runtime.device={device}: torchrun's processes take a GPU each: runtime.device=cuda")
    index = torch.device(device).index or here.local_rank
    if index >= torch.cuda.device_count():
        raise UserError(f"runtime.device={device}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0")
