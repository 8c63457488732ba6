"""The skew of an ideal observer is found, g of a blend is found, and nulls stay null."""

import math

import numpy as np
import pytest
import torch
from tests.regression.worlds import ALPHA, DIM, EXEMPLARS, case, skewed

from unskew.regression.bayes import Posterior, Predictors
from unskew.regression.skew import GRID, distances, fit_skew, skew_rise, weight_on_discrete

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
