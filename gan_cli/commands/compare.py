"""Compare runs: a table over seeds, a plot of all curves, and samples of the same z from every generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_cli.commands._pages import common, gather, made_by, require_writable
from gan_cli.commands._results import as_json, write
from gan_cli.config.arguments import Parser
from gan_cli.config.targets import allowed_targets
from gan_cli.core.places import place
from gan_cli.core.text import did_you_mean, say, terminal_width
from gan_cli.errors import UserError
from gan_cli.runs.finding import find_directory
from gan_cli.runs.reading import Run

_EPILOG = """\
Runs that differ only by their seed share one line. For runs with your own parts, add 'allow_targets=[my_losses]'."""
COUNT, POINTS = 12, 1000  # samples of a run on the sheet
TARGET = "target"  # the last row of a sheet of runs that read pictures
_MOST_ROWS = 40  # runs on the sheet


def main(argv: list[str]) -> int:
    """Print the table and write all files.

    Raises:
        UserError: no such directory, no run in it, a tag that no run has, or a directory that cannot be written.
    """
    parser = Parser(prog="gan compare", description=__doc__, epilog=_EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUNS", help="run directories, sweeps, directories of runs")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        help="a curve, or a score of `gan evaluate`, to compare; repeat the option for several tags",
    )
    parser.add_argument("--step", type=int, help="the step to compare (default: the end of every finished run)")
    parser.add_argument("--out", metavar="DIR", help="directory for the files (default: compare/ beside the runs)")
    parser.add_argument("--table", action="store_true", help="only print the table, write no files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the z in the sheet of samples (default: 0)")
    words, allowed = allowed_targets(argv)
    arguments = parser.parse_args(words)
    paths = list(map(find_directory, arguments.runs))
    from gan_cli.analysis import comparison, comparison_text

    runs = gather(paths)
    found = comparison.compare(runs, arguments.tag, arguments.step)
    _refuse_unknown(found, arguments.tag)
    if arguments.table:
        say(comparison_text.table(found, terminal_width()))
        return 0
    out = place(arguments.out, common(paths), "compare", key="--out ")
    require_writable(out)
    samples, without = _samples(runs, allowed, arguments.seed)
    found.notes.extend(without)
    from gan_cli.analysis import comparison_page, comparison_plots, figures

    pictures = {}
    if found.curves:
        pictures["curves.png"] = figures.png(comparison_plots.curves(found, found.curves))
    if samples:
        pictures["samples.png"] = figures.png(comparison_plots.sheet(samples))
    say(comparison_text.table(found, terminal_width()))
    files = {
        "groups.csv": comparison_text.groups_csv(found).encode(),
        "runs.csv": comparison_text.runs_csv(found).encode(),
        "compare.json": as_json(comparison_text.as_json(found)),
        **pictures,
    }
    made = made_by(["gan", "compare", *argv], files)
    page = comparison_page.comparison_page(found, samples, out, made)
    files["index.html"] = page.encode()
    write(out, files)
    say(f"\n{out}: {', '.join(files)}")
    return 0


def _refuse_unknown(found: Any, tags: Sequence[str]) -> None:
    known = sorted({tag for rows in found.rows.values() for tag in rows.tags}.union(*found.at.values()))
    for tag in tags:
        if tag not in known:
            raise UserError(f"--tag {tag}: no run has this tag{did_you_mean(tag, known)}")


def _samples(runs: Sequence[Run], allowed: list[str], seed: int) -> tuple[dict[str, Any], list[str]]:
    """Return the samples of each run by its label, what they were made of, and notes about the runs without samples."""
    import numpy as np

    from gan_cli.analysis.grouping import SEED, groups

    rows: dict[str, Any] = {}
    notes: list[str] = []
    priors: set[str] = set()
    references: dict[str, Any] = {}
    for group in groups(runs):
        for run in group.runs:
            if len(rows) == _MOST_ROWS:
                notes.append(f"the sheet of samples shows only the first {_MOST_ROWS} runs")
                return rows, notes
            try:
                drawn, prior, step, read = _drawn(run.path, allowed, seed)
            except UserError as error:
                notes.append(f"not in the sheet of samples: {run.path.name}: {error}")
                continue
            label = f"{group.label}\n{SEED}={run.config.get(SEED)}, step {step}"
            while label in rows:
                label += " "
            rows[label] = drawn
            priors.add(prior)
            if any(not np.array_equal(references.setdefault(name, pixels), pixels) for name, pixels in read.items()):
                notes.append(f"in the sheet of samples, {run.path.name} has other sources than the runs above it")
    if len(priors) > 1:
        notes.append(
            f"the z in the sheet of samples are not the same, because the priors differ: {', '.join(sorted(priors))}"
        )
    if len({samples.shape[1] if samples.ndim == 2 else 0 for samples in rows.values()}) > 1:
        notes.append(
            "there is no sheet of samples: the runs make both images and points, or points of several dimensions"
        )
        return {}, notes
    targets = {TARGET: references.pop(TARGET)} if TARGET in references else {}
    return references | rows | targets, notes


def _drawn(path: Path, allowed: list[str], seed: int) -> tuple[Any, str, int, dict[str, Any]]:
    """Return a run's samples as pixels or points, its prior (runs with equal priors have the same z), the step.

    Also what they were made of, by name: held-out sources, the baseline, and the targets; for z alone nothing.
    """
    import torch

    from gan_cli.analysis.figures import side_by_side, to_uint8
    from gan_cli.analysis.reals import take
    from gan_cli.rng import Draws
    from gan_cli.session.load import load
    from gan_cli.session.look import open_data
    from gan_cli.training.sampling import sample

    device = torch.device("cpu")
    loaded = load(path, "cpu", "latest", allowed)
    game, network = loaded.state.game, loaded.state.best_generator()
    task, real, read = game.task, None, {}
    if task.reads == "image":
        held_out = take(open_data(path, loaded).heldout, 0, COUNT)
        real = game.read(held_out, Draws(device, seed, "sample"))
        read = {"source": side_by_side([real.source], loaded.shape)}
        plain = task.unlearned(real.source, loaded.shape)
        if not torch.equal(plain, read["source"]):
            read[task.baseline] = plain
        if not task.twofold:
            read[TARGET] = real.x

    def draw(count: int) -> torch.Tensor:
        draws = Draws(device, seed, "sample")
        y, source = (None, None) if real is None else (real.y, real.source)
        return torch.cat(list(sample(game, network, count, draws, y=y, source=source)))

    x = draw(COUNT if real is not None or draw(1).dim() == 4 else POINTS)
    prior = f"{type(game.latent).__name__} of {game.latent.total_size}"
    shown = to_uint8(x) if x.dim() == 4 else x.double().numpy()
    return shown, prior, loaded.state.step, {name: to_uint8(images) for name, images in read.items()}
