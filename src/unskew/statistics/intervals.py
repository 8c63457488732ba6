"""Intervals for means and for paired linear contrasts of means.

Every function takes per-prompt values with prompts along axis 0 and answers an `Interval`;
trailing axes are kept, so that one call covers all exemplar counts. Values are used in
float64. Missing data is refused, not skipped: a NaN among the values is a mistake upstream.
What cannot be known is NaN: one value gives a mean but no bounds, none gives no mean.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unskew.statistics.student import student_quantile

__all__ = [
    "Floats",
    "Interval",
    "Side",
    "contrast",
    "mean_interval",
    "one_sided_lower",
    "one_sided_upper",
    "quantile_for",
]

Floats = NDArray[np.float64]
Side = Literal["both", "lower", "upper"]


class Interval(NamedTuple):
    """An estimate with its bounds.

    estimate, low, high: float64 scalars (0-d arrays are turned into floats) or arrays of one
    shape. n: how many independent units stand behind them. A one-sided interval is open
    (infinite) on its other side; an unknown bound is NaN.
    """

    estimate: Floats | float
    low: Floats | float
    high: Floats | float
    n: int

    def excludes(self, value: float) -> NDArray[np.bool_] | bool:
        """Whether the interval is known and lies clear of `value`, elementwise."""
        clear = (np.asarray(self.low) > value) | (np.asarray(self.high) < value)
        return bool(clear) if clear.ndim == 0 else clear


def plain(array: Floats) -> Floats | float:
    """0-d arrays as Python floats, others as they are."""
    return float(array) if np.ndim(array) == 0 else array


def checked(values: ArrayLike, name: str = "values") -> Floats:
    """`values` as float64 with at least one axis; ValueError on NaN and infinities."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        raise ValueError(f"{name} needs an axis of units, got a single number")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite entries")
    return array


def quantile_for(level: float, df: float, side: Side = "both") -> float:
    """The positive t quantile whose interval at `level` is two-sided or one-sided."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if side not in ("both", "lower", "upper"):
        raise ValueError(f"side must be both, lower or upper, got {side!r}")
    return student_quantile(0.5 + 0.5 * level if side == "both" else level, df)


def around(estimate: Floats, error: Floats, quantile: float, n: int, side: Side) -> Interval:
    """estimate -/+ quantile * error, open on the side not asked for."""
    low = estimate - quantile * error if side != "upper" else np.full_like(estimate, -np.inf)
    high = estimate + quantile * error if side != "lower" else np.full_like(estimate, np.inf)
    return Interval(plain(estimate), plain(low), plain(high), n)


def mean_interval(values: ArrayLike, level: float = 0.95, side: Side = "both") -> Interval:
    """Student's t interval for the mean over axis 0.

    values: (N,) or (N, ...), N independent units. Returns arrays of the trailing shape.
    N = 1 gives NaN bounds, N = 0 a NaN estimate too. Raises ValueError on NaN or infinity.
    """
    array = checked(values)
    n = array.shape[0]
    unknown = np.full(array.shape[1:], np.nan)
    if n < 2:
        estimate = plain(array[0]) if n == 1 else plain(unknown)
        return Interval(estimate, plain(unknown), plain(unknown), n)
    estimate = np.asarray(array.mean(axis=0))
    error = np.asarray(array.std(axis=0, ddof=1)) / np.sqrt(n)
    return around(estimate, error, quantile_for(level, n - 1, side), n, side)


def one_sided_lower(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean with a one-sided lower bound at `level`; `high` is infinite."""
    return mean_interval(values, level, "lower")


def one_sided_upper(values: ArrayLike, level: float = 0.95) -> Interval:
    """The mean with a one-sided upper bound at `level`; `low` is minus infinity."""
    return mean_interval(values, level, "upper")


def _combined(columns: ArrayLike, weights: ArrayLike) -> Floats:
    array, factors = checked(columns, "columns"), checked(weights, "weights")
    if array.ndim != 2 or factors.shape != array.shape[1:]:
        raise ValueError(
            f"columns (N, m) and weights (m,) do not fit: {array.shape} and {factors.shape}"
        )
    return array @ factors


def contrast(
    columns: ArrayLike, weights: ArrayLike, level: float = 0.95, side: Side = "both"
) -> Interval:
    """Interval for sum_j weights[j] * mean(columns[:, j]), rows being paired.

    columns: (N, m), one row per prompt, one column per arm; weights: (m,). Combining within a
    row first keeps the covariance between arms, so a paired difference is as sharp as it is.
    """
    return mean_interval(_combined(columns, weights), level, side)
