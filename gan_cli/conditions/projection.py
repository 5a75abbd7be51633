"""The projection critic."""

from __future__ import annotations

from gan_cli.conditions.by_class import ByClass


class Projection(ByClass):
    """Projection critic (Miyato & Koyama 2018, equation 3): score = w . phi(x) + v_y . phi(x)."""

    projects = True
