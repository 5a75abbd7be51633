"""The result of the mode-collapse tests in one line."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_cli.analysis.birthday import Birthday, wilson
from gan_cli.metrics.modes import ModeCoverage, kl_to_uniform

FEW = 500  # different samples: a generator with fewer has collapsed, or has memorised so many images
MISSING_SHARE = 0.1  # a class is missing whose share is below this part of its share among reals
LOST_MODES = 0.1  # of the modes
EXPECTED = 5  # fakes of a class, at the lower end of the interval of its share, before it can be missing


class Classes(NamedTuple):
    """The classes that a classifier finds.

    Attributes:
        fake: (K,) shares among the fakes.
        real: (K,) shares among held-out reals.
        missing: classes whose share among the fakes is below a tenth of that among the reals; a class that is so rare
            among the reals that fewer than EXPECTED fakes of it are to be expected is not counted.
        met: number of classes with at least one fake.
        kl_to_uniform: KL divergence of the fakes' shares from equal shares, in nats.
    """

    fake: Tensor
    real: Tensor
    missing: list[int]
    met: int
    kl_to_uniform: float


def class_shares(fake: Tensor, real: Tensor, n_classes: int) -> Classes:
    """Count the classes (N,) of fakes and of real samples."""
    shares = [torch.bincount(y, minlength=n_classes).double() / len(y) for y in (fake, real)]
    lacking = (shares[0] < MISSING_SHARE * shares[1]).nonzero()[:, 0].tolist()
    counts = torch.bincount(real, minlength=n_classes).tolist()
    lacking = [k for k in lacking if len(fake) * wilson(counts[k], len(real))[1] >= EXPECTED]
    return Classes(*shares, lacking, int((shares[0] > 0).sum()), kl_to_uniform(shares[0]))


def verdict(found: Birthday, n_train: int | None, modes: ModeCoverage | None, classes: Classes | None) -> str:
    """Return one line: whether the generator has collapsed, and the evidence.

    Args:
        found: result of the birthday test.
        n_train: number of samples that the critic learns from; None: unlimited.
        modes: modes of a known mixture.
        classes: where a classifier knows those of the data; lost ones are listed where a sample of this size should
            hold them.
    """
    signs = []
    if found.high < FEW:
        signs.append(f"it has about {found.support:,.0f} different samples ({found.low:,.0f} to {found.high:,.0f})")
    if modes is not None and modes.captured < (1 - LOST_MODES) * modes.total:
        signs.append(f"it reaches {modes.captured} of {modes.total} modes")
    if classes is not None and classes.missing and len(classes.fake) <= 100:
        signs.append(f"{len(classes.missing)} of {len(classes.fake)} classes are missing")
    if not signs:
        if math.isinf(found.support):
            text = f"no more duplicates than among real samples in batches of {found.at.size}"
        else:
            text = f"about {found.support:,.0f} different samples ({found.low:,.0f} or more)"
        return f"no sign of collapse: {text}"
    text = f"collapsed: {'; '.join(signs)}"
    if found.high < FEW and n_train is not None and found.low <= 2 * n_train and n_train <= 2 * found.high:
        text += f", as many as it was trained on ({n_train:,}): it may have memorised them"
    return text
