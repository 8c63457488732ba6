"""Bounds of clustered, bounded means: exact where theory is, at ceilings, twins, level, power."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from statistical import share
from unskew.statistics import (
    ChoiceNoise,
    choice_noise,
    clustered_means,
    detectable,
    needed,
    share_interval,
)

LONG = 40_000


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (7, 60), (59, 60), (30, 30)])
def test_single_hits_have_the_interval_of_clopper_and_pearson(hits: int, n: int) -> None:
    values = np.r_[np.ones(hits), np.zeros(n - hits)]
    ours = share_interval(values, np.arange(n), resamples=LONG)
    exact = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert ours.estimate == hits / n
    assert ours.n == n
    assert float(ours.low) == pytest.approx(exact.low, abs=0.003)
    assert float(ours.high) == pytest.approx(exact.high, abs=0.003)


def test_single_hits_have_the_binomial_test() -> None:
    values = np.r_[np.ones(41), np.zeros(19)][:, None]
    means = clustered_means(values, np.arange(60), [[0, 1]], 3, LONG)
    for null in (0.5, 0.55, 0.6):
        exact = scipy.stats.binomtest(41, 60, null, alternative="greater").pvalue
        assert means.p_above(0, null) == pytest.approx(exact, abs=0.005)


def test_no_discordance_is_no_certainty() -> None:
    """59 equal pairs rule out a drop of 5 points (1 - 0.05^(1/59)), 58 do not, of whatever size."""
    for clusters, size in ((59, 1), (58, 1), (59, 2), (58, 4)):
        n = clusters * size
        means = clustered_means(np.zeros((n, 1)), np.arange(n) // size, [[-1, 1]], 0, LONG)
        expected = 1.0 - 0.05 ** (1.0 / clusters)
        assert (expected < 0.05) == (clusters == 59)
        assert means.high(0, 0.05) == pytest.approx(expected, rel=0.03)
        assert means.low(0, 0.05) == pytest.approx(-expected, rel=0.03)
    far = clustered_means(np.zeros((2000, 1)), np.arange(2000), [[-1, 1]], 0, 999)
    # Beyond the reach of the draws: Chernoff is above the exact (1 - 0.05)^2000, and not by much.
    exact = 0.95**2000
    assert exact <= far.p_below(0, 0.05) < 1e4 * exact


def test_bounds_are_like_those_of_the_t_test_in_the_middle() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(-1, 1, (800, 1))
    means = clustered_means(values, np.arange(800), [[-1, 1]], 0, LONG)
    estimate, error = values.mean(), scipy.stats.sem(values[:, 0])
    assert means.error[0] == pytest.approx(error)
    assert means.low(0, 0.05) == pytest.approx(estimate - 1.645 * error, abs=0.12 * error)
    assert means.high(0, 0.05) == pytest.approx(estimate + 1.645 * error, abs=0.12 * error)


def test_clusters_widen_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    names = np.array([f"c{i}" for i in range(40)])
    cluster = np.repeat(names, 5)
    values = np.repeat(rng.random(40) < 0.6, 5).astype(float)
    alone, together = share_interval(values, np.arange(200)), share_interval(values, cluster)
    single = share_interval(values[::5], names)
    assert together == pytest.approx((*single[:3], 200))
    width = [float(i.high) - float(i.low) for i in (alone, together)]
    assert width[1] > 2.0 * width[0]
    order = rng.permutation(200)
    assert share_interval(values[order], cluster[order]) == pytest.approx(together)
    means = clustered_means(values[:, None], cluster, [[0, 1]], 0, 99)
    assert means.clusters[0] == 40
    assert means.error[0] == pytest.approx(scipy.stats.sem(values[::5]))


def test_missing_documents_leave_only_their_own_column() -> None:
    values = np.random.default_rng(3).random((50, 3))
    values[10:, 1] = np.nan
    values[:, 2] = np.nan
    ends = [[0, 1]] * 3
    means = clustered_means(values, np.arange(50) // 2, ends, 1, 999)
    part = clustered_means(values[:10, 1:2], np.arange(10) // 2, ends[:1], 1, 999)
    assert means.n.tolist() == [50, 10, 0]
    assert means.clusters.tolist() == [25, 5, 0]
    assert means.estimate[1] == pytest.approx(part.estimate[0])
    assert means.error[1] == pytest.approx(part.error[0])
    unknown = [means.low(2, 0.05), means.high(2, 0.05), means.p_above(2, 0), means.p_below(2, 0)]
    assert np.isnan([*unknown, means.estimate[2], means.error[2]]).all()


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_p_values_are_the_twins_of_the_bounds(scores: list[float], size: int, seed: int) -> None:
    values = np.array(scores)[:, None]
    means = clustered_means(values, np.arange(len(scores)) // size, [[0, 1]], seed, 199)
    mean = values.mean()
    for alpha in (0.005, 0.025, 0.05, 0.3):
        low, high = means.low(0, alpha), means.high(0, alpha)
        assert 0.0 <= low <= mean + 1e-12
        assert mean - 1e-12 <= high <= 1.0
        for null in (0.0, 0.2, 0.5, mean, low, low - 1e-9, high, high + 1e-9, 1.0):
            assert (means.p_above(0, null) <= alpha) == (low > null + 1e-12)
            assert (means.p_below(0, null) <= alpha) == (high < null - 1e-12)


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30),
    st.integers(1, 4),
    st.sampled_from([1e-3, 1e-5, 1e-9]),
)
def test_bounds_finer_than_the_draws_are_the_twins_of_their_tests_too(
    scores: list[float], size: int, alpha: float
) -> None:
    values = np.array(scores)[:, None]
    means = clustered_means(values, np.arange(len(scores)) // size, [[0, 1]], 0, 199)
    low, high = means.low(0, alpha), means.high(0, alpha)
    assert -1e-12 <= low <= means.low(0, 0.005) + 1e-12
    assert means.high(0, 0.005) - 1e-12 <= high <= 1 + 1e-12
    for null in (0.01, 0.2, 0.5, 0.9, 0.99, low, low - 1e-9, high, high + 1e-9):
        if 0.0 < null < 1.0:
            assert (means.p_above(0, null) <= alpha) == (low > null + 1e-12)
            assert (means.p_below(0, null) <= alpha) == (high < null - 1e-12)


def test_a_bound_finer_than_the_draws_is_near_the_exact_one() -> None:
    means = clustered_means(np.ones((100, 1)), np.arange(100), [[-1, 1]], 0, 999)
    for alpha in (5e-4, 1e-6):
        exact = 1 - 2 * (1 - alpha ** (1 / 100))
        assert exact - 0.1 < means.low(0, alpha) <= exact
        assert means.high(0, alpha) == 1.0


def test_weights_come_from_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).random((30, 2))
    arguments = (values, np.arange(30), [[0, 1]] * 2)
    first = clustered_means(*arguments, 5, 300)
    assert (clustered_means(*arguments, 6, 300).lower != first.lower).any()
    monkeypatch.setattr("unskew.statistics.clustered._CHUNK", 70)
    np.testing.assert_allclose(clustered_means(*arguments, 5, 300).lower, first.lower, rtol=1e-13)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        clustered_means(np.zeros((3, 1)), [1, 2], [[0, 1]], 0, 9)
    with pytest.raises(ValueError, match="at least one document"):
        clustered_means(np.zeros((0, 1)), [], [[0, 1]], 0, 9)
    for bad in ([[1.5]], [[math.inf]]):
        with pytest.raises(ValueError, match="beyond their reach"):
            clustered_means(bad, [0], [[0, 1]], 0, 9)
    with pytest.raises(ValueError, match="level"):
        share_interval([1.0], [0], level=1.0)
    assert math.isnan(float(share_interval([], []).low))
    assert share_interval([math.nan], [0]).n == 0
    one = share_interval([1.0], [0], resamples=LONG)
    assert float(one.low) == pytest.approx(0.025, rel=0.1)
    with pytest.raises(ValueError, match="do not fit"):
        choice_noise(np.zeros((4, 2)), [4], [0, 0, 1, 1], 0, 99)


def _rejected(rng: np.random.Generator, trials: int, draw: str, n: int) -> int:
    """How often a true null is rejected at 5%, of skewed and clustered laws."""
    count = 0
    for trial in range(trials):
        match draw:
            case "ceiling":  # rare losses: the mean is below 1 by 0.05
                x, mean, cluster = (rng.random(n) > 0.05).astype(float), 0.95, np.arange(n)
            case "floor":
                x, mean, cluster = (rng.random(n) < 0.1) * rng.random(n), 0.05, np.arange(n)
            case _:  # whole clusters of one to five are lost together
                sizes = rng.integers(1, 6, n)
                cluster = np.repeat(np.arange(n), sizes)[:n]
                x, mean = (rng.random(n)[cluster] > 0.2).astype(float), 0.8
        means = clustered_means(x[:, None], cluster, [[0, 1]], trial, 399)
        count += means.p_above(0, mean) <= 0.05
    return count


@pytest.mark.parametrize("draw", ["ceiling", "floor", "clusters"])
def test_bounds_hold_their_level(draw: str) -> None:
    trials = 600
    chance = share("clustered bounds hold their level", comparisons=6)
    allowed = scipy.stats.binom(trials, 0.05).isf(chance)
    for n in (25, 100):
        rng = np.random.default_rng([n, len(draw)])
        assert _rejected(rng, trials, draw, n) <= allowed
    # The test can fail: a t test of the same scores does at the ceiling.
    if draw == "ceiling":
        x = np.random.default_rng(0).random((trials, 25)) > 0.05
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (x.mean(axis=1) - 0.95) / (x.std(axis=1, ddof=1) / 5)
        assert (t > 1.711).sum() > allowed


def test_choosing_costs_what_the_law_says() -> None:
    """Six equal candidates, five folds, independent noise: simulated anew, a plain 5% test of the
    cross-fitted score rejects 14% of the time; at the level asked of it, 5%."""
    rng = np.random.default_rng(0)
    clusters, folds = np.eye(6).repeat(40, axis=0), 5
    fold = np.arange(240) % folds
    noise = choice_noise(clusters, np.full(6, 1e9), fold, 7, LONG)
    trials = 20_000
    parts = rng.standard_normal((trials, folds, 6))
    chosen = (parts.sum(axis=1, keepdims=True) - parts).argmax(axis=2)
    score = np.take_along_axis(parts, chosen[..., None], 2)[..., 0].sum(axis=1) / folds**0.5
    assert (score > scipy.stats.norm.isf(0.05)).mean() == pytest.approx(0.14, abs=0.01)
    for sign, alpha in ((1, noise.alpha_above(0.05)), (-1, noise.alpha_below(0.05))):
        rate = (sign * score > scipy.stats.norm.isf(alpha)).mean()
        assert rate == pytest.approx(0.05, abs=0.008)


@given(st.floats(1e-12, 1.0), st.sampled_from([0.001, 0.01, 0.05, 0.2]))
def test_the_price_of_choosing_is_the_same_for_bounds_and_tests(p: float, alpha: float) -> None:
    noise = ChoiceNoise(1.3 * np.random.default_rng(1).standard_normal(999), ways=32.0)
    assert noise.p_above(p) >= p
    assert noise.alpha_above(alpha) <= alpha
    assert (noise.p_above(p) <= alpha) == (p <= noise.alpha_above(alpha))
    assert (noise.p_below(p) <= alpha) == (p <= noise.alpha_below(alpha))
    free = ChoiceNoise(None)
    assert (free.p_above(p), free.alpha_below(alpha)) == (p, alpha)


def test_more_ways_to_choose_than_a_float_holds() -> None:
    errors = np.random.default_rng(0).standard_normal((400, 6))
    noise = choice_noise(errors, np.full(6, 400), np.arange(400), 0, 99)
    assert noise.ways == math.inf
    assert 0.05 < noise.p_above(0.05) <= 1.0
    assert 0.0 < noise.alpha_above(0.05) < 0.05
    assert noise.alpha_below(1e-3) == 0.0
    assert choice_noise(errors, np.full(6, 400), np.arange(400) % 5, 0, 99).ways == 6.0**5


def test_equal_candidates_and_a_single_one_cost_nothing() -> None:
    same = np.random.default_rng(2).standard_normal((200, 1)).repeat(4, axis=1)
    noise = choice_noise(same, np.full(4, 1e9), np.arange(200) % 5, 0, LONG)
    assert noise.alpha_above(0.05) == pytest.approx(0.05, abs=0.004)
    alone = choice_noise(same[:, :1], [200], np.arange(200) % 5, 0, 99)
    assert alone.draws is None


def test_so_many_documents_decide() -> None:
    """Simulated: at least about the power asked for. Rare losses, which are skewed to the right,
    are shown a little sooner than the normal approximation says."""
    p, margin = 0.15, 0.05
    spread = (p - p**2) ** 0.5
    n = needed(p - margin, spread, 1.0 + p, 0.05, 0.8)
    assert n is not None
    rng = np.random.default_rng(5)
    x = (rng.random((600, n)) < p).astype(float)
    shown = sum(
        clustered_means(row[:, None], np.arange(n), [[-1, 1]], 0, 399).p_above(0, margin) <= 0.05
        for row in x
    )
    assert 0.76 < shown / 600 < 0.92
    assert needed(0.05, 0.0, 1.0, 0.05) == 60  # all equal: the rule of three
    assert needed(0.0, 1.0, 1.0, 0.05) is None
    assert needed(-0.1, 1.0, 1.0, 0.05) is None
    # Rounding, as where scores are all at a chance of a third; and more than anybody can ask.
    assert needed(3.7e-17, 0.4, 0.0, 0.05) is None
    assert needed(1e-9, 0.4, 0.0, 0.05) is None
    assert needed(0.1, math.nan, 1.0, 0.05) is None
    more = needed(p - margin, spread, 1.0 + p, 0.05 / 20, 0.8)
    assert more is not None
    assert more > 1.5 * n
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed(-1.0, 1.0, 1.0, 0.0)


def test_detectable_is_the_inverse_of_needed() -> None:
    drop = detectable(300, 0.2, margin=0.05)
    assert drop is not None
    n = needed(drop - 0.05, (0.2 - drop**2) ** 0.5, 1.0 + drop, 0.05)
    assert n == pytest.approx(300, rel=0.01)
    assert detectable(20, 1.0, margin=0.9) is None
    clustered = detectable(300, 0.2, margin=0.05, design=3.0, largest=4)
    assert clustered is not None
    assert clustered > drop
    for bad in ({"n": 0}, {"discordance": 1.5}, {"design": 0.0}, {"power": 1.0}):
        with pytest.raises(ValueError, match=r"out of range|between 0 and 1"):
            detectable(**{"n": 10, "discordance": 0.1, **bad})
