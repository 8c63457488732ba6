"""The skew of an ideal observer is found, g of a blend is found, and nulls stay null."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from tests.regression.worlds import ALPHA, DIM, EXEMPLARS, POOL, case, skewed

from statistical import share
from unskew.regression.bayes import Posterior, Predictors, mixture
from unskew.regression.measure import Case
from unskew.regression.priors import Continuous
from unskew.regression.prompts import PromptStream
from unskew.regression.skew import (
    FEWEST,
    GRID,
    distances,
    explained_skew,
    fit_skew,
    skew_drift,
    skew_rise,
    telling_prompts,
    weight_on_discrete,
)

COUNTS = range(1, DIM + 1)


@pytest.mark.parametrize("delta", [-3.0, 0.0, 2.6, 11.3])
def test_the_observers_skew_is_found(delta: float):
    world = case()
    found = fit_skew(skewed(world, delta)[1.0], world.predictors(), ALPHA, COUNTS)
    assert found.estimate == pytest.approx(delta, abs=0.05)
    assert found.low <= delta + 0.05
    assert found.high >= delta - 0.05


def test_noise_widens_the_interval_around_the_truth():
    world = case()
    found = fit_skew(skewed(world, 5.0, noise=0.3)[1.0], world.predictors(), ALPHA, COUNTS)
    width = found.high - found.low
    assert 0.1 < width < 6
    # a 95% interval misses one time in 20; two widths away it does not
    assert abs(found.estimate - 5.0) < 2 * width


def test_rise_of_skew():
    world = case(prompts=600)
    before, after = skewed(world, 1.0, 0.2)[1.0], skewed(world, 6.0, 0.2, seed=1)[1.0]
    rise = skew_rise(before, after, world.predictors(), ALPHA, COUNTS, seed=0)
    assert rise.low > 2.0
    assert abs(rise.estimate - 5.0) < 2 * (rise.high - rise.low)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_no_skew_where_no_prior_can_move(alpha: float):
    world = case(prompts=50)
    answers = skewed(world, 1.0)[1.0]
    p = world.predictors()
    for found in (
        fit_skew(answers, p, alpha, COUNTS),
        skew_rise(answers, answers, p, alpha, COUNTS, seed=0),
    ):
        assert all(math.isnan(v) for v in (found.estimate, found.low, found.high))


def test_a_skew_off_the_grid_is_null_not_its_end():
    world = case(prompts=200)
    answers = world.predictors().discrete.prediction  # infinite skew
    assert math.isnan(fit_skew(answers, world.predictors(), ALPHA, COUNTS).estimate)


@pytest.mark.parametrize("g", [0.0, 0.3, 1.0])
def test_weight_on_discrete_of_a_blend(g: float):
    p = case().predictors()
    blend = g * p.discrete.prediction + (1 - g) * p.continuous.prediction
    found = weight_on_discrete(blend, p)
    assert found.estimate == pytest.approx([g] * (EXEMPLARS + 1), abs=1e-9)


def test_weight_is_null_where_the_predictors_agree():
    p = case(prompts=20).predictors()
    same = Predictors(p.continuous, Posterior(p.continuous.prediction, p.discrete.log_evidence))
    found = weight_on_discrete(torch.zeros_like(p.continuous.prediction), same)
    assert all(math.isnan(v) for v in np.atleast_1d(found.estimate))


def test_distances_by_hand():
    world = case(prompts=5)
    p = world.predictors()
    answers = torch.zeros_like(p.continuous.prediction)
    table = distances(answers, p, ALPHA, [2])
    at = list(GRID).index(0.0)
    expected = skewed(world, 0.0)[1.0][:, 2].square()
    assert table[:, at] == pytest.approx(expected.numpy())


def noisy(
    sigma: float, seed: int, delta: float | None, prompts: int = 1000
) -> tuple[torch.Tensor, Predictors]:
    """The demo's world at another noise of the labels: answers of the observer of skew delta (None:
    ridge regression, skew minus infinity) with noise of their own, and the two predictors."""
    stream = PromptStream(Continuous(), DIM, 12, sigma, seed=seed, stream="test")
    p = Case(stream.batch(0, prompts), POOL.tasks(DIM), sigma, 1.0).predictors()
    exact = p.continuous if delta is None else mixture(p, ALPHA, delta)
    generator = torch.Generator().manual_seed(seed)
    shape = exact.prediction.shape
    noise = 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return exact.prediction + noise, p


@pytest.mark.parametrize("sigma", [0.1, 0.05])
@pytest.mark.parametrize("delta", [3.0, None])
def test_a_skew_that_few_prompts_tell_is_null_and_says_so(sigma: float, delta: float | None):
    for seed in range(8):
        answers, p = noisy(sigma, seed, delta)
        found, why = explained_skew(answers, p, ALPHA, [12])
        assert all(math.isnan(v) for v in found[:3]), (seed, found)
        assert found.n == 1000
        assert why is not None
        few = "too few prompts tell skews apart: "
        assert why == "no skew inside -15..30 nats fits best" or why.startswith(few)
        if why.startswith(few):
            assert int(why.removeprefix(few).removesuffix(" of 1,000")) < FEWEST
        # ... and so is every difference from it.
        for contrast in (
            skew_rise(answers, answers, p, ALPHA, [12], seed=0),
            skew_drift(answers, p, ALPHA, 1, 12, seed=0),
        ):
            assert all(math.isnan(v) for v in contrast[:3])


def test_an_exact_ridge_has_no_skew_however_its_rounding_falls():
    _, p = noisy(0.05, 0, None)
    assert math.isnan(fit_skew(p.continuous.prediction, p, ALPHA, [12]).estimate)


def test_telling_prompts_are_counted_by_the_slope_of_the_answer():
    answers, p = noisy(0.5, 0, 3.0, prompts=400)
    step = 1e-4
    ahead, back = (mixture(p, ALPHA, 3.0 + h).prediction[:, 1:4] for h in (step, -step))
    w = ((ahead - back) / (2 * step)).square().mean(1)
    expected = float(w.sum() ** 2 / w.square().sum())
    assert telling_prompts(p, ALPHA, range(1, 4), 3.0) == pytest.approx(expected, rel=1e-6)
    assert not math.isnan(fit_skew(answers, p, ALPHA, range(1, 4)).estimate)


def test_skew_intervals_cover():
    """In the demo's world, over 1..d and at the largest count, where few prompts tell: there the
    interval may be null, but where it is not it covers."""
    level = share("skew intervals cover", comparisons=2)
    for counts, prompts, draws in ((range(1, 4), 400, 80), ([12], 1600, 40)):
        inside = known = 0
        for seed in range(draws):
            found = fit_skew(*noisy(0.5, seed, 3.0, prompts), ALPHA, counts)
            if not math.isnan(found.estimate):
                known += 1
                inside += not (found.low > 3.0 or found.high < 3.0)
        assert known > draws // 2
        # 95% is for many prompts; allow a true coverage of 88%.
        assert inside >= stats.binom(known, 0.88).ppf(level)
