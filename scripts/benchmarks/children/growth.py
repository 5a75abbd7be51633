"""One case of `bench.py scale`: python growth.py NAME SIZE.

Prints JSON: the seconds, those of the processor, the bytes of memory above those before, and the bytes written. What is
measured finds its files in the working directory, where another process makes them: what they took does not count.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

TAGS = 19  # of a row of the default config
SIDE = 64  # of a picture that is compared
TOY = ("model=toy_mlp", "dataset=ring", "runtime=cpu", "runtime.threads=1", "train.batch_size=8", "loss=wgan")
RUN = Path("runs/run")


def gan(*words: str) -> None:
    """Run a command, which prints nothing."""
    from gan_cli.cli import main

    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        if main([*words]):
            raise SystemExit(f"gan {' '.join(words)} failed")


def cells(n: int) -> Callable[[], object]:
    """Return what checks the cells of a grid and makes jobs of them."""
    from gan_cli.config.arguments import Arguments
    from gan_cli.config.compose import Composer
    from gan_cli.sweeps.cells import Checker, cell_name, checked_cells, expand
    from gan_cli.sweeps.jobs import jobs_of
    from gan_cli.sweeps.record import Folder

    composer = Composer.of("train", Arguments([], {}))
    rates = ",".join(f"{i + 1}e-6" for i in range(n // 8))
    grid = expand(composer.parse(["loss=wgan,hinge", f"optimizer.lr={rates}", "seed=0,1,2,3"]))

    def measured() -> None:
        names = [cell_name(i, len(grid), cell) for i, cell in enumerate(grid)]
        found = checked_cells(names, grid, Checker(composer, []))
        jobs = jobs_of(found, Folder(Path("runs/sweep"), None), 1)
        assert len(jobs) == n // 8 * 8

    return measured


def jobs(n: int) -> Callable[[], object]:
    """Return what writes down how the jobs of a sweep end."""
    from gan_cli.sweeps.record import Folder

    folder = Folder(Path("runs/sweep"), None)
    overrides = [f"optimizer.lr={n}e-5", "loss=wgan_gp", "model=dcgan", "dataset=fashion_mnist_10k", "seed=0"]

    def measured() -> None:
        mine = [folder.new_job(f"wgan_gp_lr-{i}e-5", f"{i:064d}") for i in range(n)]
        for job in mine:
            job.overrides = overrides
        folder.begin(mine, ["gan", "train", "-m", *overrides])
        for job in mine:
            job.state = "finished"
            folder.job_ended()
        folder.write(0)

    return measured


def log(n: int) -> None:
    """Make a run of so many rows, and the checkpoint that says so; its event file holds one event, again and again."""
    from gan_cli.core.files import hashed
    from gan_cli.runs import checkpoint, checkpoint_files
    from gan_cli.runs.contents import EVENTS
    from gan_cli.runs.event_file import first_event, record
    from gan_cli.runs.metrics_log import parse_row
    from gan_cli.runs.tensorboard import row_events

    gan("train", *TOY, "train.steps=2", f"run_dir={RUN}")
    values = [f'"critic/tag_{i:02d}": 0.{i + 1:02d}87403018748329' for i in range(TAGS)]
    timing = '"images_per_second": 207.38388787776984, "steps_per_second": 0.6480746496180307, "wall_seconds": 575.29'
    lines = ['"critic/loss": 0.3, "critic/wasserstein_estimate": -0.3, ' + ", ".join(values), timing]
    for name, line in zip(("metrics.jsonl", "timing.jsonl"), lines, strict=True):
        with open(RUN / name, "w") as file:
            file.writelines(f'{{"step": {step}, {line}}}\n' for step in range(1, n + 1))
    both = "".join(f'{{"step": {n}, {line}}}\n' for line in lines).encode()
    event_file = next(RUN.glob(f"{EVENTS}.*.gan"))
    with open(event_file, "wb") as file:
        file.write(record(first_event()))
        row = b"".join(map(record, row_events(n, parse_row(both.splitlines()[0]), both)))
        file.writelines(row for _ in range(n))
    newest = checkpoint.load(RUN / "checkpoints", print)
    known = newest.meta["run"]["contents"]
    newest.meta["run"]["at_end"] = {}
    known |= {name: hashed(RUN / name) for name in known}
    checkpoint_files.write(RUN / "checkpoints", newest.meta["step"], newest.tensors, newest.meta)


def resume(n: int) -> Callable[[], object]:
    """Return what opens a run to continue it."""
    from gan_cli.api.request import requested
    from gan_cli.session import session  # noqa: F401
    from gan_cli.session.resume import open_session, saved_config, with_changes

    changes = requested("resume", [f"run={RUN}", "train.steps=3"]).config

    def measured() -> None:
        config = with_changes(saved_config(RUN, []), changes)
        opened = open_session(RUN, config, force=False)
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            opened.open()

    return measured


def doctor(n: int) -> Callable[[], object]:
    """Return what examines a run."""
    from gan_cli.commands import _doctor_machine, _doctor_run, doctor  # noqa: F401

    return lambda: gan("doctor", str(RUN))


def unknown_log(n: int) -> None:
    """Make a run of so many rows, without a checkpoint that says what its files hold."""
    log(n)
    shutil.rmtree(RUN / "checkpoints")


def compare(n: int) -> Callable[[], object]:
    """Return what compares a run's curves and draws them."""
    from gan_cli.analysis import comparison_plots, comparison_text  # noqa: F401
    from gan_cli.session import load  # noqa: F401

    return lambda: gan("compare", str(RUN))


