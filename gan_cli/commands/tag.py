"""Print words for pictures, by a run of task=tag."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.arguments import Parser, whole
from gan_cli.config.targets import allowed_targets
from gan_cli.core.text import one_line, say
from gan_cli.errors import UserError
from gan_cli.runs.finding import find_one

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.data.tagged_folder import TaggedFolder

_EPILOG = """\
Prints one line for each picture: its path, a tab, and its words with commas between them, those with the most votes
first. No data are needed: the run has the words and their vectors. For runs with your own parts, add
'allow_targets=[my_losses]'."""


def main(argv: list[str]) -> int:
    """Print a line of words for each picture.

    Raises:
        UserError: no such run, one of another task, or a picture that cannot be read.
    """
    parser = Parser(prog="gan tag", description=__doc__, epilog=_EPILOG)
    parser.add_argument("run", metavar="RUN", help="a run directory")
    parser.add_argument("pictures", nargs="+", metavar="PICTURES", help="pictures, or directories of pictures")
    parser.add_argument("--top", type=whole(0), default=5, help="words for a picture (default: 5)")
    parser.add_argument("--seed", type=whole(0), default=0, help="seed of the z (default: 0)")
    parser.add_argument(
        "--weights", choices=("auto", "ema", "raw"), default="auto", help="of the generator (default: auto)"
    )
    parser.add_argument("--checkpoint", type=_which, default="latest", help="latest, best, or a step (default: latest)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    words, allowed = allowed_targets(argv)
    arguments = parser.parse_args(words)
    import torch

    from gan_cli.analysis import tagging
    from gan_cli.data.loader import to_float
    from gan_cli.session import single_parts
    from gan_cli.session.load import generator_of, load

    path = Path(find_one(arguments.run, ""))
    run = load(path, arguments.device, arguments.checkpoint, allowed)
    game = run.state.game
    if game.task.reads != "vector":
        raise UserError(f"{path}: its generator writes no words: gan tag needs a run of task=tag")
    network, device = generator_of(run.state, arguments.weights), next(game.parameters()).device
    paths = _pictures(arguments.pictures)
    images = _read(paths, single_parts.dataset(run.config))
    extractor = single_parts.loaded(single_parts.extractor(run.config), device)
    for name, image in zip(paths, images, strict=True):
        with torch.no_grad():
            source = game.task.source_of(extractor, to_float(image[None].to(device)))
        scores = tagging.votes(game, network, source, arguments.seed)
        (found,) = tagging.words_of(scores, game.task.vocabulary, arguments.top)
        print(f"{one_line(name)}\t{', '.join(map(one_line, found))}")
    return 0


def _pictures(given: Sequence[str]) -> list[Path]:
    """Return the pictures that are named, and those in the directories that are.

    Raises:
        UserError: a directory without pictures.
    """
    from gan_cli.data.listing import list_pictures
    from gan_cli.data.unused import summary

    found = []
    for path in map(Path, given):
        if not path.is_dir():
            found.append(path)
            continue
        listing = list_pictures(path)
        if listing.unused:
            say(f"{path}: not used: {summary(listing.unused)}", sys.stderr)
        found += [path / picture.name for picture in listing.pictures]
    return found


def _read(paths: Sequence[Path], dataset: TaggedFolder) -> list[Tensor]:
    """Return the pictures (C, H, W) uint8, as the run's dataset prepares them.

    Raises:
        UserError: one cannot be read.
    """
    import torch

    from gan_cli.data.pictures import BadPicture, colour_of, read_picture

    shape = (dataset.wanted_channels, *dataset.sides)
    background, images = colour_of(dataset.background), []
    for path in paths:
        try:
            with open(path, "rb") as file:
                images.append(torch.tensor(read_picture(file, shape, background, fit=dataset.fit)))
        except BadPicture as error:
            raise UserError(f"{path}: {error}") from error
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return images


def _which(text: str) -> str | int:
    return text if text in ("latest", "best") else whole(0)(text)
