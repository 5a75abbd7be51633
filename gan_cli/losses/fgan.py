"""The f-GAN losses, which minimise an f-divergence."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat
from torch import Tensor

from gan_cli.core.curves import Curve
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.losses.divergences import DIVERGENCES, Name, alpha_divergence


class FGAN(Loss):
    """f-GAN (Nowozin et al. 2016, equations 6 and 7).

    With P the real samples, Q the fakes and V the score, the critic maximises
    F = E_P g_f(V) - E_Q f*(g_f(V)), a lower bound of D_f(P || Q) = E_Q f(p / q), tight where g_f(V) = f'(p / q). The
    generator minimises F, as in Algorithm 1, or maximises E_Q g_f(V), the alternative of section 3.2. The alternative
    has the same fixed point only where the generator can match P: elsewhere it does not minimise D_f.

    From the paper's tables 1, 2 and 6 (f is convex and f(1) = 0 but for `gan`):

        divergence         f(u)                                 g_f(v)                       f*(t)
        total_variation    |u - 1| / 2                          tanh(v) / 2                  t
        kl                 u log u                              v                            exp(t - 1)
        reverse_kl         -log u                               -exp(-v)                     -1 - log(-t)
        pearson            (u - 1)^2                            v                            t^2 / 4 + t
        neyman             (1 - u)^2 / u                        1 - exp(-v)                  2 - 2 sqrt(1 - t)
        squared_hellinger  (sqrt(u) - 1)^2                      1 - exp(-v)                  t / (1 - t)
        jeffrey            (u - 1) log u                        v                            w + 1 / w + t - 2
        jensen_shannon     u log u - (u + 1) log((1 + u) / 2)   log 2 - log(1 + exp(-v))     -log(2 - exp(t))
        gan                u log u - (u + 1) log(u + 1)         -log(1 + exp(-v))            -log(1 - exp(t))
        alpha, a < 1       (u^a - 1 - a (u - 1)) / (a (a - 1))  1/(1-a) - log(1 + exp(-v))   (x^(a / (a - 1)) - 1) / a
        alpha, a > 1       the same                             v                            the same

    with w = W(exp(1 - t)), W the Lambert function, and x = 1 + (a - 1) t. Every g_f increases, as section 3.2 asks, so
    a high score means real; for reverse_kl, neyman and squared_hellinger that is exp(-v), not exp(v).

    Conventions: jensen_shannon is KL(P || M) + KL(Q || M), M the even mixture, without the 1/2: at most 2 log 2. gan is
    twice the Jensen-Shannon divergence with the 1/2, minus log 4: it is minimax GAN, between -log 4 and 0. jeffrey is
    KL(P || Q) + KL(Q || P). pearson's f is that polynomial for negative u too, so its bound loses where t < -2; the
    best critic is never there. alpha = 2 is half of pearson, 1/2 twice squared_hellinger, -1 half of neyman.

    The paper's gradient steps are plain; on images it used Adam, with this package's `optimizer=adam`.

    Args:
        divergence: name of the divergence of P || Q, so kl is KL(real || fake).
        generator: `minimax` or `alternative`.
        alpha: of the alpha divergence, null for all others.

    Raises:
        ValueError: alpha is missing, or is given for a divergence without alpha.
    """

    logged = (Curve("critic/f_divergence_bound", "1", "lower", "a lower bound of the loss's f-divergence"),)

    def __init__(
        self,
        divergence: Name = "jensen_shannon",
        generator: Literal["minimax", "alternative"] = "minimax",
        alpha: FiniteFloat | None = None,
    ) -> None:
        super().__init__()
        if (divergence == "alpha") != (alpha is not None):
            wanted = "loss.alpha=0.5" if alpha is None else "loss.alpha=null, or loss=fgan_alpha"
            raise ValueError(f"divergence={divergence} with alpha={alpha}: {wanted}")
        self.divergence = alpha_divergence(alpha) if alpha is not None else DIVERGENCES[divergence]
        self.minimax = generator == "minimax"

    def critic(self, real: CriticOutput, fake: CriticOutput) -> Tensor:
        """Return -F."""
        return self.divergence.conjugate(fake.score).mean() - self.divergence.activation(real.score).mean()

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> Tensor:
        """Return -E_Q f*(g_f(V)), the part of F that depends on fakes, or with `real` all of F; or -E_Q g_f(V)."""
        if not self.minimax:
            return -self.divergence.activation(fake.score).mean()
        return -self.divergence.conjugate(fake.score).mean() if real is None else -self.critic(real, fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, Tensor]:
        """Return the lower bound F of the divergence."""
        return {"f_divergence_bound": -self.critic(real, fake)}
