"""One failure budget for all statistical tests of the suite.

A test of random numbers fails by bad luck with some probability. Here the whole suite together has
1e-6: it is cut into equal shares, one for each name below, and a test asks for its share by name
and divides it among its comparisons. So a red statistical test means a defect, and nobody loosens
one. Seeds are fixed; the budget is the probability over the choice of seeds.

    level = share("continuous weights are normal", comparisons=3)
    assert_law(draws, scipy.stats.norm(0, tau).cdf, level)
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

TOTAL = 1e-6
SHARES = 100  # 1e-8 each
NAMES = frozenset(
    {
        "continuous weights are normal",
        "discrete weights are uniform over the pool",
        "discrete pool is normal",
        "mixture tosses a fair alpha coin",
        "mixture kinds have their own laws",
        "torch generators draw the same laws",
        "inputs and noise are standard normal",
        "parts of a prompt are independent",
        "streams and steps are independent",
        "posterior weight g is calibrated",
        "bayes errors are orthogonal to predictions",
        "ridge residuals have the predictive law",
        "intervals of means and ratios cover",
        "intervals of slopes cover",
        "intervals over training seeds cover",
        "profile intervals cover",
        "skew intervals cover",
        "clustered bounds hold their level",
        "positions hold their level",
        "verdicts hold their level",
        "verdicts hold their level, in full",
        "second witnesses hold their level",
        "hypotheses do not tell the label",
        "negation is balanced within each label",
        "documents come by their weights",
    }
)


def share(name: str, comparisons: int = 1) -> float:
    """The probability with which one comparison of the test `name` may fail by chance."""
    if name not in NAMES:
        raise KeyError(f"{name!r} is not declared in tests/statistical.py")
    return TOTAL / SHARES / comparisons


def assert_law(values: ArrayLike, cdf: Callable[[Any], Any], level: float) -> None:
    """Kolmogorov-Smirnov: `values` are independent draws from the law with this `cdf`."""
    statistic, p = stats.kstest(np.asarray(values).ravel(), cdf)
    assert p > level, f"D = {statistic:.3g}, p = {p:.2g} < {level:.2g}"


def assert_mean(values: ArrayLike, expected: float, level: float) -> None:
    """t test: `values` are independent with mean `expected` (normal-theory level, so use many)."""
    draws = np.asarray(values, dtype=np.float64).ravel()
    t = (draws.mean() - expected) / stats.sem(draws)
    p = 2 * stats.t.sf(abs(t), len(draws) - 1)
    assert p > level, f"t = {t:.3g}, p = {p:.2g} < {level:.2g}"


def assert_counts(counts: ArrayLike, probabilities: ArrayLike, level: float) -> None:
    """Chi-squared: `counts` are multinomial with `probabilities` (expect >= 20 in each cell)."""
    observed, probability = np.asarray(counts), np.asarray(probabilities)
    assert math.isclose(probability.sum(), 1.0)
    statistic, p = stats.chisquare(observed, observed.sum() * probability)
    assert p > level, f"chi2 = {statistic:.3g}, p = {p:.2g} < {level:.2g}"
