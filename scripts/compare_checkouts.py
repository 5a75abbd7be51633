"""Compare two checkouts of the repository: the same commands must write the same metrics.jsonl, byte for byte.

    python scripts/compare_checkouts.py ../old .                  # every option of every group
    python scripts/compare_checkouts.py ../old . loss=wgan_gp     # only the cases with this override

Each case is a short run on the CPU in fp32 by the eager engine with one thread, once in each checkout. A second part
continues, samples and evaluates run directories that the first checkout wrote with the code of the second. The first
checkout's results are kept with --keep FOLDER, so that a second comparison does not compute them again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RUNTIME = ["runtime.device=cpu", "runtime.precision=fp32", "runtime.engine=eager", "runtime.threads=1"]
SMALL = [
    "train.steps=4",
    "train.batch_size=16",
    "log.every_steps=1",
    "log.samples_every_steps=2",
    "log.sample_count=16",
]
IMAGES = ["dataset=fashion_mnist_10k", "dataset.image_size=16", "dataset.limit=400", "model.width=8"]
POINTS = ["dataset=ring", "model=toy_mlp", "model.width=16"]
GROUPS = ("loss", "constraint", "updates", "model", "condition", "latent", "input", "optimizer")
NEEDS = {  # what an option cannot be without
    "model=toy_mlp": POINTS,
    "model=toy_tanh": [*POINTS, "model=toy_tanh"],
    "model=resnet_constant": ["dataset.image_size=32"],
    "model=resnet": ["dataset.image_size=32"],
    "condition=projection": ["loss=hinge"],
    "loss=infogan": ["latent=infogan"],
    "latent=infogan": ["loss=infogan"],
    "constraint=gradient_penalty": ["loss=wgan_gp"],
    "constraint=gradient_penalty_one_sided": ["loss=wgan_gp", "constraint=gradient_penalty_one_sided"],
    "updates=unrolled": ["loss=gan", "updates.k=3", "optimizer=adam"],
    "loss=energy_distance": ["train.batch_size=16"],
}
SYNTHETIC = ("ring", "grid", "swiss_roll", "two_gaussians_1d", "parallel_lines", "gaussian_mixture_1d")
FURTHER = {  # cases that no single option makes
    "gp-conditional": [*IMAGES, "loss=wgan_gp", "condition=concat"],
    "projection-resnet": [*IMAGES, "dataset.image_size=32", "loss=hinge", "model=resnet", "condition=projection"],
    "ema": [*IMAGES, "train.ema_halflife_images=100"],
    "accumulate": [*IMAGES, "loss=wgan_gp", "train.accumulate=2", "model=mlp"],
    "unrolled-points": [*POINTS, "loss=gan", "updates=unrolled", "updates.k=2"],
    "evaluate-points": [*POINTS, "evaluate.every_steps=2", "evaluate.count=100", "evaluate.w1_count=32"],
    "evaluate-images": [*IMAGES, "evaluate.every_steps=2", "evaluate.count=60", "evaluate.w1_count=32"],
    "stacked": ["dataset=stacked", "model.width=8"],
    "spectral-hinge": [*IMAGES, "loss=hinge", "constraint=spectral_norm"],
}
CHILD = """
import os, sys, json
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, sys.argv[1])
from gan_cli.cli import main
assert sys.modules["gan_cli"].__file__.startswith(sys.argv[1]), sys.modules["gan_cli"].__file__
for line in sys.stdin:
    words = json.loads(line)
    code = main(words)
    print("##", code, flush=True)
"""


def main(argv: list[str] | None = None) -> int:
    """Run the comparison; the exit code is 0 where nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("only", nargs="*", help="overrides: compare the cases with all of these")
    parser.add_argument("--keep", type=Path, help="the folder of the old checkout's results")
    given = parser.parse_args(argv)
    old, new = given.old.resolve(), given.new.resolve()
    wanted = {name: words for name, words in cases(old).items() if set(given.only) <= set(words)}
    with tempfile.TemporaryDirectory() as scratch:
        kept = (given.keep or Path(scratch, "old")).resolve()
        fresh = Path(scratch, "new")
        missing = {name: words for name, words in wanted.items() if not (kept / name / "run.json").is_file()}
        failed = train(old, kept, missing)
        train(new, fresh, wanted)
        different = [name for name in wanted if not _same(kept / name, fresh / name)]
        for name in different:
            print(f"differs: {name} ({' '.join(wanted[name])})")
        wrong = old_runs(old, new, kept, Path(scratch)) if not given.only else []
    same = len(wanted) - len(different)
    print(f"{len(wanted)} cases, {same} with the same metrics.jsonl, {len(failed)} refused")
    for text in wrong:
        print(f"old run: {text}")
    return int(bool(different or wrong))