def report(n: int) -> Callable[[], object]:
    """Return what reports on a run."""
    from gan_cli.session import report as content  # noqa: F401

    return lambda: gan("report", str(RUN), "--updates", "1", "--count", "50")


def metrics(n: int) -> Callable[[], object]:
    """Return what reads all curves from Python."""
    import gan_cli

    run = gan_cli.load(RUN)
    return lambda: run.metrics


def many_runs(n: int) -> None:
    """Make so many runs, each with a seed, a width and a learning rate of its own."""
    gan("train", *TOY, "train.steps=2", f"run_dir={RUN}")
    shutil.rmtree(RUN / "checkpoints")
    for i in range(n - 1):
        config = Path(shutil.copytree(RUN, f"{RUN}_{i:05d}"), "config.yaml")
        text = config.read_text()
        for own in ("seed: ", "width: ", " lr: "):
            text = text.replace(own, f"{own}{i + 1}")
        config.write_text(text)


def runs(n: int) -> Callable[[], object]:
    """Return what lists the runs."""
    from gan_cli.commands import runs as command  # noqa: F401

    return lambda: gan("runs")


def pictures(n: int) -> Any:
    """Return pictures of eight bits, as float32 in [-1, 1]."""
    import torch

    x = torch.empty(n, 3, SIDE, SIDE)
    for part in x.split(256):
        part.copy_(torch.randint(0, 256, part.shape).float().div_(127.5).sub_(1))
    return x


def distances(n: int) -> Callable[[], object]:
    """Return what compares pictures and fakes with the sliced distance, and 64 features of them with every measure."""
    from gan_cli.analysis.evaluation import compared_features, compared_samples
    from gan_cli.extractors.base import Features
    from gan_cli.extractors.pixels import Pixels

    real, fake = pictures(n), pictures(n)
    features = [Features(x.flatten(1)[:, :64].clone(), None) for x in (real, fake)]

    def measured() -> None:
        compared_samples(real, fake, 256)
        compared_features(Pixels(), *features)

    return measured


def neighbours(n: int) -> Callable[[], object]:
    """Return what finds the nearest of so many pictures to 500."""
    from gan_cli.analysis.neighbours import nearest

    references, x = pictures(n), pictures(500)
    return lambda: nearest(x, references.split(1000), 5)


def folder_of_files(n: int) -> None:
    """Make a folder of small pictures, prepare them, and change one."""
    import numpy as np
    from PIL import Image

    Path("pictures").mkdir()
    for i in range(n):
        pixels = np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"pictures/{i:06d}.png", compress_level=1)
    opened_folder()
    os.utime("pictures/000000.png")


def opened_folder() -> None:
    """Open the folder, as a run does."""
    import torch

    from gan_cli.data.folder import Folder

    os.environ["XDG_CACHE_HOME"] = os.path.abspath("cache")
    Folder(32, "pictures", resident=False).open(8, 0, torch.device("cpu"))


def folder(n: int) -> Callable[[], object]:
    """Return what opens the folder again."""
    from gan_cli.data import folder  # noqa: F401

    return opened_folder


def small_run(n: int) -> None:
    """Make a run of a generator of small pictures."""
    gan("train", *TOY[2:], "model=mlp", "model.width=8", "train.steps=1", f"run_dir={RUN}", "evaluate.every_steps=0")


def npz(n: int) -> Callable[[], object]:
    """Return what writes so many samples."""
    from gan_cli.commands import sample  # noqa: F401

    return lambda: gan("sample", f"run={RUN}", "format=npz", f"count={n}", "out=samples.npz", "device=cpu")


MADE = {  # what makes the files of a case
    "resume": log,
    "doctor": unknown_log,
    "compare": log,
    "report": log,
    "metrics": log,
    "runs": many_runs,
    "folder": folder_of_files,
    "npz": small_run,
}


def status(name: str) -> int:
    """Return a field of this process's status, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def written() -> int:
    """Return the bytes that this process has written."""
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


def main(name: str, size: int, make: bool) -> None:
    """Make the files of a case, or measure it."""
    if make:
        MADE[name](size)
        return
    if name in MADE:
        subprocess.run([sys.executable, __file__, name, str(size), "make"], check=True, stdout=subprocess.DEVNULL)
    measured = globals()[name](size)
    before, had_written = status("VmRSS"), written()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
    began, cpu_began = time.perf_counter(), time.process_time()
    measured()
    found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu_began}
    found |= {"memory": status("VmHWM") - before, "written": written() - had_written}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), len(sys.argv) > 3)
