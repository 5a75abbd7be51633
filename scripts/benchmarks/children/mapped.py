"""Steps on images that do not fit into memory, and on those that do; prints JSON.

python mapped.py IMAGES SPARE ROUNDS STEPS OVERRIDES: so many images of 64 x 64 x 3 are generated into a memory-mapped
file, which is then dropped from the system's cache; so many spare bytes of memory are allowed beside the modules'.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from benchmarks.cases import case, ours
from benchmarks.timing import in_turn

from gan_cli.data.collection import Chunk, images_a_chunk
from gan_cli.data.image_set import ImageSet
from gan_cli.errors import UserError

SIZE = 64
FEW = 20_000  # images that fit


class Noise:
    """A collection of random images, costly to prepare for all that the pipeline knows."""

    costly, labels, class_names, fit, unused = True, None, None, "crop", ()
    shape = (3, SIZE, SIZE)

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def key(self) -> str:
        """Return what distinguishes it."""
        return f"noise {self.n}"

    def notes(self) -> list[str]:
        """Return nothing: the images have their size."""
        return []

    def chunks(self, positions: np.ndarray) -> Iterator[Chunk]:
        """Draw the images."""
        count, rng = images_a_chunk(self.shape), np.random.default_rng(0)
        for start in range(0, len(positions), count):
            part = positions[start : start + count]
            pixels = np.frombuffer(rng.bytes(len(part) * int(np.prod(self.shape))), np.uint8)
            yield Chunk(pixels.reshape(len(part), *self.shape), part, [])


class Generated(ImageSet):
    """The data set of these images."""

    name, channels, n_classes = "generated", 3, 0

    def __init__(self, n: int, resident: bool) -> None:
        super().__init__(image_size=SIZE, resident=resident)
        self.n = n

    def collect(self) -> Noise:
        """Return the images."""
        return Noise(self.n)


def status(name: str) -> int:
    """Return a field of this process's status, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def drop_cache() -> None:
    """Make the system forget the prepared files, which are read from the disk from here on."""
    for path in Path(os.environ["XDG_CACHE_HOME"]).rglob("images.uint8"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


images, spare, rounds, steps, *overrides = sys.argv[1:]
chosen = case("wgan", SIZE, 3, overrides)
n, device, seed = chosen.plan.config.train.batch_size, chosen.plan.device, chosen.plan.config.seed
limit = status("VmData") + int(spare)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
mapped = Generated(int(images), resident=False).open(n, seed, device)
resident = Generated(min(FEW, int(images) // 2), resident=True).open(n, seed, device)
try:
    Generated(int(images), resident=True).open(n, seed, device)
    refused = None
except UserError as error:
    refused = str(error)
drop_cache()
loops = {"mapped": ours(chosen, mapped.train), "resident": ours(chosen, resident.train)}
seconds = in_turn(loops, int(rounds), int(steps))
print(json.dumps({"rounds": seconds, "memory": status("RssAnon"), "refused": refused}), flush=True)
