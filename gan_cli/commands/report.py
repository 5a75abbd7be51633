"""Report on runs: the estimate with samples, whether it follows quality, and whether the critic is optimal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.commands._pages import common, gather, made_by, require_writable
from gan_cli.commands._results import as_json, write
from gan_cli.config.arguments import Parser, whole
from gan_cli.config.targets import allowed_targets
from gan_cli.core.places import place
from gan_cli.core.text import say
from gan_cli.errors import UserError
from gan_cli.runs.finding import find_directory

if TYPE_CHECKING:
    from gan_cli.analysis.report_page import Reported
    from gan_cli.config.schema import Part
    from gan_cli.runs.reading import Run

_EPILOG = """\
The run is not changed: a copy of its critic is trained further. For runs with your own parts, add
'allow_targets=[my_losses]'."""


def main(argv: list[str]) -> int:
    """Write the page, its figures and their numbers, and print the verdicts.

    Raises:
        UserError: no such directory, no run in it, or a directory that cannot be written.
    """
    parser = Parser(prog="gan report", description=__doc__, epilog=_EPILOG)
    parser.add_argument("runs", nargs="+", metavar="RUNS", help="run directories, sweeps, directories of runs")
    parser.add_argument(
        "--out", metavar="DIR", help="directory for the files (default: report/ in the run, or beside several runs)"
    )
    parser.add_argument(
        "--updates", type=whole(1), default=50, help="critic updates that test whether it is optimal (default: 50)"
    )
    parser.add_argument(
        "--count", type=whole(1), default=500, help="samples per checkpoint, if the rows have no score (default: 500)"
    )
    parser.add_argument(
        "--extractor",
        default="auto",
        help="extractor for scores, if the rows have none, or a directory of gan classifier (default: auto)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples drawn here (default: 0)")
    words, allowed = allowed_targets(argv)
    arguments = parser.parse_args(words)
    paths = list(map(find_directory, arguments.runs))
    runs = gather(paths)
    one = len(runs) == 1
    out = place(arguments.out, runs[0].path if one else common(paths), "report", key="--out ")
    require_writable(out)
    extractor = _extractor(arguments.extractor)
    from gan_cli.analysis.report_page import Reported
    from gan_cli.session.report import Asked, part_of

    asked = Asked(extractor, arguments.device, arguments.seed, arguments.count, arguments.updates, allowed)
    done: list[tuple[Run, Reported]] = []
    try:
        for number, run in enumerate(runs, 1):
            part = part_of(run, asked)
            pngs = part.pngs()
            names = {stem: f"{stem}.png" if one else f"{number}_{stem}.png" for stem in pngs}
            write(out, {names[stem]: content for stem, content in pngs.items()})
            done.append((run, Reported(part, pngs, names)))
            say("\n".join([f"{part.name}: {part.facts}", *(f"  {_MARKS[v.kind]} {v.text}" for v in part.verdicts)]))
    finally:  # the page has what is done, also where an error or Ctrl-C ends the report
        if done:
            _write_page(out, ["gan", "report", *argv], done)
    return 0


def _write_page(out: Path, command: Sequence[str], done: Sequence[tuple[Run, Reported]]) -> None:
    """Write the page about runs whose pictures are written, and their numbers."""
    from gan_cli.analysis.report_page import report_page

    runs, found = zip(*done, strict=True)
    numbers = [
        {"run": str(run.path), **each.part.numbers, "verdicts": [v._asdict() for v in each.part.verdicts]}
        for run, each in done
    ]
    files = [*(name for each in found for name in each.names.values()), "report.json"]
    page = report_page(runs, found, out, made_by(command, files))
    write(out, {"report.json": as_json(numbers), "index.html": page.encode()})
    say(f"\n{out}: {', '.join([*files, 'index.html'])}")


_MARKS = {"good": "+", "look": "!", "unknown": "?"}


def _extractor(option: str) -> Part:
    """Return an extractor.

    Raises:
        UserError: no such option.
    """
    import yaml

    from gan_cli.config.schema import Part
    from gan_cli.config.tree import conf_dir, option_file, options
    from gan_cli.core.text import did_you_mean

    if Path(option, "classifier.yaml").is_file():
        return Part.of("gan_cli.extractors.classifier.TrainedClassifier", {"path": option})
    path = option_file("extractor", option, [conf_dir()])
    if path is None:
        known = options("extractor", conf_dir())
        hint = did_you_mean(option, known, "--extractor ") or ";"
        raise UserError(f"--extractor {option}: no such option{hint} options: {', '.join(known)}")
    return Part.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
