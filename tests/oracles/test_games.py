"""Two scalars that play a known game through the package's own phases, against the exact dynamics.

The generator's one weight x minimises V, the critic's one weight y maximises it:

    bilinear   V = x y   + d / 2 (x^2 - y^2)      gradient field (y + d x, x - d y)
    cubic      V = x y^2 + d / 2 (x^2 - y^2)      gradient field (y^2 + d x, 2 x y - d y)

Both have their saddle point at 0. One step of the bilinear game with learning rate h is a 2 x 2 matrix, whose
spectral radius is the rate at which the distance from 0 shrinks. Let a = 1 - h d.

    simultaneous   [[a, -h], [h, a]]: eigenvalues a +- i h, radius sqrt(a^2 + h^2), above 1 at d = 0.
    alternating    y' = a y + h x, then x' = a x - h y': determinant a^2, radius a while 2 a > h: a circle at d = 0.
    unrolled       x descends V(x, y_k(x)), y_k the critic k steps ahead: y_k = a^k y + s x, s = h (1 + a + ... ).
                   At d = 0 the determinant is 1 - 2 k h^2: unrolling turns the circle into a spiral inwards.

The bilinear game at d = 0 is what a Wasserstein GAN plays on two points (the Dirac-GAN of Mescheder et al. 2018): real
samples at r, generated ones at theta and the critic y x have V = y (r - theta), so (theta - r, -y) takes these steps.

Nowozin et al. 2016, theorem 2: where V is delta-strongly convex in x and concave in y, and J = |gradient|^2 / 2 is
L-smooth, simultaneous steps of h = delta / L give J_t <= (1 - delta^2 / L)^t J_0. The bilinear game has delta = d and
L = 1 + d^2 (the Hessian of J is (1 + d^2) times the identity), and there the bound is attained.
"""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from gan_cli.conditions.base import Unconditional
from gan_cli.constraints.base import Constraint
from gan_cli.data.source import Batch
from gan_cli.latents.prior import Normal
from gan_cli.losses.base import CriticOutput, Loss
from gan_cli.losses.wasserstein import Wasserstein
from gan_cli.training.eager import Eager
from gan_cli.training.game import Game
from gan_cli.training.state import TrainState
from gan_cli.updates.alternating import Alternating
from gan_cli.updates.simultaneous import Simultaneous
from gan_cli.updates.unrolled import Unrolled
from tests.helpers import Noise

CPU = torch.device("cpu")


class Value(Loss):
    """V as both players' objective; a fake sample is x, a score is y."""

    def __init__(self, d: float, power: int) -> None:
        super().__init__()
        self.d, self.power = d, power

    def value(self, fake: CriticOutput) -> torch.Tensor:
        x, y = fake.x.mean(), fake.score.mean()
        return x * y**self.power + self.d / 2 * (x**2 - y**2)

    def critic(self, real: CriticOutput, fake: CriticOutput) -> torch.Tensor:
        return -self.value(fake)

    def generator(self, fake: CriticOutput, real: CriticOutput | None) -> torch.Tensor:
        return self.value(fake)

    def estimates(self, real: CriticOutput, fake: CriticOutput) -> dict[str, torch.Tensor]:
        return {}


class ScalarGenerator(nn.Module):
    def __init__(self, x: float) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.tensor([x], dtype=torch.float64))

    def forward(self, z):
        return self.x.expand(len(z), 1)


class ScalarCritic(nn.Module):
    def __init__(self, y: float) -> None:
        super().__init__()
        self.y = nn.Parameter(torch.tensor([y], dtype=torch.float64))

    def forward(self, x, y=None, c=None, trunk_input=None):
        score = self.y.expand(len(x))
        return CriticOutput(score, score[:, None], {}, x)


class LinearCritic(ScalarCritic):
    def forward(self, x, y=None, c=None, trunk_input=None):
        return CriticOutput(self.y * x[:, 0], x, {}, x)


class Point(Noise):
    """Real samples that are all the same."""

    def __init__(self, r: float) -> None:
        super().__init__((1,), 1)
        self.r = r

    def batch(self, x: torch.Tensor) -> Batch:
        return Batch(torch.full_like(x, self.r, dtype=torch.float64), None)


def play(monkeypatch, updates, d, h, steps, start=(0.3, 0.4), power=1):
    """Return the path of (x, y), (steps + 1, 2)."""
    return path_of(monkeypatch, updates, Value(d, power), ScalarCritic(start[1]), Noise((1,), 1), h, steps, start[0])


