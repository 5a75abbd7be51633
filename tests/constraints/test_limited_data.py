"""LeCam and bCR against their formulas."""

import torch
from torch.testing import assert_close

from gan_cli.constraints.consistency import Consistency, moved
from gan_cli.constraints.lecam import LeCam
from gan_cli.rng import Draws


def test_lecam_compares_scores_with_the_average_of_the_other_kind():
    lecam = LeCam(weight=0.5, decay=0.9)
    real, fake = torch.randn(4, 6), torch.randn(4, 6)
    averages = torch.zeros(2)
    for i in range(4):
        expected = 0.5 * ((real[i] - averages[1]).square().mean() + (fake[i] - averages[0]).square().mean())
        assert_close(lecam.score_penalty(real[i], fake[i]), expected)
        lecam.update_(real[i], fake[i])
        shares = torch.tensor([0.9 ** (i - j) for j in range(i + 1)])
        means = torch.stack([real[: i + 1].mean(dim=1), fake[: i + 1].mean(dim=1)])
        averages = (means * shares).sum(dim=1) / shares.sum()
        assert_close(lecam.averages(), averages)


def test_bcr_is_the_squared_change_of_the_score():
    x, y = torch.randn(5, 1, 8, 8), torch.randn(5, 1, 8, 8)
    weight = torch.randn(8, 8)
    f = lambda images: (images[:, 0] * weight).sum(dim=(1, 2))  # noqa: E731
    u = Draws("cpu", 0, 0).uniform("penalty", 5, 6)
    found = Consistency(3.0, 7.0, shift=2).penalty(f, x, y, Draws("cpu", 0, 0))
    terms = [(f(moved(images, part, 2)) - f(images)).square().mean() for images, part in ((x, u[:, :3]), (y, u[:, 3:]))]
    assert_close(found, 3 * terms[0] + 7 * terms[1])
    assert_close(Consistency(3.0, 0.0, shift=2).penalty(f, x, y, Draws("cpu", 0, 0)), 3 * terms[0])


def test_a_moved_image_repeats_its_border():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    still = torch.tensor([[0.9, 0.5, 0.5]])
    assert torch.equal(moved(x, still, 1), x)
    assert torch.equal(moved(x, torch.tensor([[0.1, 0.5, 0.5]]), 1), x.flip(3))
    down = moved(x, torch.tensor([[0.9, 0.99, 0.5]]), 1)
    assert torch.equal(down[0, 0], x[0, 0][[0, 0, 1, 2]])
    left = moved(x, torch.tensor([[0.9, 0.5, 0.0]]), 1)
    assert torch.equal(left[0, 0], x[0, 0][:, [1, 2, 3, 3]])


def test_both_train_and_keep_their_state(config_of, tmp_path, monkeypatch):
    from tests.session.test_exact_resume import assert_exact

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = ("dataset.limit=40", "dataset.image_size=16", "model.width=4", "train.batch_size=8", "train.steps=5")
    logs = ("checkpoint.every_steps=3", "log.every_steps=2", "log.samples_every_steps=3", "log.sample_count=4")
    kit = ("loss=hinge", "constraint=lecam", "input=ada", "input.adapt_images=100", "dataset.flip=true")
    assert_exact(config_of(*run, *logs, *kit), tmp_path, monkeypatch)
