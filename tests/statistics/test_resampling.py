"""Bootstraps and profiles: determinism, agreement with theory, edges, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from statistical import share
from unskew.statistics import (
    RunSummary,
    hierarchical_bootstrap,
    mean_interval,
    profile_contrast,
    profile_interval,
    profile_minimum,
    run_summary,
)
from unskew.statistics.profile import effective_number


def test_hierarchical_interval_widens_with_seeds_not_prompts() -> None:
    rng = np.random.default_rng(5)
    seeds = rng.normal(1.0, 0.5, size=8)
    runs = [[run_summary(mu + rng.normal(0, 1, size=4000)) for _ in range(2)] for mu in seeds]
    ours = hierarchical_bootstrap(runs, seed=3, resamples=4000)
    means = np.array([[float(run.mean[0]) for run in row] for row in runs]).mean(axis=1)
    t_interval = mean_interval(means)
    assert ours.n == 8
    assert float(ours.estimate) == pytest.approx(means.mean())
    ours_width = float(ours.high) - float(ours.low)
    t_width = float(t_interval.high) - float(t_interval.low)
    assert 0.75 < ours_width / t_width < 1.3
    pooled_error = float(runs[0][0].covariance[0, 0]) ** 0.5 / 16**0.5
    assert ours_width > 5 * 4 * pooled_error
    assert hierarchical_bootstrap(runs, seed=3, resamples=4000) == ours


def test_hierarchical_statistic_prompt_noise_and_edges() -> None:
    rng = np.random.default_rng(6)
    flat = [[RunSummary(np.array([2.0, 4.0]), np.zeros((2, 2)))] for _ in range(5)]
    exact = hierarchical_bootstrap(flat, 0, lambda m: float(m[0] / m[1]), resamples=50)
    assert exact[:3] == (0.5, 0.5, 0.5)
    # Perfectly correlated columns (a singular covariance): the difference has no noise.
    both = rng.normal(size=(100, 1)) + np.array([[0.0, 1.0]])
    noisy = [[run_summary(both)] for _ in range(3)]
    gap = hierarchical_bootstrap(noisy, 0, lambda m: float(m[1] - m[0]), resamples=200)
    assert float(gap.high) - float(gap.low) < 1e-6
    mean = hierarchical_bootstrap(noisy, 0, resamples=200)
    assert float(mean.high) - float(mean.low) > 0.05
    single = hierarchical_bootstrap(flat[:1], 0)
    assert single.estimate == 2.0
    assert math.isnan(float(single.low))
    ragged = hierarchical_bootstrap([flat[0] * 3, flat[1]], 0, resamples=20)
    assert ragged.estimate == 2.0
    for empty in ([], [[]]):
        with pytest.raises(ValueError, match="at least one run"):
            hierarchical_bootstrap(empty, 0)
    with pytest.raises(ValueError, match="per-prompt"):
        run_summary([1.0])
    with pytest.raises(ValueError, match="negative eigenvalue"):
        hierarchical_bootstrap([[RunSummary(np.zeros(1), -np.eye(1))]] * 2, 0)


CHANCE = share("intervals over training seeds cover", comparisons=4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_seeds_have_at_least_the_t_interval_of_their_means(count: int) -> None:
    # Without noise within seeds, where a bootstrap alone covers 50%, 76% and 92%.
    rng = np.random.default_rng(41)
    trials, inside = 200, 0
    for trial in range(trials):
        means = rng.normal(0.0, 1.0, size=count)
        runs = [[RunSummary(np.array([mean]), np.zeros((1, 1)))] for mean in means]
        fit = hierarchical_bootstrap(runs, seed=trial, resamples=100)
        exact = mean_interval(means)
        assert float(fit.low) <= float(exact.low) + 1e-12
        assert float(fit.high) >= float(exact.high) - 1e-12
        inside += float(fit.low) <= 0.0 <= float(fit.high)
    assert inside >= scipy.stats.binom(trials, 0.95).ppf(CHANCE)


def test_noise_within_seeds_alone_has_the_expanded_percentiles() -> None:
    runs = [[RunSummary(np.zeros(1), np.eye(1))] for _ in range(5)]
    fit = hierarchical_bootstrap(runs, seed=0)
    half = math.sqrt(5 / 4) * scipy.stats.t(4).ppf(0.975) / math.sqrt(5)  # 1.39; unexpanded 0.88
    assert (float(fit.low), float(fit.high)) == pytest.approx((-half, half), rel=0.06)


def test_the_jackknife_is_of_the_statistic() -> None:
    means = np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 4.0]])
    runs = [[RunSummary(mean, np.zeros((2, 2)))] for mean in means]
    fit = hierarchical_bootstrap(runs, 0, lambda m: float(m[0] / m[1]), resamples=50)
    left = np.array([6 / 7, 5 / 6, 3 / 5])  # of the others' sums
    error = math.sqrt(2 / 3 * ((left - left.mean()) ** 2).sum())
    assert float(fit.estimate) == pytest.approx(7 / 9)
    assert float(fit.high) == pytest.approx(7 / 9 + scipy.stats.t(2).ppf(0.975) * error)


def test_hierarchical_coverage_over_training_seeds() -> None:
    rng = np.random.default_rng(40)
    trials, inside = 250, 0
    for trial in range(trials):
        seeds = rng.normal(0.0, 1.0, size=5)
        runs = [
            [
                RunSummary(
                    mu + rng.normal(0, 0.5, size=1) + rng.normal(0, 0.2, 1), np.eye(1) * 0.04
                )
                for _ in range(2)
            ]
            for mu in seeds
        ]
        fit = hierarchical_bootstrap(runs, seed=trial, resamples=1500)
        inside += float(fit.low) <= 0.0 <= float(fit.high)
    assert inside >= scipy.stats.binom(trials, 0.95).ppf(CHANCE)


def _quadratic_losses(rng: np.random.Generator, n: int, centre: float) -> np.ndarray:
    """Losses (N, G) with curvature 1 whose mean is minimal near `centre`."""
    own = centre + rng.normal(0, 2.0, size=(n, 1))
    return 0.5 * (np.linspace(-10, 10, 81) - own) ** 2


GRID = np.linspace(-10, 10, 81)


def test_profile_of_a_parabola_is_the_t_interval_of_its_centres() -> None:
    rng = np.random.default_rng(11)
    own = 1.3 + rng.normal(0, 6.0, size=(60, 1))
    fit = profile_interval(GRID, 0.5 * (GRID - own) ** 2)
    exact = mean_interval(own[:, 0])
    assert float(fit.estimate) == pytest.approx(float(exact.estimate), abs=1e-9)
    # Crossings are interpolated between grid points, so agree to a share of the step.
    assert float(fit.low) == pytest.approx(float(exact.low), abs=0.02)
    assert float(fit.high) == pytest.approx(float(exact.high), abs=0.02)
    narrow = profile_interval(GRID, 0.5 * (GRID - (1.3 + 0.01 * (own - 1.3))) ** 2)
    tight = mean_interval(1.3 + 0.01 * (own[:, 0] - 1.3))
    assert float(narrow.high) == pytest.approx(float(tight.high), abs=1e-6)


def test_profile_is_not_an_estimate_at_the_end_of_the_grid() -> None:
    rng = np.random.default_rng(12)
    beyond = 0.5 * (GRID - (30 + rng.normal(size=(20, 1)))) ** 2
    assert np.isnan(np.asarray(profile_interval(GRID, beyond)[:3])).all()
    assert math.isnan(profile_minimum(GRID, GRID))
    assert profile_minimum(GRID, (GRID - 0.1) ** 2) == pytest.approx(0.1)
    # A profile that flattens to the right: the lower bound is known, the upper is not.
    flat = 1.0 - np.exp(-0.5 * (np.minimum(GRID, 3.0) - 2.9 - rng.normal(0, 1, (30, 1))) ** 2)
    fit = profile_interval(GRID, flat)
    assert math.isnan(float(fit.high))
    one = profile_interval(GRID, _quadratic_losses(rng, 1, 0.0))
    assert math.isfinite(float(one.estimate))
    assert math.isnan(float(one.low))
    assert profile_interval(GRID, np.empty((0, 81))).n == 0
    same = profile_interval(GRID, np.repeat((GRID[None] - 1.0) ** 2, 4, axis=0))
    assert same[:3] == pytest.approx((1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="increasing"):
        profile_interval([0.0, 0.0, 1.0], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="losses must be"):
        profile_interval(GRID, np.zeros((2, 3)))


def test_profile_coverage() -> None:
    rng = np.random.default_rng(13)
    trials, inside = 1000, 0
    for _ in range(trials):
        fit = profile_interval(GRID, _quadratic_losses(rng, 50, 1.234))
        inside += float(fit.low) <= 1.234 <= float(fit.high)
    expected = scipy.stats.binom(trials, 0.95)
    chance = share("profile intervals cover", comparisons=2)
    assert expected.ppf(chance) <= inside <= expected.isf(chance)


def test_profile_contrast_is_paired() -> None:
    rng = np.random.default_rng(14)
    own = rng.normal(0, 2.0, size=(80, 1))
    rise = 3.0 + rng.normal(0, 0.2, size=(80, 1))
    before, after = 0.5 * (GRID - own) ** 2, 0.5 * (GRID - own - rise) ** 2
    fit = profile_contrast(GRID, before, after, seed=1, resamples=800)
    exact = mean_interval(rise[:, 0])
    assert float(fit.estimate) == pytest.approx(float(exact.estimate), abs=1e-9)
    assert float(fit.low) == pytest.approx(float(exact.low), abs=0.02)
    assert float(fit.high) == pytest.approx(float(exact.high), abs=0.02)
    assert profile_contrast(GRID, before, after, seed=1, resamples=800) == fit
    with pytest.raises(ValueError, match="not paired"):
        profile_contrast(GRID, before, after[:5], seed=1)


def test_profile_contrast_reaching_the_end_has_no_bound_there() -> None:
    rng = np.random.default_rng(15)
    before = 0.5 * (GRID - rng.normal(0, 1.0, size=(40, 1))) ** 2
    after = 0.5 * (GRID - (9.6 + rng.normal(0, 3.0, size=(40, 1)))) ** 2
    fit = profile_contrast(GRID, before, after, seed=2, resamples=400)
    assert math.isfinite(float(fit.estimate))
    assert math.isfinite(float(fit.low))
    assert math.isnan(float(fit.high))
    gone = profile_contrast(GRID, before, after + GRID * -50, seed=2, resamples=50)
    assert np.isnan(np.asarray(gone[:3])).all()


def test_a_minimum_within_rounding_of_an_end_is_off_the_grid() -> None:
    rng = np.random.default_rng(16)
    # Flat to the left but for rounding, as where no prompt's evidence lets delta matter.
    flat = 0.01 + 1e-17 * rng.normal(size=(50, GRID.size)) + np.maximum(GRID - 5, 0) ** 2
    flat[:, 30] -= 1e-16
    curve = flat.mean(axis=0)
    assert 0 < int(np.argmin(curve)) < GRID.size - 1
    assert math.isnan(profile_minimum(GRID, curve))
    assert np.isnan(np.asarray(profile_interval(GRID, flat)[:3])).all()
    told = _quadratic_losses(rng, 50, 0.0)
    for before, after in ((told, flat), (flat, told)):
        assert np.isnan(np.asarray(profile_contrast(GRID, before, after, 0, 20)[:3])).all()
    assert math.isnan(profile_minimum(GRID, np.zeros(GRID.size)))


def test_effective_number() -> None:
    assert effective_number([2.0, 2.0, 2.0]) == pytest.approx(3)
    assert effective_number([1.0, 0.0, 0.0]) == 1
    assert effective_number([3.0, 1.0]) == pytest.approx(16 / 10)
    assert effective_number([1e-200, 1e-200]) == pytest.approx(2)
    assert effective_number([0.0, 0.0]) == 0
    assert effective_number([]) == 0
    with pytest.raises(ValueError, match="not negative"):
        effective_number([1.0, -1.0])


@pytest.mark.parametrize("centre", [-0.26, 0.0, 0.1])
def test_the_profile_interval_does_not_depend_on_the_grid(centre: float) -> None:
    """Quadratic losses (a + delta - centre)^2: the profile is a parabola, its interval the t
    interval of the mean of a, whether the grid is finer or much coarser than that."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, 4000)
    found = []
    for spacing in (0.25, 0.01):
        grid = np.arange(-2.0, 2.0 + 1e-9, spacing)
        losses = (noise[:, None] + grid - centre) ** 2
        found.append(profile_interval(grid, losses))
    coarse, fine = found
    expected = mean_interval(centre - noise)
    for one in (coarse, fine):
        assert one.estimate == pytest.approx(expected.estimate, abs=1e-9)
        assert one.low == pytest.approx(expected.low, abs=1e-6)
        assert one.high == pytest.approx(expected.high, abs=1e-6)
