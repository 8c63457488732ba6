"""What it costs to choose the best of several candidates by cross-fitting.

Each fold is scored with the candidate that does best in the other folds. No fold sees its own
choice, yet the folds share one: where candidates are equally good, their noise decides in all
folds at once, and the combined score is too high together or too low together. Its variance is
larger than that of any one candidate: with six equal candidates, five folds and independent noise
a one-sided 5% test that ignores this rejects 14% of the time.

So the noise is simulated where it is worst: all candidates equal, chosen by the very score that
is tested, with the covariance that the clusters show. A p-value or a level that ignores the choice
is translated by that law. One candidate costs nothing.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unskew.statistics.bootstrap import generator, root
from unskew.statistics.intervals import Floats

__all__ = ["ChoiceNoise", "choice_noise"]

_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class ChoiceNoise:
    """Draws of the standardised, combined score where all candidates are equal.

    draws: None where there was no choice and everything stays as it is. ways: how many ways there
    are to choose, infinite where that is no float. For each of them the score is normal, so `ways`
    times a p-value is an upper bound too: crude, but it reaches tails that the draws do not.
    """

    draws: Floats | None
    ways: float = 1.0

    def p_above(self, p: float) -> float:
        """`p`, of a test against a larger mean, with the choice paid for; never smaller."""
        return self._adjusted(p, 1.0)

    def p_below(self, p: float) -> float:
        """The same for a test against a smaller mean."""
        return self._adjusted(p, -1.0)

    def alpha_above(self, alpha: float) -> float:
        """The level at which a lower bound must be taken to hold at `alpha`; never larger."""
        return self._level(alpha, 1.0)

    def alpha_below(self, alpha: float) -> float:
        """The same for an upper bound."""
        return self._level(alpha, -1.0)

    def _adjusted(self, p: float, sign: float) -> float:
        if self.draws is None or not 0.0 < p < 1.0:
            return p
        z = -_NORMAL.inv_cdf(p)
        reached = int((sign * self.draws >= z).sum())
        return max(p, min((1 + reached) / (self.draws.size + 1), self.ways * p))

    def _level(self, alpha: float, sign: float) -> float:
        if self.draws is None:
            return alpha
        place = int(np.floor(alpha * (self.draws.size + 1) + 1e-9))
        level = alpha / self.ways
        if place >= 1:
            # The z of a p-value must lie above the draw of this rank.
            ordered = np.sort(sign * self.draws)
            level = max(level, _NORMAL.cdf(-float(np.nextafter(ordered[-place], np.inf))))
        return min(alpha, level)


def choice_noise(
    residuals: ArrayLike, n: ArrayLike, fold: ArrayLike, seed: int, draws: int
) -> ChoiceNoise:
    """The law of the cross-fitted score of M equal candidates.

    residuals: (C, M), each cluster's share in a candidate's error (ClusteredMeans.residuals);
    n: (M,) documents per candidate; fold: (C,) fold of each cluster, 0 .. K-1. One document's
    worth of independent noise is added to each candidate, so that scores without any spread
    are not taken for one another. Raises ValueError for shapes that do not fit.
    """
    errors, sizes = np.asarray(residuals, dtype=np.float64), np.asarray(n, dtype=np.float64)
    folds: NDArray[np.int64] = np.asarray(fold, dtype=np.int64)
    if errors.ndim != 2 or sizes.shape != errors.shape[1:] or folds.shape != errors.shape[:1]:
        raise ValueError(
            f"residuals (C, M), n (M,) and fold (C,) do not fit: {errors.shape}, {sizes.shape}, "
            f"{folds.shape}"
        )
    candidates = errors.shape[1]
    counts = np.bincount(folds).astype(np.float64)
    shares = counts[counts > 0] / folds.size
    if candidates < 2 or shares.size < 2:
        return ChoiceNoise(None)
    covariance = errors.T @ errors + np.diag(1.0 / np.maximum(sizes, 1.0) ** 2)
    noise = generator(seed).standard_normal((draws, shares.size, candidates))
    # Entry (r, k, s): what fold k adds to the mean of candidate s, in draw r.
    parts = noise @ root(covariance).T * np.sqrt(shares)[:, None]
    elsewhere = (parts.sum(axis=1, keepdims=True) - parts) / (1.0 - shares)[:, None]
    chosen = elsewhere.argmax(axis=2)
    score = np.take_along_axis(parts, chosen[:, :, None], axis=2)[:, :, 0].sum(axis=1)
    spread = np.sqrt((np.diag(covariance)[chosen] * shares).sum(axis=1))
    reached = shares.size * math.log(candidates) < math.log(sys.float_info.max)
    return ChoiceNoise(score / spread, float(candidates) ** shares.size if reached else math.inf)
