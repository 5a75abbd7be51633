"""The divergences of the f-GAN experiment, and where a Gaussian minimises them."""

import math

import numpy as np
import pytest

from gan_cli.studies.quadrature import F, X, alpha_f, best_gaussian, divergence, gaussian, integral, mixture

COLUMNS = ("kl", "reverse_kl", "jensen_shannon", "jeffrey", "pearson")
# D*, mu*, sigma*, and the divergences of the columns there.
OPTIMA = {
    "kl": (0.2831, 1.0100, 1.8311, (0.2831, 0.3501, 0.1346, 0.6331, 0.7381)),
    "reverse_kl": (0.2482, 1.5781, 1.6318, (0.3580, 0.2482, 0.1359, 0.6062, 1.4322)),
    "jensen_shannon": (0.1281, 1.3069, 1.7544, (0.2993, 0.2744, 0.1281, 0.5736, 0.9536)),
    "jeffrey": (0.5707, 1.3216, 1.7034, (0.3053, 0.2655, 0.1285, 0.5707, 1.0006)),
    "pearson": (0.6460, 0.5735, 1.9277, (0.3113, 0.5577, 0.1648, 0.8690, 0.6460)),
    "squared_hellinger": (0.1347, 1.3130, 1.7331, None),
    "total_variation": (0.2396, 1.338, 1.880, None),
    "neyman": (0.4051, 1.8247, 1.5193, None),
}


@pytest.mark.parametrize("name", OPTIMA)
def test_the_table_of_optima(name):
    d, mu, sigma, row = OPTIMA[name]
    found = best_gaussian(name)
    digits = 1e-3 if name == "total_variation" else 6e-5  # |p - q| has kinks, and a flat minimum
    assert found[0] == pytest.approx(d, abs=6e-5)
    assert found[1:] == pytest.approx((mu, sigma), abs=digits)
    if row:
        q = gaussian(*found[1:])
        assert [divergence(column, mixture, q) for column in COLUMNS] == pytest.approx(row, abs=6e-5)


def test_each_divergence_is_smallest_at_its_own_optimum():
    at = {name: gaussian(*OPTIMA[name][1:3]) for name in COLUMNS}
    for column in COLUMNS:
        values = {name: divergence(column, mixture, q) for name, q in at.items()}
        assert min(values, key=values.get) == column


def test_the_kullback_leibler_optimum_has_the_mixtures_moments():
    p = np.exp(mixture(X))
    mean = integral(p * X)
    assert integral(p) == pytest.approx(1, abs=1e-12)
    assert mean == pytest.approx(0.67 * 2 - 0.33, abs=1e-12)
    assert math.sqrt(integral(p * (X - mean) ** 2)) == pytest.approx(1.83107, abs=5e-6)


@pytest.mark.parametrize("name", [*F, "alpha"])
def test_the_integrands_are_q_f_of_p_over_q(name):
    p, q = gaussian(0.3, 1.1), gaussian(-0.4, 1.3)
    x = X[np.abs(X) < 14]  # where neither vanishes
    f, alpha = (alpha_f(0.3), 0.3) if name == "alpha" else (F[name], None)
    assert divergence(name, p, q, alpha) == pytest.approx(integral(np.exp(q(x)) * f(np.exp(p(x) - q(x))), x), abs=1e-6)


def test_closed_forms_of_two_gaussians():
    p, q = gaussian(1.0, 2.0), gaussian(-0.5, 1.8)
    assert divergence("kl", p, q) == pytest.approx(math.log(1.8 / 2) + (4 + 2.25) / (2 * 1.8**2) - 0.5, abs=1e-10)
    assert divergence("reverse_kl", p, q) == pytest.approx(divergence("kl", q, p), abs=1e-12)
    hellinger = 2 * (1 - math.sqrt(2 * 2 * 1.8 / (4 + 1.8**2)) * math.exp(-2.25 / (4 * (4 + 1.8**2))))
    assert divergence("squared_hellinger", p, q) == pytest.approx(hellinger, abs=1e-10)
    same = gaussian(1.0, 1.0), gaussian(0.0, 1.0)
    assert divergence("pearson", *same) == pytest.approx(math.expm1(1), abs=1e-10)
    assert divergence("total_variation", *same) == pytest.approx(math.erf(0.5 / math.sqrt(2)), abs=1e-6)
    assert divergence("gan", p, q) == pytest.approx(divergence("jensen_shannon", p, q) - math.log(4), abs=1e-12)
