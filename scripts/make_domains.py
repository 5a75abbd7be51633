"""Makes two small sets for translation from the Fashion-MNIST images that the package ships, and their held-out truth.

    python scripts/make_domains.py DIRECTORY

    DIRECTORY/edges/train   9,000 pictures, outline | clothes side by side, for dataset=pairs
    DIRECTORY/edges/test    1,000 others
    DIRECTORY/clothes       4,500 pictures in a sub-folder a class, for dataset=folder
    DIRECTORY/inverted      4,500 others, their grey values inverted
    DIRECTORY/turned        the same, and turned by 90 degrees
    DIRECTORY/test/clothes  1,000 that are in none of these, and
    DIRECTORY/test/inverted, DIRECTORY/test/turned
                            what each of them is in the other domain, under the same name: for measuring alone

Pictures are 32 x 32. An outline is black where Sobel's gradient of the image is above 0.3 of the largest.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gan_cli.data.images import FashionMNIST10k
from gan_cli.data.loader import to_bytes
from gan_cli.degradations.colour import Edges
from gan_cli.rng import Draws

SIZE, HELD_OUT, STEEP = 32, 1000, 0.3
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--limit", type=int, help="images to learn from, 9,000 where it is not given")
    arguments = parser.parse_args()
    data = FashionMNIST10k(SIZE, holdout=HELD_OUT, limit=arguments.limit).open(1, 0, CPU)
    classes = [name.replace("/", "-") for name in data.class_names]
    for part, source in (("train", data.train), ("test", data.heldout)):
        x, y, _, _ = source.at(torch.arange(source.size))
        write(arguments.directory / "edges" / part, torch.cat([outlines(x), x], dim=3))
        labels = [classes[i] for i in y.tolist()]
        if part == "test":
            write(arguments.directory / "test" / "clothes", x, labels)
            write(arguments.directory / "test" / "inverted", -x, labels)
            write(arguments.directory / "test" / "turned", turned(x), labels)
        else:
            write(arguments.directory / "clothes", x[::2], labels[::2])
            write(arguments.directory / "inverted", -x[1::2], labels[1::2])
            write(arguments.directory / "turned", turned(x[1::2]), labels[1::2])


def outlines(x: Tensor) -> Tensor:
    """Return -1 where images (N, 1, H, W) are steep, and 1 elsewhere."""
    return torch.where(Edges()(x, Draws(CPU, 0, 0)) < 1 - 2 * STEEP, -1.0, 1.0)


def turned(x: Tensor) -> Tensor:
    """Return images turned anticlockwise by 90 degrees, with inverted grey values."""
    return -x.rot90(1, (2, 3))


def write(directory: Path, images: Tensor, labels: list[str] | None = None) -> None:
    """Write images (N, 1, H, W) as 00000.png and so on, each in the sub-folder of its label where there are labels."""
    for i, pixels in enumerate(to_bytes(images)[:, 0].numpy()):
        folder = directory / labels[i] if labels else directory
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{i:05}.png")


if __name__ == "__main__":
    main()
