"""Show the runs' curves and pictures in TensorBoard, with the estimates and samples pinned above all others."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import webbrowser
from pathlib import Path

from gan_cli.config.arguments import Parser
from gan_cli.core.text import say
from gan_cli.errors import UserError
from gan_cli.runs.finding import find_directory

_NO_OPEN = "--no-open"
ALL_PICTURES = ("--samples_per_plugin", "images=100")  # TensorBoard's own default drops most grids of a long run


def main(argv: list[str]) -> int:
    """Serve a directory of runs until Ctrl-C.

    Raises:
        UserError: no such directory, a flag that TensorBoard does not know, or a port that is in use.
    """
    parser = Parser(
        prog="gan board",
        usage="gan board [DIR] [--no-open] [--port PORT] [--host HOST] [TensorBoard's own flags]",
        description=__doc__,
        epilog="DIR is a run, or a directory of runs. Further flags are TensorBoard's: --port 7007, --bind_all.",
    )
    parser.add_argument("directory", nargs="?", default="runs", metavar="DIR", help="what to show (default: runs)")
    parser.add_argument("--no-open", action="store_true", help="print the address and do not open a browser")
    has_directory = bool(argv) and (not argv[0].startswith("-") or argv[0] in ("-h", "--help"))
    directory = Path(parser.parse_args(argv[:1] if has_directory else []).directory)
    flags = argv[1:] if has_directory else argv
    if {"-h", "--help"} & set(flags):
        parser.parse_args(["--help"])
    if has_directory:
        directory = find_directory(str(directory))
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; `gan train` creates runs/, for another one: gan board DIR")
    address = serve(directory, [flag for flag in flags if flag != _NO_OPEN])
    from gan_cli.commands._board_address import with_pins

    address = with_pins(address, directory)
    with contextlib.suppress(KeyboardInterrupt):  # as soon as the address is shown
        say(f"{directory}: {address} (Ctrl-C stops it)")
        if _NO_OPEN not in flags and _has_browser():
            webbrowser.open(address)
        threading.Event().wait()
    return 0


def _has_browser() -> bool:
    """Return whether someone sits at this machine's screen, or has named a browser in BROWSER, as editors do."""
    if not sys.stdout.isatty():
        return False
    if os.environ.get("BROWSER"):
        return True
    screen = sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
    return screen and "SSH_CONNECTION" not in os.environ


def serve(directory: Path, flags: list[str]) -> str:
    """Start TensorBoard in a thread of this process and return its address.

    Raises:
        UserError: TensorBoard cannot be imported, refuses a flag, or does not start.
    """
    try:
        from tensorboard import default, program
        from tensorboard.plugins.metrics.metrics_plugin import MetricsPlugin
        from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin
    except ImportError as error:
        raise UserError(f"TensorBoard cannot be imported ({error}); pip install tensorboard") from error
    from gan_cli.commands._board_charts import Charts, CustomScalarsPlugin
    from gan_cli.commands._board_columns import Columns, HParamsPlugin
    from gan_cli.commands._board_scales import scaled

    ours = {HParamsPlugin: Columns, CustomScalarsPlugin: scaled(Charts)}
    ours |= {plugin: scaled(plugin) for plugin in (MetricsPlugin, ScalarsPlugin)}
    board = program.TensorBoard(plugins=[ours.get(plugin, plugin) for plugin in default.get_plugins()])
    try:
        with contextlib.redirect_stderr(io.StringIO()) as noise:  # TensorBoard's usage text and notes
            board.configure(argv=["tensorboard", "--logdir", str(directory), *ALL_PICTURES, *flags])
            return board.launch()
    except (SystemExit, ValueError) as error:
        text = noise.getvalue().strip().rpartition("error: ")[2] or str(error)
        if "{serve}" in text:  # a word that it took for its sub-command
            text = "TensorBoard does not accept these flags"
        raise UserError(f"{' '.join(flags)}: {text}") from error
    except program.TensorBoardServerException as error:
        raise UserError(f"TensorBoard did not start: {error.msg.strip()}; try another port: --port 7007") from error
