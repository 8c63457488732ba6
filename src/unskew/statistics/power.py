"""How many documents decide, and which drop so many can show.

Both invert the bounds of `clustered.py` in an approximation. With n documents the bound lies

    [pull + z_alpha sqrt(spread^2 n + pull^2)] / n,   and at least -ln(alpha) pull / n,

away from the estimate: the second is exact where all scores are equal, the first where they vary.
The estimate itself comes out z_power spread / sqrt(n) lower with probability 1 - power. Both are
rough: within ten points of the power.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.clustered import TOLERANCE
from unskew.statistics.intervals import Floats

__all__ = ["detectable", "needed"]

_NORMAL = NormalDist()
MOST = 10**9
"""Documents: who would need more is told that none of this kind will do."""
_DROPS = np.linspace(0.0, 1.0, 10_001)


def _distance(
    n: ArrayLike, spread: ArrayLike, pull: ArrayLike, alpha: float, power: float
) -> Floats:
    """How far a contrast must lie beyond its null to be shown with probability `power`."""
    if not (0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ValueError(f"alpha and power lie between 0 and 1, got {alpha} and {power}")
    count, scale, end = (np.asarray(v, dtype=np.float64) for v in (n, spread, pull))
    noise = scale * np.sqrt(count)
    bound = end + _NORMAL.inv_cdf(1.0 - alpha) * np.sqrt(noise**2 + end**2)
    bound = np.maximum(bound, -np.log(alpha) * end)
    return (bound + _NORMAL.inv_cdf(power) * noise) / count


def needed(gap: float, spread: float, pull: float, alpha: float, power: float = 0.8) -> int | None:
    """The number of documents at which a contrast `gap` away from its null is decided.

    spread: standard error times sqrt(n); pull: size of the largest cluster times the distance of
    the estimate to the end of its range. None where the estimate is not beyond its null: more of
    the same documents would not decide, or more than MOST would have to. Raises ValueError for
    levels outside (0, 1).
    """
    if not gap > TOLERANCE or not np.isfinite(spread + pull):
        _distance(1, 0, 0, alpha, power)
        return None
    high = 1
    while _distance(high, spread, pull, alpha, power) > gap:
        high *= 2
        if high > MOST:
            return None
    low = high // 2  # does not decide, or is 0
    while high - low > 1:
        middle = (low + high) // 2
        if _distance(middle, spread, pull, alpha, power) > gap:
            low = middle
        else:
            high = middle
    return high


def detectable(
    n: int,
    discordance: float,
    margin: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    design: float = 1.0,
    largest: int = 1,
) -> float | None:
    """The smallest drop, a share of 1, that `n` documents show to be above `margin`.

    discordance: E (base - tuned)^2, for 0/1 scores the share of documents on which the two differ
    (at least the drop itself). design: variance of the clustered mean over that of independent
    documents. largest: documents of the largest cluster. Found on a grid of 1e-4; None where no
    drop is detectable. Raises ValueError for n < 1, a discordance or a level out of range.
    """
    if n < 1 or not 0.0 <= discordance <= 1.0 or not design > 0.0:
        raise ValueError(f"n {n}, discordance {discordance} or design {design} out of range")
    variance = np.maximum(np.maximum(discordance, _DROPS) - _DROPS**2, 0.0)
    lost = _distance(n, np.sqrt(variance * design), largest * (_DROPS + 1.0), alpha, power)
    shown = np.flatnonzero(_DROPS - margin >= lost)
    return float(_DROPS[shown[0]]) if shown.size else None
