"""The f-GAN family against the definition of the conjugate, and against divergences that are known."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.testing import assert_close

from gan_cli.losses.divergences import DIVERGENCES, alpha_divergence
from gan_cli.losses.fgan import FGAN
from gan_cli.losses.minimax import Minimax, NonSaturating
from gan_cli.studies.quadrature import BEST, WHOLE_LINE, F, X, alpha_best, alpha_f, divergence, gaussian, integral
from tests.helpers import output

ALPHAS = (-1.0, 0.3, 0.5, 0.6, 1.1, 1.5, 2.0, 3.0)
CASES = {name: (FGAN(name), F[name], BEST[name], None) for name in DIVERGENCES}
CASES |= {f"alpha {a}": (FGAN("alpha", alpha=a), alpha_f(a), alpha_best(a), a) for a in ALPHAS}
LOSSES = {name: case[0] for name, case in CASES.items()}


def conjugate(f, t, whole_line=False):
    """sup over u of u t - f(u), by search over log u, or over u where f is taken on the whole line."""
    if whole_line:
        return -minimize_scalar(lambda u: f(u) - u * t, bracket=(-1, 1), tol=1e-12).fun
    loss = lambda log_u: f(math.exp(log_u)) - math.exp(log_u) * t  # noqa: E731
    grid = np.linspace(-40, 40, 4001)
    near = grid[np.argmin([loss(g) for g in grid])]
    return -minimize_scalar(loss, bounds=(near - 0.05, near + 0.05), method="bounded", options={"xatol": 1e-12}).fun


@pytest.mark.parametrize("name", CASES)
def test_the_conjugate_is_the_supremum(name):
    loss, f, _, _ = CASES[name]
    v = torch.linspace(-4, 4, 9, dtype=torch.float64)
    t = loss.divergence.activation(v)
    expected = [conjugate(f, float(x), name in WHOLE_LINE) for x in t]
    assert_close(loss.divergence.conjugate(v), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


DOMAINS = {  # of f*: open where the bound is -inf or inf
    "total_variation": (-0.5, 0.5),
    "reverse_kl": (-math.inf, 0),
    "neyman": (-math.inf, 1),
    "squared_hellinger": (-math.inf, 1),
    "jensen_shannon": (-math.inf, math.log(2)),
    "gan": (-math.inf, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_the_activation_increases_and_stays_in_the_domain_of_the_conjugate(name):
    loss, alpha = CASES[name][0], CASES[name][3]
    low, high = DOMAINS.get(name, (-math.inf, 1 / (1 - alpha) if alpha and alpha < 1 else math.inf))
    t = loss.divergence.activation(torch.linspace(-50, 50, 1001, dtype=torch.float64))
    assert (t.diff() >= 0).all()
    assert t[450:550].diff().min() > 0
    assert t.min() >= low
    assert t.max() <= high
    inside = loss.divergence.activation(torch.linspace(-10, 10, 101, dtype=torch.float64))
    assert inside.min() > low
    assert inside.max() < high


@pytest.mark.parametrize("name", CASES)
def test_the_best_critic_attains_the_divergence_of_two_gaussians(name):
    # F = E_P T - E_Q f*(T), at T = f'(p / q) and below it at any other critic
    loss, _, best, alpha = CASES[name]
    p, q = gaussian(0.3, 1.1), gaussian(-0.4, 1.3)
    log_p, log_q = p(X), q(X)
    r = log_p - log_q
    inside = np.abs(r) < 20  # elsewhere both densities vanish
    exact = divergence(name, p, q, alpha)

    def bound(t):
        v = torch.from_numpy(inverse(loss, t[inside]))
        f_star = loss.divergence.conjugate(v).numpy()
        return integral(np.exp(log_p[inside]) * loss.divergence.activation(v).numpy(), X[inside]) - integral(
            np.exp(log_q[inside]) * f_star, X[inside]
        )

    assert bound(best(r)) == pytest.approx(exact, rel=1e-5, abs=1e-7)
    assert bound(best(r - 0.3)) < exact - 1e-4


def inverse(loss, t):
    """The scores v with g_f(v) = t, by bisection."""
    low, high = np.full_like(t, -1e20), np.full_like(t, 1e20)
    for _ in range(160):
        middle = (low + high) / 2
        below = loss.divergence.activation(torch.from_numpy(middle)).numpy() < t
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("generator", ["minimax", "alternative"])
@pytest.mark.parametrize("scores", [(-50.0, 50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, -50.0), (0.0, 0.0)])
def test_values_and_gradients_are_finite_up_to_50(name, generator, scores):
    alpha = CASES[name][3]
    loss = FGAN(name if alpha is None else "alpha", generator, alpha)
    real, fake = output(scores[0], scores[0] / 2), output(scores[1], scores[1] / 2)
    objectives = loss.critic(real, fake), loss.generator(fake, None), loss.estimates(real, fake)["f_divergence_bound"]
    assert all(value.isfinite() for value in objectives)
    gradients = torch.autograd.grad(objectives[0], [real.score, fake.score], create_graph=True)
    gradients += torch.autograd.grad(objectives[1], fake.score, create_graph=True)
    assert all(g.isfinite().all() for g in gradients)
    curved = [g.sum() for g in gradients if g.requires_grad]  # unrolled steps differentiate twice
    second = torch.autograd.grad(sum(curved), [real.score, fake.score], allow_unused=True) if curved else []
    assert all(g is None or g.isfinite().all() for g in second)


@pytest.mark.parametrize("name", CASES)
def test_gradients_against_finite_differences(name):
    loss = LOSSES[name]
    v = torch.linspace(-3.1, 3, 13, dtype=torch.float64, requires_grad=True)
    for function in loss.divergence:
        assert torch.autograd.gradcheck(function, v)
        assert torch.autograd.gradgradcheck(function, v)


def test_by_hand():
    # kl: E real = 2, E e^(v - 1) on (1, 1 + log 3) = (1 + 3) / 2
    real, fake = output(1.0, 3.0), output(1.0, 1 + math.log(3))
    assert_close(FGAN("kl").critic(real, fake), torch.tensor(0.0))
    assert_close(FGAN("kl").generator(fake, None), torch.tensor(-2.0))
    assert_close(FGAN("kl", "alternative").generator(fake, None), torch.tensor(-1 - math.log(3) / 2))
    (gradient,) = torch.autograd.grad(FGAN("kl").generator(fake, None), fake.score)
    assert_close(gradient, torch.tensor([-0.5, -1.5]))
    # pearson: -(E v - E (v^2 / 4 + v)) with v real (0, 2), fake (2, -2)
    assert_close(FGAN("pearson").critic(output(0.0, 2.0), output(2.0, -2.0)), torch.tensor(0.0))
    # reverse_kl: E -e^-v on real, less E v - 1 on fakes
    assert_close(FGAN("reverse_kl").estimates(output(0.0), output(2.0))["f_divergence_bound"], torch.tensor(-2.0))


def test_jeffrey_where_lambert_w_is_known():
    # W(e) = 1 at t = 0: f* = 1 + 1 + 0 - 2; W(2 e^2) = 2 at t = -1 - log 2: f* = 2 + 1/2 - 1 - log 2 - 2
    t = torch.tensor([0.0, -1 - math.log(2)], dtype=torch.float64)
    f_star = DIVERGENCES["jeffrey"].conjugate(t)
    assert_close(f_star, torch.tensor([0.0, -0.5 - math.log(2)], dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_jeffrey_against_scipys_lambert_w(dtype):
    from scipy.special import lambertw

    t = torch.linspace(-600, 50, 1301, dtype=dtype, requires_grad=True)
    w = np.real(lambertw(np.exp(1 - t.detach().double().numpy())))
    expected = torch.from_numpy(w + 1 / w - 2) + t.detach().double()
    f_star = DIVERGENCES["jeffrey"].conjugate(t)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert_close(f_star.double(), expected, rtol=tolerance, atol=tolerance)
    (derivative,) = torch.autograd.grad(f_star.sum(), t)
    assert_close(derivative.double(), torch.from_numpy(1 / w), rtol=tolerance, atol=0)


def test_gan_is_minimax_gan_and_its_alternative_is_non_saturating():
    real, fake = output(0.3, -1.2), output(0.7, 2.0)
    assert_close(FGAN("gan").critic(real, fake), Minimax().critic(real, fake))
    assert_close(FGAN("gan").generator(fake, None), Minimax().generator(fake, None))
    assert_close(FGAN("gan", "alternative").generator(fake, None), NonSaturating().generator(fake, None))
    js = Minimax().estimates(real, fake)["js_estimate"]
    assert_close(FGAN("gan").estimates(real, fake)["f_divergence_bound"], 2 * js - math.log(4))
    assert_close(FGAN("jensen_shannon").estimates(real, fake)["f_divergence_bound"], 2 * js)


def test_the_jensen_shannon_bound_saturates_at_2_log_2():
    bound = FGAN("jensen_shannon").estimates(output(50.0), output(-50.0))["f_divergence_bound"]
    assert_close(bound, torch.tensor(2 * math.log(2)))


@pytest.mark.parametrize(
    ("alpha", "name", "share"), [(2.0, "pearson", 0.5), (0.5, "squared_hellinger", 2), (-1, "neyman", 0.5)]
)
def test_alphas_that_have_a_name(alpha, name, share):
    p, q = gaussian(0.3, 1.1), gaussian(-0.4, 1.3)
    assert divergence("alpha", p, q, alpha) == pytest.approx(share * divergence(name, p, q), rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"divergence": "alpha"}, "loss.alpha=0.5"),
        ({"divergence": "kl", "alpha": 0.5}, "loss.alpha=null"),
        ({"divergence": "alpha", "alpha": 0.0}, "fgan_reverse_kl"),
        ({"divergence": "alpha", "alpha": 1.0}, "fgan_kl"),
        ({"divergence": "alpha", "alpha": 0.8}, "overflow"),
    ],
)
def test_an_alpha_without_a_divergence_is_refused_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as refused:
        FGAN(**arguments)
    assert "\n" not in str(refused.value)


def test_alpha_beside_its_limits():
    v = torch.linspace(-3, 3, 7, dtype=torch.float64)
    near_one = alpha_divergence(1 + 1e-7)  # f differs from u log u by u - 1, so t is less by 1
    assert_close(near_one.conjugate(v), DIVERGENCES["kl"].conjugate(v + 1) - 1, rtol=1e-5, atol=1e-5)


def test_beyond_the_promise_a_loss_says_so():
    assert not FGAN("kl").critic(output(0.0), output(200.0)).isfinite()
