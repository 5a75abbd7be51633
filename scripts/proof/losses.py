"""Every loss, task and network family trains for fifty steps as `auto` would have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from gan_cli.config.tree import conf_dir
from gan_cli.errors import GanError
from proof.scale import Proof, Scale, passed

RESTORE = ("task=restore", "dataset.image_size=32")
OTHERS = (
    (*RESTORE, "degradation=downsample"),
    (*RESTORE, "model=unet", "degradation=mask"),
    (*RESTORE, "model=resnet_translator", "degradation=noise"),
    ("task=cycle", "dataset_b=fashion_mnist_10k"),
    ("dataset.image_size=[28,40]",),
    ("condition=projection", "loss=hinge", "model=resnet"),
    ("condition=auxiliary_classifier", "loss=nonsaturating"),
    ("updates=simultaneous", "loss=nonsaturating"),
    ("updates=unrolled", "loss=nonsaturating", "updates.k=2"),
    ("input=ada", "loss=nonsaturating"),
    ("schedule=linear", "loss=nonsaturating", "optimizer=adam"),
    ("loss=wgan_gp", "model=mlp", "train.accumulate=2"),
    ("input=pack", "loss=nonsaturating"),
)


def prove(scale: Scale, folder: Path) -> Proof:
    """Train each; its last row must be finite."""
    cases = [case for group, few in zip(configs(), (2, 1, 1), strict=True) for case in scale.few(group, few)]
    failed, steps = {}, scale.steps(50)
    for number, case in enumerate(cases):
        try:
            run = scale.train(folder / str(number), *case, f"train.steps={steps}")
            last = {tag: values[-1] for tag, values in run.metrics.items()}
            if wrong := [tag for tag, value in last.items() if tag.endswith("/loss") and not math.isfinite(value)]:
                failed[" ".join(case)] = f"not finite: {', '.join(wrong)}"
        except GanError as error:
            failed[" ".join(case)] = str(error)
    found = f"{len(cases)} configs of {steps} steps, {len(failed)} failed"
    return Proof(passed(not failed), "; ".join([found, *map(": ".join, failed.items())]), {"failed": failed})


def configs() -> tuple[Sequence[tuple[str, ...]], ...]:
    """Return the overrides of every config: each loss, each network family, and the other parts."""
    losses = [(f"loss={path.stem}",) for path in sorted((conf_dir() / "loss").glob("*.yaml")) if path.stem != "none"]
    models = sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml"))
    families = [(f"model={name}", *_companions(name)) for name in models if name not in _READERS]
    return losses, families, OTHERS


_READERS = ("srresnet", "unet", "resnet_translator")  # these read a picture: tasks train them


def _companions(model: str) -> tuple[str, ...]:
    return ("dataset=swiss_roll",) if model.startswith("toy_") else ()
