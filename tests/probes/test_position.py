"""Positions: by hand, against the clustered bounds that they turn round, and their level."""

import numpy as np
import pytest
from scipy.stats import beta

from statistical import share
from unskew.probes.position import exceeds, position
from unskew.statistics.clustered import clustered_means

N = 60
NAMES = [f"c{i}" for i in range(N)]


def hits(k: int, n: int = N) -> np.ndarray:
    return np.array([1.0] * k + [0.0] * (n - k))


def test_the_ends_and_the_middle() -> None:
    one, zero = np.ones(N), np.zeros(N)
    for model, wanted in ((zero, 0.0), (hits(30), 0.5), (one, 1.0)):
        found = position(model, one, zero, NAMES, 0.05)
        assert found.estimate == pytest.approx(wanted)
        assert found.low is not None
        assert found.high is not None
        assert found.low < wanted < found.high
        assert (found.model, found.original, found.reference) == (wanted, 1.0, 0.0)
        assert (found.n, found.clusters) == (N, N)


def test_with_sure_ends_it_is_the_binomial_bound() -> None:
    # Original 1 and oracle 0 everywhere: the position is the model's share, and for theta in
    # [0, 1] the bound that of Clopper and Pearson for it, but for the reach below 0.
    found = position(hits(12), np.ones(N), np.zeros(N), NAMES, 0.05, resamples=40_000)
    assert found.high is not None
    assert found.high == pytest.approx(beta.ppf(0.95, 13, 48), abs=0.03)
    assert found.high >= beta.ppf(0.95, 13, 48) - 0.005  # the reach of differences is wider


@pytest.mark.parametrize("theta", [-0.4, 0.0, 0.2, 0.55, 1.0, 1.3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_bound_is_where_the_clustered_test_turns(theta: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"c{i // 2}" for i in range(120)]
    model, original, oracle = (rng.random(120) < p for p in (0.4, 0.9, 0.2))
    found = position(model, original, oracle, names, 0.05, seed=seed, resamples=2000)
    v = model.astype(float) - oracle - theta * (original.astype(float) - oracle)
    reach = max(1.0, theta, 1 - theta)
    means = clustered_means(v[:, None], names, [[-reach, reach]], seed, 2000)
    assert found.low is not None
    assert found.high is not None
    assert (means.high(0, 0.05) < 0) == (found.high < theta)
    assert (means.low(0, 0.05) > 0) == (found.low > theta)


def test_where_the_original_is_not_above_the_oracle_there_is_no_position() -> None:
    rng = np.random.default_rng(0)
    for original, oracle in ((hits(20), hits(20)[::-1]), (hits(10), hits(30)), (hits(3), hits(1))):
        found = position(rng.random(N) < 0.5, original, oracle, NAMES, 0.05)
        assert (found.estimate, found.low, found.high) == (None, None, None)
        assert found.original == original.mean()


def test_documents_that_one_model_lacks_are_left_out_of_all() -> None:
    model, original = hits(20), np.ones(N)
    model[:20:2] = np.nan
    found = position(model, original, np.zeros(N), NAMES, 0.05)
    assert found.n == found.clusters == 50
    assert found.estimate == pytest.approx(10 / 50)
    with pytest.raises(ValueError, match="no document"):
        position(np.full(N, np.nan), original, original, NAMES, 0.05)
    with pytest.raises(ValueError, match="lie in"):
        position(original, original * 1.5, original, NAMES, 0.05)


def test_what_all_three_share_cancels() -> None:
    # A document that is right in all models says nothing about the position.
    rng = np.random.default_rng(3)
    easy = rng.random(200) < 0.5
    model, oracle = easy.astype(float), easy.astype(float)
    found = position(model, np.ones(200), oracle, [str(i) for i in range(200)], 0.05)
    assert found.high is not None
    assert found.high < 0.1


def test_a_level_that_the_draws_do_not_reach_is_no_blindness() -> None:
    with pytest.raises(ValueError, match=r"1000 draws have no bounds at 0\.0001"):
        position(hits(10), np.ones(N), np.zeros(N), NAMES, 1e-4, resamples=1000)
    found = position(hits(10), np.ones(N), np.zeros(N), NAMES, 1e-3, resamples=1000)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 10 / N < found.high < 1


def test_bounds_fail_as_seldom_as_they_promise() -> None:
    rng = np.random.default_rng(0)
    truth, alpha, tries = 0.25, 0.05, 300
    missed = np.zeros(2, dtype=int)
    for i in range(tries):
        # Oracle 0.2, original 0.8, model 0.2 + 0.25 * 0.6, sharing how hard a document is.
        hard = rng.random(80)[:, None]
        jitter = (hard + 0.6 * rng.random((80, 3))) % 1
        model, original, oracle = (jitter < [0.35, 0.8, 0.2]).T
        found = position(model, original, oracle, [str(j) for j in range(80)], alpha, i, 999)
        assert found.low is not None
        assert found.high is not None
        missed += [found.low > truth, found.high < truth]
    from scipy.stats import binom

    level = share("positions hold their level", 2)
    assert (missed <= binom.isf(level, tries, alpha)).all()


def test_exceeds() -> None:
    assert exceeds(np.ones(N), np.zeros(N), NAMES, 0.05) > 0.85
    assert exceeds(hits(30), hits(30), NAMES, 0.05) <= 0
    gaps = np.where(np.arange(N) % 2 == 0, np.nan, 1.0)
    assert exceeds(gaps, np.zeros(N), NAMES, 0.05) == pytest.approx(
        exceeds(np.ones(30), np.zeros(30), NAMES[:30], 0.05), abs=0.02
    )
    assert np.isnan(exceeds(np.full(N, np.nan), hits(3), NAMES, 0.05))
