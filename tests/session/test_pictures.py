"""What the pictures of a run show."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE, GAP = 8, 2  # of an image and between two, in pixels


def test_a_column_of_real_images_has_one_class_where_a_generated_one_has(gan, tmp_path):
    grey = np.array([40, 120, 200], np.uint8)
    labels = np.arange(60) // 2 % 3
    np.savez("grey.npz", images=np.broadcast_to(grey[labels, None, None], (60, SIZE, SIZE)), labels=labels)
    words = ("dataset=array", "dataset.path=grey.npz", "dataset.holdout=12")
    tiny = ("model=mlp", "model.width=4", "train.batch_size=6", "train.steps=1", "log.sample_count=8", "runtime=cpu")
    ended = gan("train", *words, *tiny, "condition=concat", "run_dir=run")
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "run" / "samples" / "real.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    middles = [GAP + SIZE // 2 + i * (SIZE + GAP) for i in range(3)]
    shown = [[pixels[y, x] for x in middles] for y in middles]
    assert shown == [[*grey], [*grey], [*grey[:2], 255]]
