"""Random reflection of the real images that a run trains on."""

import torch

from gan_cli.analysis.reals import open_singly
from gan_cli.config.identity import Change, differences
from gan_cli.config.schema import Part
from gan_cli.data.flipped import Flipped
from gan_cli.data.source import Batch
from gan_cli.session import build
from tests.helpers import Noise

IMAGES = ("dataset.image_size=28", "dataset.limit=64", "train.batch_size=32", "model.width=4", "seed=3")


class WithSource(Noise):
    def batch(self, x):
        return Batch(x, None, None, 10 + x)


def test_half_of_the_images_are_reflected_with_their_sources_and_the_rest_stays():
    shape, n = (1, 4, 6), 200
    plain = WithSource(shape, n)
    flipped = Flipped(plain, n, 0, torch.device("cpu"))
    x, source = (getattr(flipped.batch(*flipped.draw(5)), name) for name in ("x", "source"))
    before = plain.batch(*plain.draw(5)).x
    reflected = (x == before.flip(3)).flatten(1).all(dim=1)
    assert torch.equal(x[~reflected], before[~reflected])
    assert torch.equal(source, 10 + x)
    assert 70 < int(reflected.sum()) < 130
    assert torch.equal(x, flipped.batch(*flipped.draw(5)).x)
    assert not torch.equal(x - before, flipped.batch(*flipped.draw(6)).x - plain.batch(*plain.draw(6)).x)


def test_a_run_trains_on_reflected_images_and_nothing_else_shows_them(config_of):
    plain, flipped = (build.check(config_of(*IMAGES, f"dataset.flip={flip}")).open() for flip in ("false", "true"))
    batches = [data.train.batch(*data.train.draw(0)).x for _, data in (plain, flipped)]
    assert not torch.equal(*batches)
    assert torch.equal(*(x.mean(dim=3) for x in batches)) or torch.allclose(*(x.mean(dim=3) for x in batches))
    assert torch.equal(*(data.fixed(64).x for _, data in (plain, flipped)))
    assert torch.equal(*(data.heldout.batch(*data.heldout.draw(0)).x for _, data in (plain, flipped)))
    assert plain[1].fingerprint == flipped[1].fingerprint
    seen = [open_singly(plan.parts.dataset, plan.device) for plan, _ in (plain, flipped)]
    assert torch.equal(*(data.train.batch(*data.train.draw(0)).x for data in seen))


def test_a_run_of_before_has_the_default_of_a_key_that_its_dataset_got_since(config_of):
    now = config_of(*IMAGES)
    arguments = {name: value for name, value in now.dataset.arguments.items() if name != "flip"}
    before = now.replace(dataset=Part.of(now.dataset.target, arguments))
    assert differences(before, now) == {}
    changed = differences(before, config_of(*IMAGES, "dataset.flip=true"))
    assert changed == {"dataset.flip": Change(False, True)}
