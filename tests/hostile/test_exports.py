"""An exported generator from a stranger: tampered files, foreign code, wrong shapes, bombs."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from tests.hostile.conftest import SAMPLE, perform
from tests.hostile.forge import state_of
from tests.hostile.test_run_directory import KINDS


@pytest.fixture
def alone(run, here) -> Path:
    """An exported generator, to be tampered with."""
    perform("export", run, "out=alone")
    shutil.rmtree(run)
    return here / "alone"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "notes"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder link"])
def test_what_is_no_plain_file_is_refused(refused, alone, canary, kind, name):
    path, (make, expected) = alone / name, KINDS[kind]
    path.unlink(missing_ok=True)
    make(path, canary)
    line = refused("sample", alone)
    assert expected in line or "has no config.yaml" in line


def test_a_cache_of_links_is_told_how_to_be_none(refused, alone):
    (alone / "model.safetensors").rename(alone.parent / "blob")
    (alone / "model.safetensors").symlink_to(alone.parent / "blob")
    assert refused("sample", alone).endswith(
        "is a link, as in the cache of huggingface.co: snapshot_download(NAME, local_dir=DIR) copies"
    )


def change(alone, **values):
    path = alone / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def put(alone, content: bytes) -> None:
    """Write weights, and their hash beside them: the hash is against accidents, and a stranger can compute it."""
    (alone / "model.safetensors").write_bytes(content)
    change(alone, **{"model.safetensors": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}})


CHANGES = [
    ({"gan_cli_export": 2}, "`gan export` did not write it"),
    ({"step": -1}, "not a count"),
    ({"step": "x"}, "not a count"),
    ({"weights": "ema"}, "its config says otherwise"),
    ({"statistics": None}, "neither running nor whole"),
    ({"weights": 7}, "neither ema nor raw"),
    ({"sample_shape": [10**9, 10**9, 10**9]}, "more than 268,435,456 values"),
    ({"sample_shape": [3]}, "does not fit the config"),
    ({"sample_shape": "x"}, "neither [C, H, W] nor [D]"),
    ({"source_shape": [0]}, "neither [C, H, W] nor [D]"),
    ({"n_classes": -3}, "not a count"),
    ({"class_names": ["a"]}, "not the names of its classes"),
    ({"n_classes": 1, "class_names": ["\u001b[31m"]}, "not the names of its classes"),
    ({"config": []}, "not a mapping"),
    ({"config": {}}, "seed"),
    ({"task": 3}, "not a dict"),
    ({"model.safetensors": {"bytes": 1, "sha256": ""}}, "is not the file that config.json describes"),
]


@pytest.mark.parametrize(("values", "expected"), CHANGES, ids=lambda v: repr(v)[:50])
def test_facts_that_are_none(refused, alone, values, expected):
    change(alone, **values)
    assert expected in refused("sample", alone)


CONTENTS = [b"", b"[" * 10_000, b"{}", b'{"gan_cli_export": 1e999}', b"[1]", b"\xff\xfe"]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda v: repr(v)[:20])
def test_contents_that_are_refused(refused, alone, content):
    (alone / "config.json").write_bytes(content)
    assert "config.json" in refused("sample", alone)


def test_files_larger_than_an_export_are_not_read(refused, alone, monkeypatch):
    monkeypatch.setattr("gan_cli.core.hardware.memory_bytes", lambda: 100)
    assert "bytes; at most 25 are allowed" in refused("sample", alone)
    (alone / "config.json").open("wb").truncate(10 * 2**30)
    assert "10,737,418,240 bytes" in refused("sample", alone)


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "torch.load", "gan_cli.core.files.AppendFile", "mine.G"]
)
def test_only_classes_below_the_allowed_modules(refused, alone, here, canary, target):
    (here / "mine.py").write_text(f"open({str(canary)!r}, 'w').write('gone')")
    config = json.loads((alone / "config.json").read_text())["config"]
    for part in (config["model"]["generator"], config["latent"]):
        before = part["_target_"]
        part["_target_"] = target
        change(alone, config={**config, "allow_targets": ["os", "builtins", "torch", "mine"]})
        assert target in refused("sample", alone)
        part["_target_"] = before


def test_networks_larger_than_the_memory_are_not_built(refused, alone):
    config = json.loads((alone / "config.json").read_text())["config"]
    config["model"]["generator"] |= {"hidden": [10**6] * 3} if "hidden" in config["model"]["generator"] else {}
    config["model"]["generator"] |= {"width": 10**6} if "width" in config["model"]["generator"] else {}
    change(alone, config=config)
    assert "GB" in refused("sample", alone)


def tensors(alone):
    return load_file(alone / "model.safetensors")


WEIGHTS = {
    "pickle": lambda found: b"\x80\x04cos\nsystem\n(S'touch canary'\ntR.",
    "nothing": lambda found: save({}),
    "more": lambda found: save(found | {"generator.more": torch.zeros(3)}),
    "a critic": lambda found: save(found | {"critic.place": torch.zeros(1)}),
    "fewer": lambda found: save(dict(list(found.items())[1:])),
    "a shape": lambda found: save({name: t[:1].clone() for name, t in found.items()}),
    "a type": lambda found: save({name: t.double() for name, t in found.items()}),
    "nan": lambda found: save({name: t * float("nan") for name, t in found.items()}),
    "a long header": lambda found: (10**12).to_bytes(8, "little") + b"{}",
    "beyond the end": lambda found: state_of({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}, b"1"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_none(refused, alone, kind):
    put(alone, WEIGHTS[kind](tensors(alone)))
    assert "model.safetensors" in refused("sample", alone)


def test_a_good_export_is_sampled(alone):
    perform(*SAMPLE, alone, "count=4")
    put(alone, save(tensors(alone)))
    perform(*SAMPLE, alone, "count=4", "seed=1")
