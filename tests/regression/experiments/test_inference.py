"""Experiments 1 to 4 on subjects whose truth is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.regression.worlds import ALPHA, DIM, EXEMPLARS, POOL, case, skewed

from unskew.regression.bayes import discrete, ridge
from unskew.regression.experiments.converge import converge
from unskew.regression.experiments.rivals import blurred_tasks, rivals
from unskew.regression.experiments.task_inference import task_inference
from unskew.regression.experiments.tradeoff import ideal, trajectory
from unskew.regression.experiments.where_it_hurts import BINS, where_it_hurts
from unskew.regression.measure import errors, observer

SPAN = f"1..{DIM}"


def one(table: pd.DataFrame, **wanted: object) -> pd.Series:
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def test_the_optimum_has_ratio_one_and_worse_has_more():
    world = case()
    best = observer(world.predictors(), ALPHA)
    exact = converge(ALPHA, best, world, "continuous", seed=0)
    assert one(exact, metric="ratio_to_bayes_continuous").estimate == pytest.approx(1)
    worse = converge(ALPHA, 0.5 * best, world, "continuous", seed=0)
    assert one(worse, metric="ratio_to_bayes_continuous").low > 1
    by_count = exact[(exact.metric == "excess_continuous") & exact.k.notna()]
    assert list(by_count[by_count.arm == "base"].k) == list(range(EXEMPLARS + 1))


def test_ideal_tradeoff_is_a_tradeoff():
    table = ideal([0.0, 0.5, 1.0], ALPHA, {"continuous": case(), "discrete": case(POOL)}, seed=0)
    curve = table[table.arm == "bayes"].pivot(index="alpha", columns="metric", values="estimate")
    assert curve.excess_continuous.is_monotonic_increasing
    assert curve.excess_discrete.is_monotonic_decreasing
    skews = table[table.arm == "observer"].pivot(index="delta", columns="metric", values="estimate")
    assert skews.excess_continuous[skews.index >= 0].is_monotonic_increasing


def test_trajectory_keeps_steps_and_intervals():
    def measured(step: int, continuous: float, discrete: float) -> dict:
        risks = {"excess_continuous": continuous, "excess_discrete": discrete}
        return {"step": step, "n": 9} | {m: [r, r - 0.1, r + 0.1] for m, r in risks.items()}

    log = [measured(0, 1.0, 0.5), {"step": 50, "loss": 1.0}, measured(60, 2.0, 0.3)]
    table = trajectory(log, ALPHA, EXEMPLARS, seed=0)
    assert list(table.arm) == ["base", "base", "tuned", "tuned"]
    assert one(table, step=60, metric="excess_discrete").high == pytest.approx(0.4)


def test_where_it_hurts_finds_slope_one_for_a_skewed_observer():
    world = case()
    base, tuned = skewed(world, 0.0, 0.1)[1.0], skewed(world, 5.0, 0.1, seed=1)[1.0]
    table = where_it_hurts(ALPHA, base, tuned, world, seed=0)
    slope = one(table, metric="slope", span=SPAN)
    assert slope.low < 1.05
    assert slope.high > 0.95
    assert slope.low > 0.5
    bins = table[(table.metric == "rise_continuous") & (table.k == 2)]
    assert set(bins.bin) == set(range(BINS))
    likelihood = table[(table.metric == "log_likelihood") & (table.k == 2)].sort_values("bin")
    assert likelihood.estimate.is_monotonic_increasing


def test_where_it_hurts_finds_no_slope_for_noise():
    world = case()
    base = skewed(world, 0.0, 0.3)[1.0]
    tuned = skewed(world, 5.0)[1.0][
        torch.randperm(len(base), generator=torch.Generator().manual_seed(0))
    ]
    table = where_it_hurts(ALPHA, base, base + 0.3 * (tuned - tuned.mean(0)), world, seed=0)
    slope = table[(table.metric == "slope") & (table.span == SPAN)].iloc[0]
    assert not slope.low > 0.5


def test_task_inference_of_a_skewed_observer():
    world = case(prompts=1600)
    base, tuned = skewed(world, 0.0), skewed(world, 5.0)
    table = task_inference(ALPHA, base, tuned, world, {"continuous": 1.0, "discrete": 1.05}, seed=0)
    assert one(table, metric="skew", arm="tuned", span=SPAN).estimate == pytest.approx(5, abs=0.05)
    assert one(table, metric="skew_rise").estimate == pytest.approx(5, abs=0.1)
    advantages = table[table.metric == "skew_advantage"]
    assert set(advantages.arm) == {"rival:ridge-lambda", "rival:shrinkage", "rival:partial-tasks"}
    assert (advantages[advantages.gamma.isna()].low > 0).all()
    assert set(advantages.gamma.dropna()) == {0.5, 2.0, 4.0}
    assert abs(one(table, metric="skew_drift", arm="tuned").estimate) < 0.1
    total = one(table, metric="total_rise", span=SPAN).estimate
    inference = one(table, metric="inference_part", span=SPAN).estimate
    ability = one(table, metric="ability_part", span=SPAN).estimate
    assert inference + ability == pytest.approx(total)
    assert inference == pytest.approx(total, rel=0.05)
    assert "within 1.1" in one(table, metric="skew_rise").note


def test_a_skew_that_too_few_prompts_tell_is_null_and_its_rows_say_why():
    world = case(prompts=100)
    base, tuned = skewed(world, 0.0), skewed(world, 5.0)
    table = task_inference(ALPHA, base, tuned, world, {"continuous": 1.0, "discrete": 1.0}, seed=0)
    for wanted in (
        {"metric": "skew", "arm": "tuned", "k": EXEMPLARS},
        {"metric": "skew_rise"},
        {"metric": "skew_drift", "arm": "tuned"},
    ):
        found = one(table, **wanted)
        assert found[["estimate", "low", "high"]].isna().all()
        assert "; null: too few prompts tell skews apart: " in found.note


def test_lost_ability_is_not_called_inference():
    world = case(prompts=800)
    base = skewed(world, 0.0)
    lost = {g: 0.5 * a for g, a in base.items()}
    table = task_inference(ALPHA, base, lost, world, {"continuous": 1.3, "discrete": 1.0}, seed=0)
    pooled = table[table.gamma.isna()]
    shrinkage = one(pooled, metric="skew_advantage", arm="rival:shrinkage")
    assert shrinkage.high < 0  # the rival that is true wins
    assert "part of this may be learning" in one(table, metric="skew_rise").note


def test_each_rival_finds_itself():
    world = case(prompts=800)
    gammas = {g: world.predictors(g) for g in (1.0, 2.0)}
    x, y = world.prompts.x, world.prompts.y
    subjects = {
        "ridge-lambda": ridge(x, y, world.sigma, 0.1 * 10**0.5).prediction,
        "shrinkage": 0.7 * observer(gammas[1.0], ALPHA),
        "skew": observer(gammas[1.0], ALPHA, 4.0),
    }
    for name, answers in subjects.items():
        fits = {r.name: r for r in rivals(answers, world, ALPHA, gammas)}
        distances = {
            n: float((r.answers[1.0] - answers).square().mean())
            for n, r in fits.items()
            if np.isfinite(r.parameter)
        }
        assert min(distances, key=lambda n: distances[n]) == name
        assert distances[name] < 1e-4


def test_blurred_tasks_lie_between_discrete_and_continuous():
    world = case(prompts=100)
    x, y = world.prompts.x, world.prompts.y
    sharp = blurred_tasks(x, y, world.tasks, world.sigma, 1e-5)
    expected = discrete(x, y, world.tasks, world.sigma)
    assert torch.allclose(sharp.prediction, expected.prediction, atol=1e-6)
    assert torch.allclose(sharp.log_evidence, expected.log_evidence, atol=1e-6)
    single = blurred_tasks(x, y, torch.zeros(1, DIM), world.sigma, 1.0)
    assert torch.allclose(single.prediction, ridge(x, y, world.sigma, 1.0).prediction, atol=1e-9)


def test_errors_are_against_the_noiseless_label():
    world = case(prompts=10)
    assert errors(world.prompts.clean, world).max() == 0
