"""Intervals, contrasts, Fieller and Holm: two routes, edges, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from statistical import share
from unskew.statistics import (
    contrast,
    fieller,
    holm,
    mean_interval,
    one_sided_lower,
    one_sided_upper,
)
from unskew.statistics.student import student_cdf, student_quantile


@pytest.mark.parametrize("df", [1, 2, 3.5, 7, 30, 200, 5_000, 3_000_000, 20_000_000])
def test_student_agrees_with_scipy(df: float) -> None:
    for p in (1e-6, 0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9995):
        expected = float(scipy.stats.t.ppf(p, df))
        assert student_quantile(p, df) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    for t in (-40.0, -3.0, -0.1, 0.0, 0.7, 5.0):
        assert student_cdf(t, df) == pytest.approx(float(scipy.stats.t.cdf(t, df)), rel=1e-7)


def test_student_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="0 < p < 1"):
        student_quantile(1.0, 4)
    with pytest.raises(ValueError, match="positive"):
        student_cdf(0.0, 0)


def test_mean_interval_equals_scipy_over_trailing_axes() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=(17, 3, 2))
    ours = mean_interval(values, 0.9)
    assert ours.n == 17
    for place in np.ndindex(3, 2):
        column = values[(slice(None), *place)]
        low, high = scipy.stats.ttest_1samp(column, 0.0).confidence_interval(0.9)
        assert np.asarray(ours.low)[place] == pytest.approx(low, rel=1e-10)
        assert np.asarray(ours.high)[place] == pytest.approx(high, rel=1e-10)


def test_one_value_has_a_mean_but_no_bounds_and_none_has_neither() -> None:
    one = mean_interval([4.0])
    assert one.estimate == 4.0
    assert math.isnan(float(one.low))
    assert math.isnan(float(one.high))
    assert one.n == 1
    none = mean_interval(np.empty((0, 2)))
    assert np.isnan(np.asarray([none.estimate, none.low, none.high])).all()
    assert none.n == 0
    assert not mean_interval([4.0]).excludes(0.0)


def test_zero_variance_gives_a_point_and_nan_is_refused() -> None:
    assert mean_interval([2.0, 2.0, 2.0])[:3] == (2.0, 2.0, 2.0)
    for bad in ([1.0, math.nan], [math.inf, 0.0]):
        with pytest.raises(ValueError, match="NaN or infinite"):
            mean_interval(bad)
    with pytest.raises(ValueError, match="axis of units"):
        mean_interval(3.0)
    with pytest.raises(ValueError, match="level"):
        mean_interval([1.0, 2.0], level=95)


def test_one_sided_bounds_are_the_ends_of_a_wider_level() -> None:
    values = np.random.default_rng(5).normal(size=30)
    both = mean_interval(values, 0.90)
    lower, upper = one_sided_lower(values, 0.95), one_sided_upper(values, 0.95)
    assert float(lower.low) == pytest.approx(float(both.low), rel=1e-12)
    assert float(upper.high) == pytest.approx(float(both.high), rel=1e-12)
    assert lower.high == math.inf
    assert upper.low == -math.inf


def test_contrast_is_the_paired_test_and_sharper_than_the_unpaired() -> None:
    rng = np.random.default_rng(7)
    shared = rng.normal(scale=5.0, size=(200, 1))
    columns = shared + rng.normal(size=(200, 3)) + [0.0, 0.5, 1.0]
    ours = contrast(columns, [-1.0, 0.0, 1.0])
    theirs = scipy.stats.ttest_rel(columns[:, 2], columns[:, 0])
    low, high = theirs.confidence_interval(0.95)
    assert (float(ours.low), float(ours.high)) == pytest.approx((low, high), rel=1e-10)
    unpaired = scipy.stats.ttest_ind(columns[:, 2], columns[:, 0]).confidence_interval(0.95)
    assert float(ours.high) - float(ours.low) < 0.5 * (unpaired.high - unpaired.low)


def test_contrast_edges() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        contrast(np.zeros((4, 2)), [1.0])


def _fieller_by_search(a: np.ndarray, b: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of the set of theta whose paired t test of a - theta b is not rejected."""
    quantile = float(scipy.stats.t.ppf(0.5 + level / 2, len(a) - 1))

    def rejected(theta: float) -> bool:
        values = a - theta * b
        return bool(abs(values.mean()) > quantile * values.std(ddof=1) / len(values) ** 0.5)

    ends = []
    for far in (-50.0, 50.0):
        inside, outside = float(a.mean() / b.mean()), far
        for _ in range(100):
            middle = 0.5 * (inside + outside)
            inside, outside = (inside, middle) if rejected(middle) else (middle, outside)
        ends.append(inside)
    return ends[0], ends[1]


