"""What the findings come to."""

from __future__ import annotations

import math

import torch

from gan_cli.analysis.birthday import Birthday, Size
from gan_cli.analysis.collapse import class_shares, verdict
from gan_cli.metrics.modes import ModeCoverage


def birthday_of(support, low, high):
    at = Size(181, 60, 30, 1.0, 0.01, 0.02)
    return Birthday([at], at, support, low, high, torch.empty(0, 2), torch.empty(0))


HEALTHY = birthday_of(math.inf, 90_000, math.inf)


def test_shares_and_what_is_missing():
    real = torch.arange(10).repeat(50)
    found = class_shares(torch.tensor([0] * 68 + [1] * 29 + [2] * 3), real, 10)
    assert found.missing == [3, 4, 5, 6, 7, 8, 9]
    assert found.met == 3
    torch.testing.assert_close(found.fake[:4], torch.tensor([0.68, 0.29, 0.03, 0.0]).double())
    assert class_shares(real, real, 10).missing == []
    assert class_shares(real, real, 10).kl_to_uniform < 1e-12
    rare = torch.tensor([0] * 999 + [1])
    assert class_shares(torch.zeros(2_500).long(), rare, 2).missing == []  # by chance, one in twelve such sets
    absent = torch.tensor([0, 0, 1, 1])
    assert class_shares(absent, absent, 3).missing == []  # what is not among the reals cannot be missing


def test_no_sign():
    line = verdict(HEALTHY, 9_500, None, None)
    assert line == "no sign of collapse: no more duplicates than among real samples in batches of 181"
    many = verdict(birthday_of(8_000, 5_000, 12_000), 9_500, ModeCoverage(24, 25, 0.9, 0.1), None)
    assert many == "no sign of collapse: about 8,000 different samples (5,000 or more)"


def test_few_samples_and_memorised_ones():
    assert (
        verdict(birthday_of(60, 40, 90), 9_500, None, None) == "collapsed: it has about 60 different samples (40 to 90)"
    )
    line = verdict(birthday_of(60, 40, 90), 50, None, None)
    assert line.endswith("as many as it was trained on (50): it may have memorised them")
    assert "heart" not in verdict(birthday_of(60, 40, 90), None, None, None)


def test_lost_modes_and_classes():
    modes = ModeCoverage(3, 8, 0.9, 1.0)
    real = torch.arange(10).repeat(50)
    classes = class_shares(real[real < 3], real, 10)
    assert verdict(HEALTHY, None, modes, None) == "collapsed: it reaches 3 of 8 modes"
    assert verdict(HEALTHY, 9_500, None, classes) == "collapsed: 7 of 10 classes are missing"
    thousand = class_shares(torch.arange(900), torch.arange(1000), 1000)
    assert "no sign" in verdict(HEALTHY, None, None, thousand)  # one sample a class is too few