def cases(checkout: Path) -> dict[str, list[str]]:
    """Return every case's name and overrides: one for each option of each group, and further ones."""
    found = {}
    for group in GROUPS:
        for path in sorted((checkout / "conf" / group).glob("*.yaml")):
            choice = f"{group}={path.stem}"
            words = [*IMAGES, *NEEDS.get(choice, [])]
            if "dataset=ring" in words:
                words = NEEDS[choice]
            found[choice] = [*words, choice] if choice not in words else words
    for name in SYNTHETIC:
        found[f"dataset={name}"] = [f"dataset={name}", "model=toy_mlp", "model.width=16"]
    return {name.replace("=", "-"): _once([*SMALL, *words, *RUNTIME]) for name, words in (found | FURTHER).items()}


def train(checkout: Path, folder: Path, wanted: dict[str, list[str]]) -> list[str]:
    """Train cases with a checkout's code; return those that it refused."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = {}
    for name, words in wanted.items():
        shutil.rmtree(folder / name, ignore_errors=True)
        commands[name] = ["train", *words, f"run_dir={folder / name}", "checkpoint.every_steps=2"]
    codes = _run(checkout, list(commands.values()))
    failed = [name for name, code in zip(commands, codes, strict=True) if code]
    for name in failed:
        print(f"{checkout.name}: exit code {codes[list(commands).index(name)]}: {name}", file=sys.stderr)
    return failed


def old_runs(old: Path, new: Path, kept: Path, scratch: Path) -> list[str]:
    """Continue, sample and evaluate runs of the old checkout with both codes; return what differs."""
    wrong = []
    names = [name for name in sorted(p.name for p in kept.iterdir()) if (kept / name / "checkpoints").is_dir()]
    results = {}
    for label, checkout in (("old", old), ("new", new)):
        folder = scratch / f"continued-{label}"
        commands = []
        for name in names:
            shutil.copytree(kept / name, folder / name)
            commands += [["resume", str(folder / name), "train.steps=6"]]
            commands += [["sample", str(folder / name), "count=9", f"out={folder / name / 'nine.npz'}", "format=npz"]]
        for name in ("loss-wgan", "dataset-ring", "condition-concat"):
            out = folder / name / "scores.json"
            commands.append(["evaluate", str(folder / name), "count=50", "w1_count=20", f"out={out}"])
        results[label] = (folder, _run(checkout, commands), commands)
    (before, codes, commands), (after, new_codes, _) = results["old"], results["new"]
    for command, code, new_code in zip(commands, codes, new_codes, strict=True):
        if code != new_code:
            wrong.append(f"gan {command[0]} {Path(command[1]).name}: exit code {code}, now {new_code}")
    for name in names:
        for file in ("metrics.jsonl", "nine.npz", "scores.json"):
            a, b = before / name / file, after / name / file
            if a.is_file() and (not b.is_file() or _content(a) != _content(b)):
                wrong.append(f"{name}: {file} differs")
    print(f"{len(names)} run directories of the old checkout continued and sampled by both")
    return wrong


def _content(path: Path) -> bytes:
    """Return what must be equal: of an evaluation each score and its floor, beside which is prose; else everything."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return content
    scores = json.loads(content)["scores"]
    return json.dumps({name: (score["value"], score["floor"]) for name, score in scores.items()}).encode()


def _run(checkout: Path, commands: list[list[str]]) -> list[int]:
    if not commands:
        return []
    lines = "".join(json.dumps(words) + "\n" for words in commands)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    child = [sys.executable, "-c", CHILD, str(checkout)]
    done = subprocess.run(
        child, input=lines, capture_output=True, text=True, env=environment, cwd=tempfile.gettempdir()
    )
    codes = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("## ")]
    if len(codes) != len(commands):
        raise SystemExit(f"{checkout}: ended early\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    notes = [line for line in done.stderr.splitlines() if line.startswith("gan: ")]
    for note in notes:
        print(f"{checkout.name}: {note}", file=sys.stderr)
    return codes


def _same(old: Path, new: Path) -> bool:
    files = [folder / "metrics.jsonl" for folder in (old, new)]
    if not any(file.is_file() for file in files):
        return True  # refused by both
    return all(file.is_file() for file in files) and files[0].read_bytes() == files[1].read_bytes()


def _once(words: list[str]) -> list[str]:
    """Keep the last of several overrides of one key."""
    last = {word.partition("=")[0]: word for word in words}
    return list(last.values())


if __name__ == "__main__":
    sys.exit(main())