@pytest.mark.parametrize("seed", range(6))
def test_fieller_is_the_set_of_ratios_not_rejected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=40)
    b = 1.5 + 0.6 * base + rng.normal(size=40)
    a = 0.8 * b + 0.5 * base + rng.normal(size=40)
    ours = fieller(a, b)
    low, high = _fieller_by_search(a, b, 0.95)
    assert float(ours.low) == pytest.approx(low, rel=1e-8, abs=1e-10)
    assert float(ours.high) == pytest.approx(high, rel=1e-8, abs=1e-10)
    assert float(ours.estimate) == pytest.approx(a.mean() / b.mean())
    one = fieller(a, b, 0.975, side="lower")
    assert float(one.low) == pytest.approx(low, rel=1e-8, abs=1e-10)
    assert one.high == math.inf


def test_fieller_is_null_where_the_denominator_may_be_zero() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(5.0, 1.0, size=(50, 2))
    b = np.stack([rng.normal(0.05, 1.0, size=50), rng.normal(3.0, 1.0, size=50)], axis=1)
    assert not mean_interval(b[:, 0]).excludes(0.0)
    ours = fieller(a, b)
    known = np.isfinite(np.asarray([ours.estimate, ours.low, ours.high]))
    assert known.tolist() == [[False, True]] * 3
    assert np.isnan(np.asarray(fieller([1.0], [2.0])[:3])).all()
    assert np.isnan(np.asarray(fieller(np.zeros(9), np.zeros(9))[:3])).all()


def test_fieller_of_proportional_values_is_exact() -> None:
    b = np.array([1.0, 2.0, 3.0, 2.5])
    ours = fieller(-0.25 * b, b)
    assert ours[:3] == pytest.approx((-0.25, -0.25, -0.25))
    with pytest.raises(ValueError, match="paired"):
        fieller(b, b[:2])
    with pytest.raises(ValueError, match="NaN"):
        fieller([math.nan, 1.0], [1.0, 1.0])


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 50)), min_size=4, max_size=12),
    st.floats(0.1, 10.0),
)
def test_fieller_scales_with_its_units(pairs: list[tuple[int, int]], factor: float) -> None:
    a, b = np.array(pairs, dtype=float).T
    plain, scaled = fieller(a, b), fieller(factor * a, b)
    both = np.isnan(np.asarray(plain[:3])) == np.isnan(np.asarray(scaled[:3]))
    assert both.all()
    if not math.isnan(float(plain.estimate)):
        assert np.allclose(
            factor * np.asarray(plain[:3]), np.asarray(scaled[:3]), rtol=1e-6, atol=1e-6
        )


def _declared_band(level: float, trials: int, alpha: float) -> tuple[int, int]:
    """Counts of covering intervals a correct method leaves with chance below alpha."""
    count = scipy.stats.binom(trials, level)
    return int(count.ppf(alpha / 2)), int(count.isf(alpha / 2))


def test_coverage_of_mean_contrast_and_fieller() -> None:
    rng = np.random.default_rng(20)
    trials, n = 2000, 25
    chance = share("intervals of means and ratios cover", comparisons=3)
    low, high = _declared_band(0.95, trials, chance)
    noise = rng.normal(size=(n, trials, 2))
    b = 2.0 + noise[..., 0]
    a = 1.0 + 0.5 * noise[..., 0] + noise[..., 1]
    ratio = fieller(a, b)
    assert not np.isnan(np.asarray(ratio.estimate)).any()
    inside = (np.asarray(ratio.low) <= 0.5) & (np.asarray(ratio.high) >= 0.5)
    assert low <= inside.sum() <= high
    mean = mean_interval(b)
    inside = (np.asarray(mean.low) <= 2.0) & (np.asarray(mean.high) >= 2.0)
    assert low <= inside.sum() <= high
    bound = one_sided_lower(a - 0.5 * b)
    assert low <= (np.asarray(bound.low) <= 0.0).sum() <= high


def test_holm_by_hand_and_by_definition() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]).shape == (0,)
    mixed = holm([0.02, math.nan, 0.5])
    assert mixed[[0, 2]].tolist() == pytest.approx([0.04, 0.5])
    assert math.isnan(mixed[1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.uniform(size=6) ** 3
        for level in (0.01, 0.05, 0.2):
            rejected, order = set(), np.argsort(p)
            for rank, i in enumerate(order):
                if p[i] > level / (6 - rank):
                    break
                rejected.add(int(i))
            assert rejected == set(np.flatnonzero(holm(p) <= level).tolist())
