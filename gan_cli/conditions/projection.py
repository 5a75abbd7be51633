"""The projection critic."""

from __future__ import annotations

from gan_cli.conditions.by_class import ByClass


class Projection(ByClass):
    """Projection critic (Miyato & Koyama 2018, equation 3): score = w . phi(x) + v_y . phi(x).

    For labels that are vectors, v_y is linear in y: the sum of the vectors of their numbers, each times its number.
    """

    projects = True
