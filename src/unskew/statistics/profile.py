"""Intervals for a parameter fitted by minimising a mean loss over a grid.

The skew of a model is such a parameter: the delta whose observer predicts most like the
model. With per-prompt losses on a grid of deltas, `profile_interval` keeps every delta whose
mean loss is not significantly above the minimum. The squared distance is no log likelihood,
so the threshold is scaled: for an M-estimator 2 N [L(delta) - L(delta_hat)] tends to
(B / A) chi^2_1, with A the curvature of the mean loss and B the variance of the per-prompt
slope at the minimum (Kent, Biometrika 69, 1982; van der Vaart, Asymptotic Statistics, 5.3).
`profile_contrast` is for the difference between two fits on the same prompts (the rise of
skew by fine-tuning): a paired bootstrap of both minima.

All of this is for large N, and N prompts can be few in effect: those whose losses do not change
with delta count for nothing. What a prompt tells is for the caller to know; `effective_number`
counts the prompts by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unskew.statistics.bootstrap import generator
from unskew.statistics.intervals import Floats, Interval, checked, quantile_for

__all__ = ["effective_number", "profile_contrast", "profile_interval", "profile_minimum"]

ROUNDING = 1e-6
"""Of a curve's highest value, what rounding may add (single precision: a few 1e-7 of a prompt's
loss). A minimum that lies no lower below an end of the grid is not told from that end."""


def effective_number(weights: ArrayLike) -> float:
    """How many equal units (N,) units of these weights are worth: (sum w)^2 / sum w^2, from 1 to N
    (Kish 1965); 0 where all weigh nothing. Weights must not be negative."""
    w = checked(weights, "weights")
    if w.ndim != 1 or (w < 0).any():
        raise ValueError("weights must be (N,) and not negative")
    largest = float(w.max(initial=0.0))
    if largest == 0.0:
        return 0.0
    w = w / largest  # so that no square vanishes
    return float(w.sum() ** 2 / (w**2).sum())


def _grid_and_losses(grid: ArrayLike, losses: ArrayLike) -> tuple[Floats, Floats]:
    points, values = checked(grid, "grid"), checked(losses, "losses")
    if points.ndim != 1 or points.size < 3 or (np.diff(points) <= 0).any():
        raise ValueError("the grid must hold at least three increasing values")
    if values.ndim != 2 or values.shape[1] != points.size:
        raise ValueError(f"losses must be (N, {points.size}), got {values.shape}")
    return points, values


def _parabola(points: Floats, values: Floats, at: int) -> tuple[Floats, Floats]:
    """Slope at points[at] and second derivative of the parabola through three neighbours.

    values: (..., G); returns arrays of shape (...).
    """
    left, here, right = points[at - 1], points[at], points[at + 1]
    down = (values[..., at] - values[..., at - 1]) / (here - left)
    up = (values[..., at + 1] - values[..., at]) / (right - here)
    curvature = 2.0 * (up - down) / (right - left)
    slope = (down * (right - here) + up * (here - left)) / (right - left)
    return slope, curvature


def profile_minimum(grid: ArrayLike, mean_loss: ArrayLike) -> float:
    """The minimum of a curve (G,) on an increasing grid (G,), refined by a parabola.

    NaN where the smallest value lies at an end of the grid or, but for rounding, no lower than an
    end, or the curve is flat there: the minimum is not inside, and the end of the grid is no
    estimate of it.
    """
    points, values = _grid_and_losses(grid, np.asarray(mean_loss, dtype=np.float64)[None])
    return _minimum(points, values[0])


def _minimum(points: Floats, curve: Floats) -> float:
    at = int(np.argmin(curve))
    if _ends(curve, at).any():
        return float("nan")
    slope, curvature = _parabola(points, curve, at)
    if not curvature > 0:
        return float("nan")
    return float(np.clip(points[at] - slope / curvature, points[at - 1], points[at + 1]))


def _ends(curve: Floats, at: int) -> NDArray[np.bool_]:
    """Whether the minimum, at place `at`, is told from neither, one or both ends of the grid."""
    return curve[[0, -1]] - curve[at] <= ROUNDING * float(np.abs(curve).max())


def profile_interval(grid: ArrayLike, losses: ArrayLike, level: float = 0.95) -> Interval:
    """The minimiser of mean(losses, axis 0) over the grid, with its scaled profile interval.

    grid: (G,) increasing; losses: (N, G), one row per independent prompt. All NaN where the
    minimum lies at an end of the grid, as far as rounding lets tell; one bound is NaN where the
    profile does not rise above the threshold before the grid ends on that side; both are NaN for
    N = 1.
    """
    points, values = _grid_and_losses(grid, losses)
    n, nan = values.shape[0], float("nan")
    if n < 1:
        return Interval(nan, nan, nan, 0)
    curve = values.mean(axis=0)
    estimate = _minimum(points, curve)
    if np.isnan(estimate) or n < 2:
        return Interval(estimate, nan, nan, n)
    at = int(np.argmin(curve))
    slope, curvature = _parabola(points, curve, at)
    slopes, curvatures = _parabola(points, values, at)
    scores = slopes + curvatures * (estimate - points[at])
    variance = float(scores.var(ddof=1))
    lowest = float(curve[at] - 0.5 * slope**2 / curvature)
    # t^2 with N - 1 degrees of freedom in place of chi^2_1: no difference for large N.
    threshold = lowest + quantile_for(level, n - 1) ** 2 * variance / (2.0 * n * float(curvature))
    if variance == 0.0:
        return Interval(estimate, estimate, estimate, n)
    below, above = points < estimate, points > estimate
    low = _crossing(points[below][::-1], curve[below][::-1], estimate, lowest, threshold)
    high = _crossing(points[above], curve[above], estimate, lowest, threshold)
    return Interval(estimate, low, high, n)


def _crossing(
    points: Floats, curve: Floats, start: float, lowest: float, threshold: float
) -> float:
    """Where the profile first exceeds the threshold, walking outwards from the minimum `start`.

    Between grid points the square root of the rise is interpolated, which is exact for a parabola;
    a chord of the profile itself would lie above it and cut the interval short.
    """
    rise = np.sqrt(np.maximum(np.concatenate([[lowest], curve]) - lowest, 0.0))
    places = np.concatenate([[start], points])
    wanted = (threshold - lowest) ** 0.5
    beyond = np.flatnonzero(rise > wanted)
    if beyond.size == 0:
        return float("nan")
    i = int(beyond[0])
    share = (wanted - rise[i - 1]) / (rise[i] - rise[i - 1])
    return float(places[i - 1] + share * (places[i] - places[i - 1]))


def profile_contrast(
    grid: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """minimiser(after) - minimiser(before) on the same prompts, by a paired bootstrap.

    before, after: (N, G) losses. Bounds are percentiles over resamples. A resample whose
    minimum leaves the grid counts as infinitely far on that side, so a bound it reaches is
    NaN (unknown); a minimum off the grid in the data themselves gives all NaN.
    """
    points, first = _grid_and_losses(grid, before)
    _, second = _grid_and_losses(grid, after)
    if first.shape != second.shape:
        raise ValueError(f"before {first.shape} and after {second.shape} are not paired")
    n, nan = first.shape[0], float("nan")
    if n < 1:
        return Interval(nan, nan, nan, 0)
    estimate = _minimum(points, second.mean(axis=0)) - _minimum(points, first.mean(axis=0))
    if np.isnan(estimate) or n < 2:
        return Interval(estimate, nan, nan, n)
    rng = generator(seed)
    both = np.concatenate([first, second], axis=1)
    draws = np.empty(resamples)
    for r in range(resamples):
        weights = np.bincount(rng.integers(0, n, n), minlength=n) / n
        curves = weights @ both
        draws[r] = _signed(points, curves[points.size :]) - _signed(points, curves[: points.size])
    tail = 0.5 * (1.0 - level)
    # Both minima off the same end leave the difference unknown: it could lie on either side.
    bounds = [np.where(np.isnan(draws), fill, draws) for fill in (-np.inf, np.inf)]
    low = float(np.quantile(bounds[0], tail, method="lower"))
    high = float(np.quantile(bounds[1], 1.0 - tail, method="higher"))
    return Interval(
        estimate, low if np.isfinite(low) else nan, high if np.isfinite(high) else nan, n
    )


def _signed(points: Floats, curve: Floats) -> float:
    """The minimum, or an infinity where it lies beyond that end of the grid."""
    first, last = _ends(curve, int(np.argmin(curve)))
    if first != last:
        return -np.inf if first else np.inf
    return _minimum(points, curve)
