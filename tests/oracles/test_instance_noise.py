"""Noise on both lines gives their Jensen-Shannon divergence a gradient (Arjovsky & Bottou 2017, section 3).

With noise of standard deviation s, along x the lines become N(0, s^2) and N(theta, s^2), and across they are equal, so
JS is that of two Gaussians: smooth in theta, where that of the lines themselves is log 2 at any theta but 0.
"""

import math

import numpy as np
import pytest

from gan_cli.data.synthetic import ParallelLines
from gan_cli.inputs.noise import InstanceNoise
from gan_cli.losses.minimax import Minimax
from gan_cli.studies.quadrature import X, divergence, gaussian
from tests.oracles.training import Line, build_state, estimate, generator_gradient, train

LINES = ParallelLines()


def js(theta, s):
    """Return JS with the 1/2, by quadrature."""
    return divergence("jensen_shannon", gaussian(0.0, s), gaussian(theta, s)) / 2


def derivative(theta, s, h=1e-4):
    return (js(theta + h, s) - js(theta - h, s)) / (2 * h)


@pytest.mark.parametrize("s", [0.25, 0.5, 1.0])
def test_with_noise_js_grows_with_the_distance_and_without_it_does_not(s):
    thetas = np.linspace(0, 3 * s, 13)
    values = np.array([js(t, s) for t in thetas])
    assert abs(values[0]) < 1e-9
    assert (np.diff(values) > 0).all()
    assert values[-1] < math.log(2)
    small = 0.05 * s
    assert abs(js(small, s) / (small**2 / (8 * s**2)) - 1) < 1e-2  # theta^2 / (8 s^2), the Fisher information's half
    assert abs(X[1] - X[0]) < 0.1 * s  # the quadrature resolves the noise


@pytest.mark.slow
@pytest.mark.parametrize("theta", [0.5, 1.0])
def test_a_trained_discriminator_finds_that_divergence_and_its_gradient(theta):
    # With the best discriminator, minimax's generator gradient is that of twice JS.
    s = 0.5
    found = {}
    for name, shown in (("noise", InstanceNoise(s, "constant")), ("none", None)):
        state = build_state(Line(theta), Minimax(), input=shown, dimensions=2, lr=3e-3, hidden=(32, 32))
        train(state, LINES, 600, batch_size=512)
        found[name] = estimate(state, LINES, "js_estimate"), generator_gradient(state, LINES)
    print(f"theta {theta}: JS {js(theta, s):.4f} gradient {2 * derivative(theta, s):.4f};", found)
    value, gradient = found["noise"]
    assert abs(value - js(theta, s)) < 0.02
    assert abs(gradient / (2 * derivative(theta, s)) - 1) < 0.2
    value, gradient = found["none"]
    assert value > math.log(2) - 0.01
    assert abs(gradient) < 0.01
