"""Measure `gan`: the speed of a step against a textbook PyTorch loop, start-up, memory, overheads, and where time goes.

Prints Markdown tables, and with --docs FOLDER writes them to FOLDER/benchmarks.md, the numbers to benchmarks.json.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.options import Options
from benchmarks.scale import CASES

from gan_cli.core.processor import choose_waiting

EPILOG = """\
parts: {parts} (default: all, ten minutes on two cores)
  python scripts/bench.py speed --losses wgan,wgan_gp --sizes 64 --channels 1,3
  python scripts/bench.py speed model.width=32 runtime.threads=1"""


def main(argv: list[str] | None = None) -> None:
    choose_waiting()  # as `gan` does, before torch is loaded
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG.format(parts=", ".join(report.PARTS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = Options()
    parser.add_argument("words", nargs="*", metavar="PART | KEY=VALUE", help="what to measure; overrides of gan train")
    parser.add_argument("--losses", type=_names, default=known.losses, help="of: wgan,wgan_gp,nonsaturating")
    parser.add_argument("--sizes", type=_numbers, default=known.sizes, help="of the images, such as 32,64")
    parser.add_argument("--channels", type=_numbers, default=known.channels, help="of the images, such as 1,3")
    parser.add_argument("--rounds", type=int, default=known.rounds, help="measurements of each thing")
    parser.add_argument("--steps", type=int, default=known.steps, help="steps of a measurement")
    parser.add_argument("--images", type=int, default=known.images, help="of the data set larger than memory")
    parser.add_argument(
        "--of", type=_names, default=known.of, help="cases of scale, such as cells,resume (default: all)"
    )
    parser.add_argument("--share", type=float, default=known.share, help="of scale: a part of its sizes, such as 0.1")
    parser.add_argument("--docs", type=Path, help="the folder of benchmarks.md and benchmarks.json")
    given = parser.parse_intermixed_args(argv)
    parts = [word for word in given.words if "=" not in word]
    if unknown := set(parts) - set(report.PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: no such part; there are {', '.join(report.PARTS)}")
    overrides = tuple(word for word in given.words if "=" in word)
    if missing := set(given.of) - set(CASES):
        parser.error(f"--of {','.join(sorted(missing))}: scale has the cases {', '.join(CASES)}")
    chosen = (given.losses, given.sizes, given.channels, given.rounds, given.steps, given.images)
    options = Options(*chosen, overrides, given.of, given.share, _show)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # temporary files and processes go too
    command = shlex.join(["python", "scripts/bench.py", *(sys.argv[1:] if argv is None else argv)])
    for name in parts or report.PARTS:
        at = report.facts(command)
        result = {"facts": at, **report.part(name).measure(options)}
        print(report.section(name, [result]), flush=True)
        if given.docs:
            report.keep(given.docs, {name: result})


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
