"""The energy-based GAN."""

from __future__ import annotations

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import normalize, relu

from gan_cli.core.curves import Curve
from gan_cli.losses.auto_encoder import AutoEncoderLoss
from gan_cli.losses.base import CriticOutput


class EBGAN(AutoEncoderLoss):
    """Energy-based GAN (Zhao, Mathieu & LeCun 2017, equations 1 to 3 and the pulling-away term of section 2.4).

    With the energy D(x) = ||Dec(Enc(x)) - x||^2 the critic minimises D(real) + [m - D(fake)]^+, and the generator
    D(fake) + w f_PT, where f_PT = 1 / (N (N - 1)) sum_{i != j} cos(s_i, s_j)^2 over the codes s of the generated batch.

    Differences from the paper: the energy is the mean over a sample's values, not the norm over all of them, so that
    a margin does not depend on the size of the images. The paper's margins are of the norm: squared and divided by
    the number of values, 10 for MNIST is 0.13, 20 for CelebA 0.03 and 80 for LSUN 0.5. The weight w is beside the norm,
    too: the gradient of a mean square e of V values is 2 sqrt(e / V) times the norm's, so that 0.1 for MNIST is 0.0026
    near the margin. With batch norm in the critic (`norm: auto` of a model is none here) or a margin of 1 the generator
    ends at one picture on Fashion-MNIST.

    Args:
        margin: m, the energy above which generated samples no longer change the critic.
        pull_away: w; 0.1 beside the norm in the paper's EBGAN-PT, 0 for its plain EBGAN.
    """

    energy = "l2"
    logged = (
        *AutoEncoderLoss.logged,
        Curve(
            "critic/pulling_away", "1", "lower", "mean squared cosine between the codes of different fakes, in [0, 1]"
        ),
    )

    def __init__(self, margin: PositiveFloat = 0.1, pull_away: NonNegativeFloat = 0.0) -> None:
        super().__init__()
        self.margin = margin
        self.pull_away = pull_away
        self.per_sample = not pull_away
        self.compares_pairs = bool(pull_away)

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return E D(real) + E [m - D(fake)]^+ (equation 1)."""
        return real.score.mean() + relu(self.margin - fake.score).mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return E D(fake) (equation 2), plus the weighted pulling-away term if there is one."""
        objective = fake.score.mean()
        return objective + self.pull_away * pulling_away(fake.features) if self.pull_away else objective

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return `energy_gap`, E D(fake) - E D(real), and the `pulling_away` term, in [0, 1], if it is in use."""
        curves = super().estimates(real, fake)
        return curves | ({"pulling_away": pulling_away(fake.features)} if self.pull_away else {})


def pulling_away(codes: Tensor) -> Tensor:
    """Return the mean squared cosine between different codes (N, F), 0-d; N at least 2 (equation 4)."""
    n = len(codes)
    directions = normalize(codes, dim=1)
    cosines = directions @ directions.T
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / (n * (n - 1))
