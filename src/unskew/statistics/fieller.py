"""Fieller's interval for a ratio of two paired means.

E. C. Fieller, "Some problems in interval estimation", J. Royal Statistical Society B 16 (1954)
175-185. With per-prompt pairs (a_i, b_i), the ratio theta = E a / E b lies in the set of all
theta whose mean of a_i - theta b_i is not significantly different from 0:

    (a - theta b)^2 <= t^2 (v_aa - 2 theta v_ab + theta^2 v_bb)

with a, b the means, v the estimated (co)variances of the means and t the quantile at N - 1
degrees of freedom. The set is a bounded interval exactly when b^2 > t^2 v_bb, that is when
the denominator's own interval leaves out 0. Otherwise it is the outside of an interval or the
whole line: no number between two bounds describes it, and the ratio is null.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from unskew.statistics.intervals import Interval, Side, checked, plain, quantile_for

__all__ = ["fieller"]


def fieller(
    numerator: ArrayLike, denominator: ArrayLike, level: float = 0.95, side: Side = "both"
) -> Interval:
    """Interval for mean(numerator) / mean(denominator), paired along axis 0.

    numerator, denominator: (N,) or (N, ...) of one shape. Estimate, low and high are all NaN
    where the denominator's interval at the same level holds 0 (the set is unbounded), and for
    N < 2. `side` gives a one-sided bound instead (the other side is infinite). Raises
    ValueError on NaN, infinities and unequal shapes.
    """
    top, bottom = checked(numerator, "numerator"), checked(denominator, "denominator")
    if top.shape != bottom.shape:
        raise ValueError(f"numerator {top.shape} and denominator {bottom.shape} are not paired")
    n = top.shape[0]
    unknown = np.full(top.shape[1:], np.nan)
    if n < 2:
        return Interval(plain(unknown), plain(unknown.copy()), plain(unknown.copy()), n)
    a, b = np.asarray(top.mean(axis=0)), np.asarray(bottom.mean(axis=0))
    scale = 1.0 / (n * (n - 1))
    v_aa = ((top - a) ** 2).sum(axis=0) * scale
    v_bb = ((bottom - b) ** 2).sum(axis=0) * scale
    v_ab = ((top - a) * (bottom - b)).sum(axis=0) * scale

    # A one-sided bound is one end of the two-sided set at level 2 * level - 1; that set must
    # still be bounded at the two-sided reading of `level`, or small levels would slip through.
    t = quantile_for(level, n - 1, side)
    t2 = t * t
    bounded = b * b > quantile_for(level, n - 1, "both") ** 2 * v_bb
    with np.errstate(divide="ignore", invalid="ignore"):
        leading = b * b - t2 * v_bb
        middle = (a * b - t2 * v_ab) / leading
        # The discriminant, regrouped so that it is a sum of non-negative terms:
        # t^2 [v_aa b^2 - 2 a b v_ab + a^2 v_bb] - t^4 (v_aa v_bb - v_ab^2).
        spread = v_aa * b * b - 2 * a * b * v_ab + a * a * v_bb - t2 * (v_aa * v_bb - v_ab**2)
        half = np.sqrt(np.maximum(t2 * spread, 0.0)) / leading
        ratio = a / b
    low = middle - half if side != "upper" else np.full_like(ratio, -np.inf)
    high = middle + half if side != "lower" else np.full_like(ratio, np.inf)
    return Interval(
        plain(np.where(bounded, ratio, np.nan)),
        plain(np.where(bounded, low, np.nan)),
        plain(np.where(bounded, high, np.nan)),
        n,
    )