def path_of(monkeypatch, updates, loss, critic, real, h, steps, x):
    """Return the weights of both players, (steps + 1, 2)."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # samples are float32 otherwise
    game = Game(ScalarGenerator(x), critic, loss, Constraint(), Normal(1), Unconditional())
    optimizers = {p: torch.optim.SGD(list(w.values()), lr=h) for p, w in game.players().items()}
    state = TrainState(game, optimizers, None, steps)
    run = Eager(updates, real, 1, 0, CPU)
    path = [(x, critic.y.item())]
    for _ in range(steps):
        run(state)
        state.step += 1
        path.append((game.generator.x.item(), game.critic.y.item()))
    return np.array(path)


def bilinear_step(rule, d, h, k=0):
    """Return the matrix of one step."""
    a = 1 - h * d
    critic_first = np.array([[1, 0], [h, a]])
    if rule == "simultaneous":
        return np.array([[a, -h], [h, a]])
    s = h * sum(a**j for j in range(k))
    ahead = np.array([s, a**k])  # y_k as a function of (x, y)
    # dV / dx with y_k = y_k(x): y_k + x s + d x - d y_k s
    generator = np.eye(2)
    generator[0] -= h * ((1 - d * s) * ahead + np.array([s + d, 0]))
    return generator @ critic_first


RULES = {
    "simultaneous": (Simultaneous(), 0),
    "alternating": (Alternating(1), 0),
    "unrolled 0": (Unrolled(1, k=0), 0),
    "unrolled 1": (Unrolled(1, k=1), 1),
    "unrolled 5": (Unrolled(1, k=5), 5),
    "unrolled 5 sgd": (Unrolled(1, k=5, inner="sgd"), 5),
}


@pytest.mark.parametrize("d", [0.0, 0.3])
@pytest.mark.parametrize("rule", RULES)
def test_the_bilinear_game_turns_by_its_matrix_at_its_spectral_radius(monkeypatch, rule, d):
    h, steps = 0.1, 40
    updates, k = RULES[rule]
    path = play(monkeypatch, updates, d, h, steps)
    matrix = bilinear_step(rule, d, h, k)
    exact = np.array([np.linalg.matrix_power(matrix, t) @ path[0] for t in range(steps + 1)])
    np.testing.assert_allclose(path, exact, rtol=1e-9, atol=1e-12)
    # It turns, so the triangle of 0 and two successive points shrinks by the radius squared every step.
    area = path[:-1, 0] * path[1:, 1] - path[:-1, 1] * path[1:, 0]
    measured = (area[-1] / area[0]) ** (1 / (2 * (steps - 1)))
    eigenvalues = np.linalg.eigvals(matrix)
    assert (eigenvalues.imag != 0).all()
    assert_close(measured, np.abs(eigenvalues).max())
    if rule == "simultaneous":
        assert_close(measured, math.hypot(1 - h * d, h))
    elif k == 0:
        assert_close(measured, 1 - h * d)
    elif d == 0:
        assert_close(measured, math.sqrt(1 - 2 * k * h**2))
    else:
        assert measured < 1 - h * d  # unrolling is faster than not


@pytest.mark.parametrize("rule", RULES)
def test_a_wasserstein_gan_of_two_points_plays_the_bilinear_game(monkeypatch, rule):
    h, steps, r, start = 0.1, 40, 2.0, (2.3, -0.4)
    updates, k = RULES[rule]
    path = path_of(monkeypatch, updates, Wasserstein(), LinearCritic(start[1]), Point(r), h, steps, start[0])
    matrix = bilinear_step(rule, 0.0, h, k)
    exact = np.array([np.linalg.matrix_power(matrix, t) @ [start[0] - r, -start[1]] for t in range(steps + 1)])
    np.testing.assert_allclose(path, [r, 0.0] + exact * [1, -1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("d", [0.1, 0.5, 1.0, 2.0])
def test_simultaneous_steps_attain_the_f_gan_papers_rate_on_the_bilinear_game(monkeypatch, d):
    smoothness = 1 + d**2
    path = play(monkeypatch, Simultaneous(), d, d / smoothness, 40)
    x, y = path.T
    j = ((y + d * x) ** 2 + (x - d * y) ** 2) / 2
    rate = 1 - d**2 / smoothness
    np.testing.assert_allclose(j, j[0] * rate ** np.arange(41), rtol=1e-9)


def test_simultaneous_steps_of_the_cubic_game_spiral_out_without_curvature(monkeypatch):
    # The flow conserves E = 2 x^2 + y^2; a step of it gives E' = E (1 + 2 h^2 y^2), exactly.
    h = 0.1
    x, y = play(monkeypatch, Simultaneous(), 0.0, h, 300, start=(0.5, 0.5), power=2).T
    energy = 2 * x**2 + y**2
    np.testing.assert_allclose(energy[1:], energy[:-1] * (1 + 2 * h**2 * y[:-1] ** 2), rtol=1e-9)
    assert energy[-1] > 1.05 * energy[0]


@pytest.mark.parametrize("d", [0.5, 1.0])
def test_simultaneous_steps_of_the_cubic_game_keep_the_f_gan_papers_bound(monkeypatch, d):
    # Within |(x, y)| <= r: V_xx = d and -V_yy = d - 2 x, so delta = d - 2 r. L: the largest curvature of J there.
    r = d / 8
    delta = d - 2 * r

    def j(point):
        x, y = point
        return ((y**2 + d * x) ** 2 + (2 * x * y - d * y) ** 2) / 2

    disc = [
        r * s * torch.tensor([math.cos(t), math.sin(t)])
        for s in (0.0, 0.5, 1.0)
        for t in np.linspace(0, 6.3, 24).tolist()
    ]
    smoothness = max(torch.linalg.matrix_norm(torch.func.hessian(j)(p), 2).item() for p in disc)
    h, steps = delta / smoothness, 60
    start = (-r / math.sqrt(2), r / math.sqrt(2))
    path = play(monkeypatch, Simultaneous(), d, h, steps, start=start, power=2)
    assert np.linalg.norm(path, axis=1).max() <= r + 1e-12
    values = np.array([j(torch.from_numpy(p)).item() for p in path])
    rate = 1 - delta**2 / smoothness
    assert (values <= values[0] * rate ** np.arange(steps + 1) + 1e-300).all()
    # Near 0 the game falls apart into two that shrink by 1 - h d a step.
    assert_close(np.linalg.norm(path[-1]) / np.linalg.norm(path[-2]), 1 - h * d, rtol=1e-3, atol=0)
