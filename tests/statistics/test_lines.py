"""Slopes with robust errors: against matrix formulas, at the edges, and by coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from statistical import share
from unskew.statistics import slope, slope_within


def _hc3(design: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """First coefficient and its HC3 standard error from the full matrices."""
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    hat = np.einsum("ij,jk,ik->i", design, bread, design)
    scaled = (y - design @ beta) / (1 - hat)
    cover = bread @ (design * scaled[:, None] ** 2).T @ design @ bread
    return float(beta[0]), float(cover[0, 0] ** 0.5)


def test_slope_equals_the_matrix_route() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    y = 1.0 + 2.0 * x + rng.normal(size=30) * (0.2 + x**2)
    ours = slope(x, y)
    beta, error = _hc3(np.stack([x, np.ones(30)], axis=1), y)
    t = scipy.stats.t.ppf(0.975, 28)
    assert ours[:3] == pytest.approx((beta, beta - t * error, beta + t * error), rel=1e-9)
    assert ours.n == 30
    lower = slope(x, y, 0.975, "lower")
    assert float(lower.low) == pytest.approx(float(ours.low), rel=1e-9)


def test_slope_within_equals_dummies_and_ignores_singletons() -> None:
    rng = np.random.default_rng(4)
    group = np.repeat(["a", "b", "c", "alone"], [9, 7, 8, 1])
    x = rng.normal(size=25) + 3.0 * (group == "b")
    y = -0.7 * x + 10.0 * (group == "c") + rng.normal(size=25)
    ours = slope_within(x, y, group)
    kept = group != "alone"
    dummies = [(group[kept] == name).astype(float) for name in "abc"]
    beta, error = _hc3(np.stack([x[kept], *dummies], axis=1), y[kept])
    t = scipy.stats.t.ppf(0.975, 24 - 4)
    assert ours[:3] == pytest.approx((beta, beta - t * error, beta + t * error), rel=1e-9)
    assert ours.n == 24


def test_clustered_error_equals_the_sandwich() -> None:
    rng = np.random.default_rng(6)
    prompts, counts = 12, 5
    cluster = np.tile(np.arange(prompts), counts)
    group = np.repeat(np.arange(counts), prompts)
    x = rng.normal(size=60) + rng.normal(size=prompts)[cluster]
    y = x + rng.normal(size=prompts)[cluster] + rng.normal(size=60)
    ours = slope_within(x, y, group, cluster=cluster)
    design = np.concatenate([x[:, None], np.eye(counts)[group]], axis=1)
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ y
    scores = design * (y - design @ beta)[:, None]
    summed = np.stack([scores[cluster == c].sum(axis=0) for c in range(prompts)])
    factor = prompts / (prompts - 1) * 59 / (60 - counts - 1)
    error = float((factor * (bread @ summed.T @ summed @ bread)[0, 0]) ** 0.5)
    t = scipy.stats.t.ppf(0.975, prompts - 1)
    assert ours[:3] == pytest.approx((beta[0], beta[0] - t * error, beta[0] + t * error))
    assert ours.n == prompts


def test_slope_edges() -> None:
    two = slope([0.0, 1.0], [0.0, 3.0])
    assert two.estimate == 3.0
    assert math.isnan(float(two.low))
    assert math.isnan(float(two.high))
    assert np.isnan(np.asarray(slope([1.0], [1.0])[:3])).all()
    assert np.isnan(np.asarray(slope([0.1] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])[:3])).all()
    # One point alone carries the slope: its residual is 0 by construction, so no bounds.
    lone = slope([0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 2.0, 9.0])
    assert lone.estimate == pytest.approx(8.0)
    assert math.isnan(float(lone.low))
    assert slope([0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 5.0, 7.0])[:3] == pytest.approx((2, 2, 2))
    with pytest.raises(ValueError, match="NaN"):
        slope([0.0, math.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="both be"):
        slope([0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="group"):
        slope_within([0.0, 1.0], [1.0, 2.0], [0])
    with pytest.raises(ValueError, match="cluster"):
        slope_within([0.0, 1.0], [1.0, 2.0], [0, 0], cluster=[1])
    one_cluster = slope_within([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], [0, 0, 0], cluster=[1, 1, 1])
    assert math.isnan(float(one_cluster.low))


@pytest.mark.parametrize("value", [0.1, 0.3, 1e6 + 0.7, -1 / 3])
@pytest.mark.parametrize("rows", [1000, 50_000])
def test_a_constant_has_no_slope_however_many_rows(value: float, rows: int) -> None:
    """The mean of so many equal values is off by more than their own rounding."""
    y = np.random.default_rng(0).normal(size=rows)
    assert np.isnan(np.asarray(slope(np.full(rows, value), y)[:3])).all()
    group = np.arange(rows) % 3
    x = value * (1 + group)
    assert np.isnan(np.asarray(slope_within(x, y, group)[:3])).all()
    x = np.where(np.arange(rows) % 2, 0.1 * 3, 0.3)  # the same, but for rounding
    assert np.isnan(np.asarray(slope_within(x, y, group, cluster=group)[:3])).all()
    x = value + 1e-3 * np.random.default_rng(1).normal(size=rows)
    assert slope(x, x).estimate == pytest.approx(1.0)


def test_coverage_under_unequal_variances_and_clusters() -> None:
    rng = np.random.default_rng(30)
    trials, prompts, counts = 600, 60, 4
    cluster, group = np.tile(np.arange(prompts), counts), np.repeat(np.arange(counts), prompts)
    plain = clustered = naive = 0
    for _ in range(trials):
        x = rng.normal(size=80)
        y = 0.3 * x + rng.normal(size=80) * (0.3 + np.abs(x))
        fit = slope(x, y)
        plain += float(fit.low) <= 0.3 <= float(fit.high)
        shared = rng.normal(size=(2, prompts))
        x = shared[0][cluster] + 0.3 * rng.normal(size=240) + group
        y = 2.0 * x - group + shared[1][cluster] + 0.3 * rng.normal(size=240)
        fit = slope_within(x, y, group, cluster=cluster)
        clustered += float(fit.low) <= 2.0 <= float(fit.high)
        fit = slope_within(x, y, group)
        naive += float(fit.low) <= 2.0 <= float(fit.high)
    # Sandwich intervals are approximate: allow a true coverage down to 93%.
    chance = share("intervals of slopes cover", comparisons=2)
    floor = scipy.stats.binom(trials, 0.93).ppf(chance)
    assert plain >= floor
    assert clustered >= floor
    assert naive < floor, "ignoring the clusters must show, or this test shows nothing"
