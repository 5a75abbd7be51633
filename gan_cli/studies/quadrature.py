"""f-divergences of one-dimensional densities, by the trapezoidal rule, and where a Gaussian minimises them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

Density = Callable[[np.ndarray], np.ndarray]  # x -> its logarithm
X = np.linspace(-25.0, 30.0, 11_001)  # the rule is exact to rounding for smooth integrands that vanish at both ends


def gaussian(mu: float, sigma: float) -> Density:
    """Return the density of N(mu, sigma^2)."""
    return lambda x: -0.5 * ((x - mu) / sigma) ** 2 - math.log(sigma * math.sqrt(2 * math.pi))


def mixture(x: np.ndarray) -> np.ndarray:
    """The f-GAN paper's target, .33 N(-1, .2549) + .67 N(2, 1.4150)."""
    return np.logaddexp(math.log(0.33) + gaussian(-1.0, 0.2549)(x), math.log(0.67) + gaussian(2.0, 1.4150)(x))


# f by its definition; and f'(p / q), the best critic, from r = log p / q.
F: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "total_variation": lambda u: np.abs(u - 1) / 2,
    "kl": lambda u: u * np.log(u),
    "reverse_kl": lambda u: -np.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "neyman": lambda u: (1 - u) ** 2 / u,
    "squared_hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
    "jeffrey": lambda u: (u - 1) * np.log(u),
    "jensen_shannon": lambda u: u * np.log(u) - (u + 1) * np.log((1 + u) / 2),
    "gan": lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
}
WHOLE_LINE = ("pearson",)  # whose f the paper conjugates on all reals, negative u too
BEST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "total_variation": lambda r: np.sign(r) / 2,
    "kl": lambda r: 1 + r,
    "reverse_kl": lambda r: -np.exp(-r),
    "pearson": lambda r: 2 * np.expm1(r),
    "neyman": lambda r: -np.expm1(-2 * r),
    "squared_hellinger": lambda r: -np.expm1(-r / 2),
    "jeffrey": lambda r: 1 + r - np.exp(-r),
    "jensen_shannon": lambda r: math.log(2) + np.log(expit(r)),
    "gan": lambda r: np.log(expit(r)),
}
# q f(p / q) from log p and log q, without the quotient.
_INTEGRANDS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "total_variation": lambda p, q: np.abs(np.exp(p) - np.exp(q)) / 2,
    "kl": lambda p, q: np.exp(p) * (p - q),
    "reverse_kl": lambda p, q: np.exp(q) * (q - p),
    "pearson": lambda p, q: np.exp(2 * p - q) - 2 * np.exp(p) + np.exp(q),
    "neyman": lambda p, q: np.exp(2 * q - p) - 2 * np.exp(q) + np.exp(p),
    "squared_hellinger": lambda p, q: (np.exp(p / 2) - np.exp(q / 2)) ** 2,
    "jeffrey": lambda p, q: (np.exp(p) - np.exp(q)) * (p - q),
    "jensen_shannon": lambda p, q: _gan(p, q) + math.log(2) * (np.exp(p) + np.exp(q)),
    "gan": lambda p, q: _gan(p, q),
}


def _gan(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    m = np.logaddexp(p, q)
    return np.exp(p) * (p - m) + np.exp(q) * (q - m)


def alpha_f(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return f of the alpha-divergence."""
    return lambda u: (u**a - 1 - a * (u - 1)) / (a * (a - 1))


def alpha_best(a: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the best critic of the alpha-divergence, of r = log p / q."""
    return lambda r: np.expm1((a - 1) * r) / (a - 1)


def integral(values: np.ndarray, x: np.ndarray = X) -> float:
    """Return the integral of values (N,) at x (N,)."""
    return float(np.trapezoid(values, x))


def divergence(name: str, p: Density, q: Density, alpha: float | None = None) -> float:
    """Return D_f(p || q)."""
    log_p, log_q = p(X), q(X)
    if alpha is not None:
        return (integral(np.exp(alpha * log_p + (1 - alpha) * log_q)) - 1) / (alpha * (alpha - 1))
    return integral(_INTEGRANDS[name](log_p, log_q))


def best_gaussian(name: str, p: Density = mixture, alpha: float | None = None) -> tuple[float, float, float]:
    """Return the least divergence from p of a Gaussian, and its mu and sigma."""
    found = minimize(
        lambda w: divergence(name, p, gaussian(w[0], math.exp(w[1])), alpha),
        x0=[1.3, math.log(1.75)],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 2000},
    )
    if not found.success:
        raise RuntimeError(found.message)
    return float(found.fun), float(found.x[0]), float(math.exp(found.x[1]))
