"""Means of bounded scores in clusters: bounds that hold at ceilings and with few units.

Scores of an evaluation are bounded and often all equal, where a bootstrap or a t interval has no
width at all. The bounds here add one unseen cluster at the end of the range and weigh all
clusters at random:

    mean* = (sum_c E_c S_c + E_0 m a) / (sum_c E_c n_c + E_0 m),    E_0, E_1, ... ~ Exp(1)

with S_c and n_c the sum and the size of cluster c, m the largest size and a the lowest possible
value (for a lower bound) or the highest (for an upper one). The lower bound is a low quantile of
mean*, its p-value the share of mean* at or below the null; beyond the draws both are by Chernoff's
bound on that share. For single 0/1 values this is the binomial test and the bound of Clopper and
Pearson; for bounded values it is the test of N. Gaffke, Mathematical Methods of Statistics 14
(2005) 451-467, and E. Learned-Miller and P. S. Thomas, arXiv:1905.06208. Its level for all bounded
laws is a conjecture that extensive search has not broken, proved where two values occur; tests here
check it where an audit stands.

Clusters are taken as independent draws, documents within one as they come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unskew.statistics.bootstrap import generator
from unskew.statistics.intervals import Floats, Interval

__all__ = ["ClusteredMeans", "cluster_codes", "clustered_means", "share_interval"]

# Sums of scores carry rounding: a bound this near to a null has not cleared it.
TOLERANCE = 1e-12
_CHUNK = 4_000_000  # weights drawn at once, 32 MB


@dataclass(frozen=True, eq=False)
class ClusteredMeans:
    """Means of J columns with everything that their bounds and tests need.

    estimate, error: (J,) the mean over documents and its linearised standard error (NaN with
    fewer than two clusters). residuals: (C, J) per cluster, S_c - estimate n_c, over the number
    of documents, so that a column's sum of squares is about error squared. reach: (J, 2) lowest
    and highest possible value. n, clusters, largest: (J,) documents, clusters that hold any, and
    the size of the largest. sums, sizes: (C, J). lower, upper: (resamples, J) draws of mean*
    towards either end.
    """

    estimate: Floats
    error: Floats
    residuals: Floats
    reach: Floats
    n: NDArray[np.int64]
    clusters: NDArray[np.int64]
    largest: NDArray[np.int64]
    sums: Floats
    sizes: Floats
    lower: Floats
    upper: Floats

    def low(self, column: int, alpha: float) -> float:
        """The one-sided lower bound at level 1 - alpha; NaN where the column is empty."""
        draws = self.lower[:, column]
        place = _rank(alpha, draws.size)
        if self.n[column] == 0:
            return float("nan")
        if place < 1:
            ends = float(self.reach[column, 0]), float(draws.min())
            return _last(*ends, lambda null: self.p_above(column, null) <= alpha)
        return float(np.partition(draws, place - 1)[place - 1])

    def high(self, column: int, alpha: float) -> float:
        """The one-sided upper bound at level 1 - alpha; NaN where the column is empty."""
        draws = self.upper[:, column]
        place = _rank(alpha, draws.size)
        if self.n[column] == 0:
            return float("nan")
        if place < 1:
            ends = float(self.reach[column, 1]), float(draws.max())
            return _last(*ends, lambda null: self.p_below(column, null) <= alpha)
        return float(np.partition(draws, draws.size - place)[draws.size - place])

    def p_above(self, column: int, null: float) -> float:
        """p-value of "the mean is at most null": <= alpha exactly where low(alpha) > null.

        Where no draw comes near the null, Chernoff's bound says how much smaller than
        1 / (resamples + 1) it is, so that many tasks do not need more draws. Only at the end of
        the range itself it says nothing, and p is no smaller than that.
        """
        if self.n[column] == 0:
            return float("nan")
        draws = self.lower[:, column]
        reached = int((draws <= null + TOLERANCE).sum())
        beyond = self.sums[:, column] - null * self.sizes[:, column]
        unseen = self.largest[column] * (self.reach[column, 0] - null)
        return _p(reached, draws.size, beyond, float(unseen))

    def p_below(self, column: int, null: float) -> float:
        """p-value of "the mean is at least null": <= alpha exactly where high(alpha) < null."""
        if self.n[column] == 0:
            return float("nan")
        draws = self.upper[:, column]
        reached = int((draws >= null - TOLERANCE).sum())
        beyond = null * self.sizes[:, column] - self.sums[:, column]
        unseen = self.largest[column] * (null - self.reach[column, 1])
        return _p(reached, draws.size, beyond, float(unseen))


def _p(reached: int, resamples: int, beyond: Floats, unseen: float) -> float:
    """(1 + reached) / (resamples + 1), or a bound below that where nothing was reached.

    mean* fails to clear the null where sum_c E_c beyond_c + E_0 unseen <= 0, and by Chernoff the
    probability is at most prod_c 1 / (1 + theta beyond_c) for every theta that keeps all factors
    positive. Its logarithm is convex in theta, so that bisection finds the smallest.
    """
    p = (1 + reached) / (resamples + 1)
    if reached or unseen >= 0.0:
        return p
    terms = np.append(beyond, unseen)
    low, high = 0.0, -1.0 / min(unseen, float(terms.min()))
    for _ in range(40):
        middle = 0.5 * (low + high)
        if (terms / (1.0 + middle * terms)).sum() > 0.0:
            low = middle
        else:
            high = middle
    return min(p, float(np.exp(-np.log1p(low * terms).sum())))


def _last(outer: float, inner: float, rejected: Callable[[float], bool]) -> float:
    """The bound at a level that the draws do not reach, by bisection: of the nulls from an end of
    the range (`outer`) to the nearest draw (`inner`), the first that Chernoff's bound leaves."""
    for _ in range(60):
        middle = 0.5 * (outer + inner)
        if rejected(middle):
            outer = middle
        else:
            inner = middle
    return inner


