"""Compare runs: a table over seeds, a plot of all curves, and samples of the same z from every generator."""

from __future__ import annotations

from gan_cli.commands._pages import common, gather, made_by, require_writable
from gan_cli.commands._results import as_json, write
from gan_cli.config.arguments import Parser
from gan_cli.config.targets import allowed_targets
from gan_cli.core.places import place
from gan_cli.core.text import did_you_mean, say, terminal_width
from gan_cli.errors import UserError
from gan_cli.runs.finding import find_directory

_EPILOG = """\
Runs that differ only by their seed share one line. For runs with your own parts, add 'allow_targets=[my_losses]'."""


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
    known = sorted({tag for rows in found.rows.values() for tag in rows.tags}.union(*found.at.values()))
    if unknown := next((tag for tag in arguments.tag if tag not in known), None):
        raise UserError(f"--tag {unknown}: no run has this tag{did_you_mean(unknown, known)}")
    if arguments.table:
        say(comparison_text.table(found, terminal_width()))
        return 0
    out = place(arguments.out, common(paths), "compare", key="--out ")
    require_writable(out)
    from gan_cli.analysis import comparison_page, comparison_plots, figures
    from gan_cli.session.sample_sheet import sheet

    samples, without = sheet(runs, allowed, arguments.seed)
    found.notes.extend(without)
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
