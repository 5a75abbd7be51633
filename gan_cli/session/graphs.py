"""Writes a generator as a graph that other programs run, and compares the graph with the generator."""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.core.extras import require
from gan_cli.core.text import one_line
from gan_cli.errors import GanError, UserError
from gan_cli.rng import Draws
from gan_cli.session.deployed import Deployed
from gan_cli.session.load import Loaded

LIMIT = 1e-4  # largest difference of a graph's samples from the generator's
SUFFIXES = {"onnx": ".onnx", "torch_export": ".pt2"}
_PSI = 0.7  # with which truncation is tried
_SIZES = (1, 7)  # samples at a time
_TRACED = 3  # torch.export takes a batch of 0 or 1 for a number of the graph

_CUDA_BATCH = 65_535  # of a graph traced on a GPU: the size of a grid of blocks in torch's kernels
Inputs = dict[str, Tensor]
Graph = Callable[[Inputs], Tensor]


def write_graph(kind: str, run: Loaded, network: torch.nn.Module, out: Path, about: Mapping[str, Any]) -> float:
    """Write a generator as a graph, for batches of any size, and return the largest difference of its samples.

    Args:
        kind: onnx or torch_export.
        run: how z, labels and sources reach the network.
        network: the generator or its moving average.
        out: the file; it is written whole and checked, or not at all.
        about: what the file says of itself, under the name `gan_cli`.

    Raises:
        UserError: the libraries are not installed, torch cannot trace the network, or the file cannot be written.
        GanError: the graph makes other samples than the generator.
    """
    if kind == "onnx":
        require("format=onnx", "onnx", ("onnx", "onnxscript", "onnxruntime"))
    generator = Deployed(run.state.game, network)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp{SUFFIXES[kind]}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _quiet():
            graph = _WRITERS[kind](_traced(kind, generator, run), temporary, json.dumps(about))
            found = _difference(generator, graph, run)
        if not found <= LIMIT:
            raise GanError(
                f"format={kind}: the graph's samples differ from the generator's by {found:.2g}, more than {LIMIT:g}, "
                "so it is not written"
            )
        os.replace(temporary, out)
    except OSError as error:
        raise UserError(f"out={out} cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return found


def _traced(kind: str, generator: Deployed, run: Loaded) -> torch.export.ExportedProgram:
    device = next(generator.parameters()).device
    batch = torch.export.Dim("batch", max=_CUDA_BATCH if device.type == "cuda" else None)
    sizes = {name: None if name == "truncation" else {0: batch} for name in generator.names}
    try:
        return torch.export.export(
            generator, (), inputs_of(generator, run, _TRACED, _PSI), dynamic_shapes=sizes, strict=False
        )
    except Exception as error:  # torch.export raises what it meets in the network
        reason = one_line(str(error).partition("\n")[0])
        raise UserError(
            f"format={kind}: torch.export cannot trace this generator ({type(error).__name__}: {reason}); its forward "
            "must work with tensors alone, for batches of any size (x.shape[0], not len(x)), or: format=safetensors"
        ) from error


def _write_onnx(program: torch.export.ExportedProgram, path: Path, about: str) -> Graph:
    import onnxruntime

    made = torch.onnx.export(program, dynamo=True, verbose=False, output_names=["x"])
    made.model.metadata_props["gan_cli"] = about
    made.save(str(path), external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Inputs) -> Tensor:
        return torch.from_numpy(session.run(None, {name: t.cpu().numpy() for name, t in inputs.items()})[0])

    return run


def _write_torch_export(program: torch.export.ExportedProgram, path: Path, about: str) -> Graph:
    torch.export.save(program, path, extra_files={"gan_cli": about})
    graph = torch.export.load(path).module()
    return lambda inputs: graph(**inputs)


_WRITERS = {"onnx": _write_onnx, "torch_export": _write_torch_export}


@torch.no_grad()
def _difference(generator: Deployed, graph: Graph, run: Loaded) -> float:
    """Return the largest difference of a graph's samples from the generator's, NaN where a number of them is."""
    found = []
    for n in _SIZES:
        for psi in (math.inf, _PSI) if "truncation" in generator.names else (math.inf,):
            inputs = inputs_of(generator, run, n, psi)
            found.append((graph(inputs).cpu() - generator(**inputs).cpu()).abs().max())
    return float(torch.stack(found).max())


def inputs_of(generator: Deployed, run: Loaded, n: int, psi: float) -> Inputs:
    """Return n inputs, drawn from the prior; labels in turn, and sources of noise."""
    game = run.state.game
    device = next(generator.parameters()).device
    draws = Draws(device, 0, "export", n)
    inputs = {"z": game.latent.sample(n, draws)}
    if "y" in generator.names:
        inputs["y"] = game.condition.in_turn(n, device)
    if "source" in generator.names:
        inputs["source"] = draws.uniform("source", n, *run.source_shape) * 2 - 1
    inputs["truncation"] = torch.tensor(psi, device=device)
    return {name: inputs[name] for name in generator.names}


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what torch and its exporters tell of themselves."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
