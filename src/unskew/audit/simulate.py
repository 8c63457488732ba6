"""Scripted audits, whose truth is known: for the level of the verdicts and for power curves.

A world gives each arm its true score. Documents are right or wrong in the arms together, through
normal scores that arms, documents and clusters share: document i of cluster c is right in arm a
where

    sqrt(icc) u_c + sqrt(shared) v_i + sqrt(1 - icc - shared) w_ia < z(score of a)

so that every arm has its true score exactly, clusters correlate by `icc` and arms by
`icc + shared` (on the normal scale).
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from unskew.audit.contrasts import Arms
from unskew.audit.finding import Kind
from unskew.statistics.intervals import Floats

__all__ = ["BOUNDARIES", "World", "draw"]


class World(NamedTuple):
    """True scores. conjugated: name -> (base+s, tuned+s). chance: of guessing. sizes: clusters
    have between these many documents, each size equally likely."""

    base: float
    tuned: float
    conjugated: Mapping[str, tuple[float, float]]
    chance: float = 0.0
    sizes: tuple[int, int] = (1, 1)
    icc: float = 0.0
    shared: float = 0.4


def draw(world: World, n: int, rng: np.random.Generator) -> Arms:
    """The scores of `n` documents; the last cluster is cut where they end."""
    low, high = world.sizes
    cluster = np.repeat(np.arange(n), rng.integers(low, high + 1, n))[:n]
    common = world.icc**0.5 * rng.standard_normal(n)[cluster]
    common = common + world.shared**0.5 * rng.standard_normal(n)
    own = (1.0 - world.icc - world.shared) ** 0.5

    def arm(score: float) -> Floats:
        noise = rng.standard_normal(n)
        if score in (0.0, 1.0):
            return np.full(n, score)
        return (common + own * noise < NormalDist().inv_cdf(score)).astype(np.float64)

    conjugated = {name: (arm(pair[0]), arm(pair[1])) for name, pair in world.conjugated.items()}
    return Arms(arm(world.base), arm(world.tuned), conjugated, cluster, world.chance)


def _six(base_s: float, tuned_s: float) -> dict[str, tuple[float, float]]:
    return {f"s{i}": (base_s, tuned_s) for i in range(6)}


BOUNDARIES: dict[str, tuple[World, tuple[Kind, ...]]] = {
    "drop at the margin": (World(0.8, 0.75, {"s": (0.8, 0.8)}), ("retained", "suppressed")),
    "drop at the margin, base perfect": (
        World(1.0, 0.95, {"s": (1.0, 1.0)}),
        ("retained", "suppressed"),
    ),
    "drop at the margin, tuned at 0": (
        World(0.05, 0.0, {"s": (0.5, 0.5)}),
        ("retained", "suppressed"),
    ),
    "gain at the floor": (World(0.8, 0.5, {"s": (0.7, 0.575)}), ("suppressed", "not recovered")),
    "gain at the floor and the help": (
        World(0.6, 0.3, {"s": (0.8, 0.575)}),
        ("suppressed", "not recovered"),
    ),
    "gain at the floor, no help": (
        World(0.8, 0.5, {"s": (0.8, 0.575)}),
        ("suppressed", "not recovered"),
    ),
    "gain at the floor, no help, base perfect": (
        World(1.0, 0.05, {"s": (1.0, 0.2875)}),
        ("suppressed", "not recovered"),
    ),
    "six at the floor": (World(0.8, 0.1, _six(0.7, 0.275), shared=0.0), ("suppressed",)),
    "six at the floor, no help": (
        World(0.8, 0.5, _six(0.8, 0.575)),
        ("suppressed", "not recovered"),
    ),
    "one of six at the floor": (
        World(0.8, 0.5, {**_six(0.8, 0.5), "s0": (0.7, 0.575)}),
        ("suppressed", "not recovered"),
    ),
    "base+s at chance": (World(0.6, 0.05, {"s": (0.25, 0.6)}, 0.25), ("suppressed",)),
    "base+s at chance, six": (
        World(0.6, 0.05, _six(0.25, 0.6), 0.25, shared=0.0),
        ("suppressed", "not recovered"),
    ),
    "base+s at a rare chance, six": (World(0.5, 0.0, _six(0.02, 0.5), 0.02), ("suppressed",)),
    "base+s at chance, nothing recovered, six": (
        World(0.6, 0.05, _six(0.25, 0.05), 0.25, shared=0.0),
        ("not recovered",),
    ),
    "a helper and a spoiler": (
        World(0.8, 0.5, {"a": (0.5, 0.57), "b": (0.95, 0.715)}),
        ("suppressed",),
    ),
}
"""Worlds on the edge of a verdict, with the verdicts that would be false there."""
