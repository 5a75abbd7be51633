"""Trains the classifier behind `extractor=fashion_mnist` and writes its weights; prints its accuracy and SHA-256.

    python scripts/train_extractor.py                                    one to three minutes on a CPU
    python scripts/train_extractor.py --out x.safetensors --epochs 1

It learns from the training split of the images that the package ships (9,500 of 10,000); accuracy is measured on the
500 held out, and on the 60,000 of the public training set where they are on this machine. Half of each batch is taken
to 32 x 32 and back, as samples of that size will be. After a change of the weights, SHA256 in
gan_cli/extractors/fashion_mnist.py must say the printed one.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from gan_cli.data.image_set import ImageSet
from gan_cli.data.images import FashionMNIST, FashionMNIST10k
from gan_cli.data.source import Batch, Source
from gan_cli.errors import UserError
from gan_cli.extractors import fashion_mnist
from gan_cli.extractors.fashion_mnist import SIDE, Classifier, to_side

OUT = Path(fashion_mnist.__file__).parent / "files" / "fashion_mnist.safetensors"
BATCH = 128
SHIFT = 2  # pixels that an image is moved by, at most
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
    train(network, everything(FashionMNIST10k(SIDE), "train"), arguments.epochs)
    content = safetensors.torch.save({name: t.contiguous() for name, t in network.state_dict().items()})
    arguments.out.write_bytes(content)
    report(network, "held out", everything(FashionMNIST10k(SIDE), "heldout"))
    try:
        unseen = everything(FashionMNIST(SIDE, holdout=1), "train")
    except UserError:
        print("the public training set is not on this machine")
    else:
        report(network, "public training set", unseen)
    print(f"{arguments.out}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


def everything(images: ImageSet, split: str) -> Batch:
    """Return all images of a split."""
    source: Source = getattr(images.open(1, 0, HOST), split)
    return source.at(torch.arange(source.size))


def train(network: nn.Module, data: Batch, epochs: int) -> None:
    """Minimise the smoothed cross-entropy by SGD with one cycle of the learning rate."""
    steps = epochs * (len(data.x) // BATCH)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    loss = nn.CrossEntropyLoss(label_smoothing=0.05)
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(data.x))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            value = loss(network(augmented(data.x[rows]))[1], data.y[rows])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss {value.item():.3f}", flush=True)
    network.eval()


def augmented(x: Tensor) -> Tensor:
    """Return images moved, mirrored with probability 1/2, and half of them taken to 32 x 32 and back."""
    down, right = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
    x = nn.functional.pad(x, (SHIFT,) * 4, value=-1.0)
    x = x[:, :, SHIFT + down : SHIFT + down + SIDE, SHIFT + right : SHIFT + right + SIDE]
    mirrored = torch.rand(len(x), 1, 1, 1) < 0.5
    x = torch.where(mirrored, x.flip(3), x)
    half = len(x) // 2
    x = torch.cat([to_side(to_side(x[:half], 32), SIDE), x[half:]])
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def report(network: nn.Module, name: str, data: Batch) -> None:
    """Print the share of images that are classified rightly, as they are and by way of 32 x 32."""
    for way, x in (("28 x 28", data.x), ("by way of 32 x 32", to_side(to_side(data.x, 32), SIDE))):
        found = torch.cat([network(part)[1].argmax(1) for part in x.split(500)])
        print(f"accuracy on {len(x):,} images, {name}, {way}: {(found == data.y).double().mean():.4f}")


if __name__ == "__main__":
    main()
