"""Slopes of straight lines, with intervals that do not assume equal noise.

`slope` is ordinary least squares with an intercept; `slope_within` takes groups (exemplar
counts, say) out first, so that only differences inside a group count. Their standard errors
are HC3 (MacKinnon and White, J. Econometrics 29, 1985): residual / (1 - leverage), squared,
which stays honest with unequal variances and moderate n. Where the same prompt appears in
several groups its rows are not independent: pass `cluster` and the error sums scores within
each cluster (Liang and Zeger 1986, with the CR1 small-sample factor of Cameron and Miller,
J. Human Resources 50, 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.intervals import (
    Floats,
    Interval,
    Side,
    around,
    checked,
    quantile_for,
)

__all__ = ["slope", "slope_within"]


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    first, second = checked(x, "x"), checked(y, "y")
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"x and y must both be (N,), got {first.shape} and {second.shape}")
    return first, second


def slope(x: ArrayLike, y: ArrayLike, level: float = 0.95, side: Side = "both") -> Interval:
    """Slope of y on x with intercept; HC3 interval with N - 2 degrees of freedom.

    x, y: (N,). All NaN where x does not vary; NaN bounds for N < 3, and where one point alone
    carries the slope (leverage 1). Raises ValueError on NaN, infinities and unequal shapes.
    """
    first, second = _pair(x, y)
    return slope_within(first, second, np.zeros(first.shape[0], dtype=np.int64), level, side=side)


def slope_within(
    x: ArrayLike,
    y: ArrayLike,
    group: ArrayLike,
    level: float = 0.95,
    *,
    cluster: ArrayLike | None = None,
    side: Side = "both",
) -> Interval:
    """One slope of y on x, with an intercept of its own for every group.

    x, y, group, and cluster if given: (N,); group and cluster hold any labels. Without
    `cluster` the interval is HC3 with N - groups - 1 degrees of freedom and n = N; with it,
    CR1 with clusters - 1 degrees of freedom and n = number of clusters. Groups of a single
    row say nothing on the slope and are left out. All NaN where x does not vary within groups.
    """
    first, second = _pair(x, y)
    labels = np.asarray(group)
    if labels.shape != first.shape:
        raise ValueError(f"group {labels.shape} does not fit x {first.shape}")
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    clusters = np.arange(first.shape[0]) if cluster is None else np.asarray(cluster)
    if clusters.shape != first.shape:
        raise ValueError(f"cluster {clusters.shape} does not fit x {first.shape}")

    kept = counts[index] > 1
    first, second, clusters = first[kept], second[kept], clusters[kept]
    _, index, counts = np.unique(index[kept], return_inverse=True, return_counts=True)
    rows, groups = first.shape[0], counts.shape[0]
    names, members = np.unique(clusters, return_inverse=True)
    units = rows if cluster is None else names.shape[0]

    def demeaned(values: Floats) -> Floats:
        return values - (np.bincount(index, values, groups) / counts)[index]

    nan = float("nan")
    if rows == 0:
        return Interval(nan, nan, nan, 0)
    # The mean of many equal values is not quite their value; from 0 on it is.
    _, heads = np.unique(index, return_index=True)
    centred_x, centred_y = demeaned(first - first[heads][index]), demeaned(second)
    total = float(centred_x @ centred_x)
    # Values that are equal but for rounding differ by about eps * |x|: that is no variation.
    if total <= rows * (1e-14 * float(np.abs(first).max())) ** 2:
        return Interval(nan, nan, nan, units)
    estimate = float(centred_x @ centred_y) / total
    residual = centred_y - estimate * centred_x
    if cluster is None:
        freedom = rows - groups - 1
        left = 1.0 - 1.0 / counts[index] - centred_x**2 / total
        if freedom < 1 or (left < 1e-10).any():
            return Interval(estimate, nan, nan, units)
        variance = float(((centred_x * residual / left) ** 2).sum()) / total**2
    else:
        freedom = units - 1
        if freedom < 1 or rows - groups - 1 < 1:
            return Interval(estimate, nan, nan, units)
        scores = np.bincount(members, centred_x * residual, units)
        factor = units / (units - 1) * (rows - 1) / (rows - groups - 1)
        variance = factor * float(scores @ scores) / total**2
    quantile = quantile_for(level, freedom, side)
    return around(np.asarray(estimate), np.asarray(variance**0.5), quantile, units, side)
