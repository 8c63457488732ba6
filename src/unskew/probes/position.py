"""Where a model stands between an oracle (0) and the original (1), with bounds.

    position = (model - oracle) / (original - oracle)

are means of scores in [0, 1] over the same documents, in clusters. That a position is theta is a
statement on the mean of model - oracle - theta (original - oracle), whose values are bounded; so
its bounds are those of `statistics.clustered`, solved for theta. With random weights E of the
clusters and u of an unseen one, X = sum E (model - oracle) and Y = sum E (original - oracle), the
upper bound is a high quantile of the theta at which

    X - theta Y + u reach(theta) = 0,     reach(theta) = max(1, theta, 1 - theta),

and the lower bound a low quantile with - u. All three models' documents have the same weights, so
that what they share cancels. This is Fieller's set (see `statistics.fieller`) with bounds that hold
at 0% and 100%. Where the original is not shown to be above the oracle, the probe is blind and there
is no position.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.clustered import clustered_means
from unskew.statistics.intervals import Floats

__all__ = ["Position", "exceeds", "position"]

RESAMPLES = 10_000


class Position(NamedTuple):
    """estimate, low, high: each bound one-sided at the level asked for; all three None where the
    probe is blind, a bound None where there is none. model, original, reference: mean scores.
    n, clusters: of the documents that all three have."""

    estimate: float | None
    low: float | None
    high: float | None
    model: float
    original: float
    reference: float
    n: int
    clusters: int


def position(
    model: ArrayLike,
    original: ArrayLike,
    reference: ArrayLike,
    cluster: ArrayLike,
    alpha: float,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Position:
    """The position of a model between a reference, such as an oracle, and the original.

    Args:
        model, original, reference: (n,) scores in [0, 1]; a document that one of them lacks (NaN)
            is left out.
        cluster: (n,) names.
        alpha: each bound fails with at most this probability.

    Raises: ValueError for scores outside [0, 1], shapes that do not fit, no document left, an alpha
        that the draws do not reach.
    """
    place = int(np.floor(alpha * (resamples + 1) + 1e-9))
    if place < 1:
        raise ValueError(f"{resamples} draws have no bounds at {alpha}")
    scores = np.stack([np.asarray(s, dtype=np.float64) for s in (model, original, reference)], 1)
    known = ~np.isnan(scores).any(1)
    scores, names = scores[known], np.asarray(cluster)[known]
    if not len(scores):
        raise ValueError("no document has a score of all three models")
    if ((scores < 0) | (scores > 1)).any():
        raise ValueError("scores lie in [0, 1]")
    over = scores[:, :2] - scores[:, 2:]
    means = clustered_means(over, names, [[-1, 1], [-1, 1]], seed, resamples)
    top, bottom = (float(value) for value in means.estimate)
    of_model, of_original, of_reference = (float(mean) for mean in scores.mean(0))
    said = (of_model, of_original, of_reference, len(scores), int(means.clusters[0]))
    if bottom <= 0 or means.low(1, alpha) <= 0:
        return Position(None, None, None, *said)
    # Draws with the unseen cluster at either end: half their sum is without it, half their
    # difference its weight.
    x, y = (0.5 * (means.upper[:, i] + means.lower[:, i]) for i in (0, 1))
    unseen = 0.5 * (means.upper[:, 0] - means.lower[:, 0])
    lows, highs = np.sort(_lowest(x, y, unseen)), np.sort(_highest(x, y, unseen))
    low, high = _finite(lows[place - 1]), _finite(highs[resamples - place])
    return Position(top / bottom, low, high, *said)


def exceeds(
    model: ArrayLike,
    control: ArrayLike,
    cluster: ArrayLike,
    alpha: float,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """The one-sided lower bound of the mean of model - control; NaN where nothing is paired."""
    over = np.asarray(model, dtype=np.float64) - np.asarray(control, dtype=np.float64)
    known = ~np.isnan(over)
    if not known.any():
        return float("nan")
    means = clustered_means(
        over[known][:, None], np.asarray(cluster)[known], [[-1, 1]], seed, resamples
    )
    return means.low(0, alpha)


def _highest(x: Floats, y: Floats, u: Floats) -> Floats:
    """Of each draw, the largest theta with x - theta y + u reach(theta) >= 0; inf: none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (x + u) / y
        above = np.where(y > u, x / (y - u), np.inf)
        below = (x + u) / (y + u)
        found = np.where(inside > 1, above, np.where(inside < 0, below, inside))
    return np.where(y > 0, found, np.inf)


def _lowest(x: Floats, y: Floats, u: Floats) -> Floats:
    """Of each draw, the smallest theta with x - theta y - u reach(theta) <= 0; -inf: none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = (x - u) / y
        above = x / (y + u)
        below = np.where(y > u, (x - u) / (y - u), -np.inf)
        found = np.where(inside > 1, above, np.where(inside < 0, below, inside))
    return np.where(y > 0, found, -np.inf)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
