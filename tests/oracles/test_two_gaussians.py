"""Real N(-3, 1) and fake N(3, 1) on a line (Arjovsky et al. 2017, figure 2), and what gradients a discriminator gives.

The best discriminator's score is log p_r(x) - log p_g(x) = -6 x, so that D = sigmoid(-6 x) is flat wherever there are
fakes, and its generator gradient is 0 to any precision; the best critic is -x.

Arjovsky & Bottou 2017, theorem 2.5: with the best discriminator held still, the gradient of E -log D(G(z)) is that of
KL(P_g | P_r) - 2 JS(P_g | P_r), JS with the 1/2. Theorem 2.6: where the supports do not meet, that gradient's variance
is without bound as the discriminator gets better; their figure 3 shows both grow with its training.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from gan_cli.constraints.gradient_penalty import GradientPenalty
from gan_cli.data.synthetic import ParallelLines, TwoGaussians1d
from gan_cli.losses.base import CriticOutput
from gan_cli.losses.minimax import Minimax, NonSaturating
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.studies.quadrature import X, gaussian, integral, mixture
from tests.oracles.training import Gaussian, Line, build_state, generator_gradient, outputs, train

PAIR = TwoGaussians1d()


def output(score, x):
    return CriticOutput(score, x, {}, x)


def gradients_at(state, x):
    """Return the derivative of the generator's objective for a fake at each x."""
    x = x[:, None].requires_grad_()
    objective = state.game.generator_objective(state.game.ask(x), None) * len(x)
    return torch.autograd.grad(objective, x)[0][:, 0]


def test_figure_2_the_best_discriminator_is_flat_and_the_best_critic_is_not():
    x = torch.linspace(-6, 6, 25, dtype=torch.float64, requires_grad=True)
    for loss, score, at_fakes in ((Minimax(), -6 * x, 1e-6), (Wasserstein(), -x, 1.0)):
        (by_x,) = torch.autograd.grad(loss.generator(output(score, x), None) * len(x), x)
        fakes = by_x[x >= 3].abs()
        if isinstance(loss, Wasserstein):
            assert_close(by_x, torch.full_like(by_x, at_fakes))
        else:
            assert (fakes < at_fakes).all()
            assert_close(by_x, 6 * torch.sigmoid(-6 * x).detach())


@pytest.mark.slow
def test_figure_2_trained():
    rows = {}
    for name, loss, constraint in (("gan", Minimax(), None), ("critic", Wasserstein(), GradientPenalty(10.0))):
        state = build_state(Gaussian(3.0), loss, constraint, lr=5e-3)
        train(state, PAIR, 600)
        x = torch.linspace(1, 5, 41)
        with torch.no_grad():
            d = torch.sigmoid(state.game.ask(torch.tensor([[-3.0], [3.0]])).score)
        rows[name] = gradients_at(state, x), generator_gradient(state, PAIR), d
        by_x, gradient, d = rows[name]
        print(f"{name}: at fakes at most {by_x.abs().max():.1e}, of mu {gradient:.1e}, D {d[0]:.4f} {d[1]:.1e}")
    by_x, gradient, d = rows["gan"]
    assert d[0] > 0.999
    assert d[1] < 1e-3
    assert abs(gradient) < 0.02
    assert by_x[len(by_x) // 2 :].abs().max() < 0.01
    by_x, gradient, _ = rows["critic"]
    # As for lines 6 apart, the penalised gradient norm is about 1 + 6 / (2 lambda) = 1.3.
    assert ((by_x / 1.3 - 1).abs() < 0.05).all()
    assert abs(gradient / 1.3 - 1) < 0.05


def kl_minus_twice_js(p_r, p_g):
    """KL(P_g | P_r) - 2 JS(P_g | P_r) by quadrature, from the logarithms of the densities on X."""
    m = np.logaddexp(p_r, p_g) - np.log(2)
    kl = lambda p, q: integral(np.exp(p) * (p - q))  # noqa: E731
    return kl(p_g, p_r) - (kl(p_g, m) + kl(p_r, m))


@pytest.mark.parametrize("real", [gaussian(0.0, 1.0), mixture], ids=["gaussian", "mixture"])
@pytest.mark.parametrize(("mu", "sigma"), [(0.5, 1.0), (1.5, 0.7), (-1.0, 1.5), (3.0, 1.0)])
def test_the_log_d_gradient_is_that_of_kl_less_twice_js(real, mu, sigma):
    n = 200_000
    z = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n)
    theta = torch.tensor([mu, sigma], dtype=torch.float64, requires_grad=True)
    x = theta[0] + theta[1] * z
    log_q = lambda x: -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))  # noqa: E731
    # The best discriminator against this generator, held still: its score is log p_r - log p_g, differentiable in x.
    if real is mixture:
        normal = lambda m, s: torch.distributions.Normal(torch.tensor(m, dtype=torch.float64), s).log_prob(x)  # noqa: E731
        log_p = torch.logaddexp(np.log(0.33) + normal(-1.0, 0.2549), np.log(0.67) + normal(2.0, 1.4150))
    else:
        log_p = -0.5 * x**2 - np.log(np.sqrt(2 * np.pi))
    objective = NonSaturating().generator(output(log_p - log_q(x), x), None)
    (gradient,) = torch.autograd.grad(objective, theta)
    h = 1e-5
    differences = [
        (
            kl_minus_twice_js(real(X), gaussian(mu + h * a, sigma + h * b)(X))
            - kl_minus_twice_js(real(X), gaussian(mu - h * a, sigma - h * b)(X))
        )
        / (2 * h)
        for a, b in ((1, 0), (0, 1))
    ]
    assert_close(gradient, torch.tensor(differences, dtype=torch.float64), rtol=1e-3, atol=1e-4)


def test_it_may_point_away_from_what_a_divergence_would_say():
    # Twice JS is subtracted: far from the data the gradient follows KL(g | r), whose pull on mu is mu itself.
    mu, h = 6.0, 1e-4
    real = gaussian(0.0, 1.0)(X)
    pull = (kl_minus_twice_js(real, gaussian(mu + h, 1.0)(X)) - kl_minus_twice_js(real, gaussian(mu - h, 1.0)(X))) / (
        2 * h
    )
    assert abs(pull - mu) < 0.05


@pytest.mark.slow
def test_the_log_d_gradients_size_and_variance_grow_as_the_discriminator_improves():
    # Over seeds of the discriminator and over z, on supports that do not meet.
    lines, states = ParallelLines(), []
    for seed in range(4):
        states.append(build_state(Line(0.5), NonSaturating(), dimensions=2, lr=2e-3, seed=seed))
    table = []
    for updates in (25, 75, 200, 300):
        gradients, losses = [], []
        for seed, state in enumerate(states):
            train(state, lines, updates, batch_size=64, seed=seed, decay=False)
            real, fake = outputs(state, lines, 512)
            x = fake.x.detach().requires_grad_()
            (g,) = torch.autograd.grad(state.game.loss.generator(state.game.ask(x), None) * len(x), x)
            gradients.append(g[:, 0])
            losses.append(state.game.loss.critic(real, fake).item())
        g = torch.cat(gradients)
        table.append((np.mean(losses), g.abs().mean().item(), g.var().item()))
        print("L_D {:.1e}: |gradient| {:.3f}, variance {:.4f}".format(*table[-1]))
    for worse, better in pairwise(table):
        assert better[0] < worse[0]
        assert better[1] > worse[1]
        assert better[2] > worse[2]
    assert table[-1][2] > 5 * table[0][2]
