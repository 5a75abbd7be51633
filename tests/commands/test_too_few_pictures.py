"""Data that are too few for the scores: one line that says what there is and what is needed, before training too."""

from __future__ import annotations

import pytest
import torch

from gan_cli.analysis.evaluation import least
from gan_cli.extractors.pixels import Pixels
from gan_cli.metrics import frechet, kid, manifold, transport
from tests.conftest import IMAGES, SMALL
from tests.helpers import random_pictures, write_pictures

MEASURES = {
    frechet: frechet.frechet_distance,
    kid: kid.kernel_distance,
    manifold: manifold.manifold,
    transport: transport.sliced_w1,
}
TRAIN = ("train", *SMALL, *IMAGES, "dataset=folder", "dataset.path=pictures", "dataset.image_size=8", "run_dir=run")
TRAIN += ("train.batch_size=2",)


@pytest.mark.parametrize("module", MEASURES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_measure_takes_its_least_number_and_refuses_fewer(module):
    x = torch.randn(2, module.LEAST, 3, generator=torch.Generator().manual_seed(0))
    MEASURES[module](*x)
    with pytest.raises(ValueError, match=r"at least|must have"):
        MEASURES[module](*x[:, :-1])


def test_every_score_of_pictures_has_its_least_number():
    assert least(Pixels()) == max(module.LEAST for module in MEASURES) == 6
    assert least(None) == 1


def test_12_pictures_are_too_few_to_evaluate_and_no_count_helps(gan):
    write_pictures("pictures", random_pictures(12, 8, 8))
    assert gan(*TRAIN).code == 0
    for count in ("auto", "6", "100"):
        ended = gan("evaluate", "run", "extractor=pixels", f"count={count}")
        assert ended.code == 2
        assert ended.err == (
            f"gan: count={count}: the train split has 11 samples and the other 1, which make two sets of 5 with no "
            "sample in common; the scores need 6 in each: 12 or more in the train split\n"
        )
    assert "6 or more in the heldout split" in gan("evaluate", "run", "extractor=pixels", "split=heldout").err


@pytest.mark.parametrize("count", ["auto", "1000"])
def test_a_run_that_is_to_be_evaluated_says_so_before_it_trains(gan, tmp_path, count):
    write_pictures("pictures", random_pictures(12, 8, 8))
    asked = ("evaluate.every_steps=1", f"evaluate.count={count}", "extractor=pixels")
    ended = gan(*TRAIN, *asked)
    assert ended.code == 2
    assert ended.err.startswith(f"gan: evaluate.count={count}: the train split has 11 samples and the other 1")
    assert not (tmp_path / "run").exists()
    assert gan(*TRAIN, *asked[::2], "evaluate.count=auto", "dataset.holdout=6").code == 0


def test_two_domains_need_the_least_number_of_each(gan, run_of):
    run = run_of("translated")
    options = (run, "extractor=pixels", "device=cpu", "w1_count=1")
    assert gan("evaluate", *options, "count=6").err == (
        "gan: count=6: the samples are of two domains, and the scores need 12: count=12\n"
    )
    assert gan("evaluate", *options, "count=12").code == 0


def test_a_class_of_too_few_pictures_is_named_with_its_numbers(gan, run_of):
    options = ("extractor=pixels", "device=cpu", "within_classes=true", "count=6", "w1_count=2")
    ended = gan("evaluate", run_of("classes"), *options)
    assert ended.code == 2
    assert "within_classes=true: among 6 samples of each kind, class " in ended.err
