"""The size of the noise where it is `auto`, and the weight of a gradient penalty, by the samples."""

import pytest

from gan_cli.constraints.gradient_penalty import GradientPenalty
from gan_cli.latents.infogan import InfoGAN
from gan_cli.latents.prior import Normal


@pytest.mark.parametrize(("shape", "is_toy"), [((1, 28, 28), False), ((1,), True), ((3,), True), ((200,), False)])
def test_points_of_few_dimensions_have_their_own(shape, is_toy):
    assert Normal("auto").resolve(shape) == {"size": 2 if is_toy else 100}
    assert InfoGAN("auto").resolve(shape)["size"] == (2 if is_toy else 62)
    assert GradientPenalty("auto").resolve(shape) == {"weight": 0.1 if is_toy else 10.0}
    assert Normal(7).resolve(shape) == {"size": 7}
