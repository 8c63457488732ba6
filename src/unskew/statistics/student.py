"""Student's t distribution, without scipy: the cumulative distribution and its inverse.

The core package depends on numpy only, and numpy has no t quantiles. The cumulative
distribution goes through the regularised incomplete beta function, evaluated by its
continued fraction (Numerical Recipes, 3rd ed., section 6.4, modified Lentz algorithm);
the quantile inverts it by bracketing and bisection. Tests hold both against scipy.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

__all__ = ["student_cdf", "student_quantile"]

_NORMAL = NormalDist()
_TINY = 1e-300


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (modified Lentz)."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    h = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            step = c * d
            h *= step
        if abs(step - 1.0) < 1e-15:
            return h
    raise ArithmeticError(f"incomplete beta did not converge at a={a}, b={b}, x={x}")


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b


def student_cdf(t: float, df: float) -> float:
    """P(T <= t) for Student's t with `df` > 0 degrees of freedom."""
    if not df > 0:
        raise ValueError(f"degrees of freedom must be positive, got {df}")
    # lgamma differences lose digits far out; there the first term of the Cornish-Fisher
    # expansion around the normal is exact to the rest.
    if df > 1e7:
        return _NORMAL.cdf(t * (1.0 - (t * t + 1.0) / (4.0 * df)))
    tail = 0.5 * _incomplete_beta(0.5 * df, 0.5, df / (df + t * t))
    return 1.0 - tail if t > 0 else tail


@lru_cache(maxsize=4096)
def student_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p, for 0 < p < 1 and `df` > 0.

    Raises ValueError outside these ranges.
    """
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile needs 0 < p < 1, got {p}")
    if p == 0.5:
        return 0.0
    if df > 1e7:
        z = _NORMAL.inv_cdf(p)
        return z * (1.0 + (z * z + 1.0) / (4.0 * df))
    # By symmetry work in the lower tail, where the tail probability keeps its digits.
    lower = min(p, 1.0 - p)
    right = 0.0
    left = -1.0
    while student_cdf(left, df) > lower:
        right, left = left, 2.0 * left
    for _ in range(200):
        middle = 0.5 * (left + right)
        if middle in (left, right):
            break
        if student_cdf(middle, df) > lower:
            right = middle
        else:
            left = middle
    root = 0.5 * (left + right)
    return root if p < 0.5 else -root