def _rank(alpha: float, resamples: int) -> int:
    # With p = (1 + count) / (resamples + 1), p <= alpha is a statement on this order statistic.
    return int(np.floor(alpha * (resamples + 1) + 1e-9))


def cluster_codes(cluster: ArrayLike) -> tuple[NDArray[np.int64], int]:
    """Names of clusters (N,) as codes 0 .. C-1 in the order of the names, and C."""
    names, codes = np.unique(np.asarray(cluster), return_inverse=True)
    return codes.astype(np.int64).reshape(-1), int(names.size)


def clustered_means(
    values: ArrayLike, cluster: ArrayLike, reach: ArrayLike, seed: int, resamples: int
) -> ClusteredMeans:
    """The means of J columns, all under the same random weights, so that they stay paired.

    values: (N, J), NaN where a document is not in a column. cluster: (N,) names. reach: (J, 2),
    the ends that a value cannot pass whatever happens. Deterministic from `seed`. Raises
    ValueError for shapes that do not fit, infinities, values beyond their reach, no documents.
    """
    array, ends = np.asarray(values, dtype=np.float64), np.asarray(reach, dtype=np.float64)
    codes, count = cluster_codes(cluster)
    if array.ndim != 2 or codes.shape != array.shape[:1] or ends.shape != (array.shape[1], 2):
        raise ValueError(
            f"values (N, J), cluster (N,) and reach (J, 2) do not fit: {array.shape}, "
            f"{codes.shape} and {ends.shape}"
        )
    if array.shape[0] == 0 or resamples < 1:
        raise ValueError("need at least one document and one resample")
    known = ~np.isnan(array)
    filled = np.where(known, array, 0.0)
    outside = (array < ends[:, 0] - TOLERANCE) | (array > ends[:, 1] + TOLERANCE)
    if outside.any() or not np.isfinite(ends).all():
        raise ValueError("values lie beyond their reach")
    columns = array.shape[1]
    sums, sizes = np.zeros((count, columns)), np.zeros((count, columns))
    np.add.at(sums, codes, filled)
    np.add.at(sizes, codes, known.astype(np.float64))
    total = sizes.sum(axis=0)
    some = np.where(total > 0, total, np.nan)
    estimate = sums.sum(axis=0) / some
    residuals = np.nan_to_num((sums - estimate * sizes) / some)
    held = (sizes > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        widen = np.where(held > 1, held / (held - 1.0), np.nan)
    error = np.sqrt(widen * (residuals**2).sum(axis=0))
    largest = sizes.max(axis=0)
    lower, upper = _draws(sums, sizes, largest, ends, seed, resamples)
    return ClusteredMeans(
        estimate,
        error,
        residuals,
        ends,
        total.astype(np.int64),
        held.astype(np.int64),
        largest.astype(np.int64),
        sums,
        sizes,
        lower,
        upper,
    )


def _draws(
    sums: Floats, sizes: Floats, largest: Floats, ends: Floats, seed: int, resamples: int
) -> tuple[Floats, Floats]:
    count, columns = sums.shape
    rng = generator(seed)
    lower, upper = np.empty((resamples, columns)), np.empty((resamples, columns))
    # An empty column has no mean: its divisor is made 1 here and its bounds are NaN later.
    empty = (largest == 0).astype(np.float64)
    # Columns without refusals share their sizes, so that these are weighed once.
    distinct, same = np.unique(sizes, axis=1, return_inverse=True)
    rows = max(1, _CHUNK // (count + 1))
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        weights = rng.standard_exponential((stop - start, count + 1))
        unseen = weights[:, count:] * largest
        top = weights[:, :count] @ sums
        bottom = (weights[:, :count] @ distinct)[:, same.reshape(-1)] + unseen + empty
        lower[start:stop] = (top + unseen * ends[:, 0]) / bottom
        upper[start:stop] = (top + unseen * ends[:, 1]) / bottom
    return lower, upper


def share_interval(
    hits: ArrayLike,
    cluster: ArrayLike,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Interval:
    """Two-sided interval for the mean of scores in [0, 1], clustered.

    hits: (N,) NaN where a document has no score; cluster: (N,) names. n counts the scores. Equal
    to Clopper and Pearson's interval (up to the noise of the draws) for 0/1 scores without
    clusters. No score at all gives NaN. Raises ValueError for scores outside [0, 1].
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    values = np.asarray(hits, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"hits must be (N,), got {values.shape}")
    if values.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    means = clustered_means(values[:, None], cluster, [[0.0, 1.0]], seed, resamples)
    tail = 0.5 * (1.0 - level)
    estimate = float(means.estimate[0])
    return Interval(estimate, means.low(0, tail), means.high(0, tail), int(means.n[0]))
