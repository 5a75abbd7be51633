"""Trains the classifier behind `extractor=fashion_mnist` and writes its weights; prints its accuracy and SHA-256.

    python scripts/train_extractor.py                                    one to three minutes on a CPU
    python scripts/train_extractor.py --out x.safetensors --epochs 1

It is `gan classifier` on the images that the package ships, at 28 x 28: 9,500 of 10,000. Accuracy is measured on the
500 held out, and on the 60,000 of the public training set where they are on this machine. Half of each batch is taken
to 32 x 32 and back, as samples of that size will be. After a change of the weights, SHA256 in
gan_cli/extractors/fashion_mnist.py must say the printed one.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from gan_cli.analysis.classifying import Augmentation, right, train
from gan_cli.data.image_set import ImageSet
from gan_cli.data.images import FashionMNIST, FashionMNIST10k
from gan_cli.data.source import Batch, RealData
from gan_cli.errors import UserError
from gan_cli.extractors import fashion_mnist
from gan_cli.extractors.fashion_mnist import SIDE, Classifier, to_side

OUT = Path(fashion_mnist.__file__).parent / "files" / "fashion_mnist.safetensors"
BATCH = 128
OTHER_SIDE = 32
HOST = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    network = Classifier().to(memory_format=torch.channels_last)
    data = opened(FashionMNIST10k(SIDE))
    fit(network, lambda k: data.train.batch(*data.train.draw(k)), data.train.size, arguments.epochs)
    content = safetensors.torch.save({name: t.contiguous() for name, t in network.state_dict().items()})
    arguments.out.write_bytes(content)
    report(network, "held out", everything(data, "heldout"))
    try:
        unseen = everything(opened(FashionMNIST(SIDE, holdout=1)), "train")
    except UserError:
        print("the public training set is not on this machine")
    else:
        report(network, "public training set", unseen)
    print(f"{arguments.out}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


def opened(images: ImageSet) -> RealData:
    """Open a dataset in batches of BATCH."""
    return images.open(BATCH, 0, HOST)


def everything(data: RealData, split: str) -> Batch:
    """Return all images of a split."""
    source = getattr(data, split)
    return source.at(torch.arange(source.size))


def fit(network: nn.Module, draw: Callable[[int], Batch], images: int, epochs: int) -> None:
    """Train a classifier on batches of BATCH."""
    a_epoch = images // BATCH
    for step, loss in enumerate(train(network, draw, epochs * a_epoch, 0, Augmentation(detour=OTHER_SIDE)), 1):
        if step % a_epoch == 0:
            print(f"epoch {step // a_epoch} of {epochs}: loss {loss:.3f}", flush=True)


def report(network: nn.Module, name: str, data: Batch) -> None:
    """Print the share of images that are classified rightly, as they are and by way of 32 x 32."""
    for way, x in (("28 x 28", data.x), ("by way of 32 x 32", to_side(to_side(data.x, OTHER_SIDE), SIDE))):
        share = right(network, x, data.y).double().mean()
        print(f"accuracy on {len(x):,} images, {name}, {way}: {share:.4f}")


if __name__ == "__main__":
    main()
