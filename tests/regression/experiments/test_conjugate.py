"""Experiment 5 on subjects whose truth is known: ideal observers, and models that lost ability."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from tests.regression.worlds import ALPHA, DIM, GAMMAS, POOL, case, skewed

from unskew.regression.experiments.conjugate import Pair, choose_gamma, conjugate
from unskew.regression.experiments.controls import other_finetuning

FLOOR, MARGIN = 0.4, 0.1


def pick(table: pd.DataFrame, **wanted: object) -> pd.Series:
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def run(pair: Pair, symmetric: dict | None = None) -> pd.DataFrame:
    worlds = {"continuous": case(), "discrete": case(POOL)}
    discrete = Pair(skewed(worlds["discrete"], 0.0), skewed(worlds["discrete"], 6.0))
    pairs = {"continuous": pair, "discrete": discrete}
    return conjugate(ALPHA, pairs, worlds, symmetric or {}, FLOOR, MARGIN, seed=0)


def test_a_skewed_observer_recovers():
    world = case()
    table = run(Pair(skewed(world, 0.0), skewed(world, 6.0)))
    span = f"1..{DIM}"
    assert pick(table, metric="rise_continuous", span=span).low > 0
    assert pick(table, metric="rise_discrete", span=span).high < 0
    recovery = pick(table, metric="net_recovery", arm="tuned", span=span)
    assert recovery.low > 0.6
    assert recovery.high < 1.2
    floor = pick(table, metric="contrast_0.4", arm="tuned")
    assert floor.low > 0
    assert pd.isna(floor.high)  # one-sided
    # theory and subject are the same thing here
    ideal = pick(table, metric="net_recovery", arm="observer", span=span)
    assert ideal.estimate == pytest.approx(recovery.estimate, abs=0.02)
    # gamma = -1 mirrors D_cont onto itself in distribution; gamma = 0.5 makes D_disc likelier
    assert not pick(table, metric="net_numerator", arm="control:gamma=-1").low > 0
    assert pick(table, metric="net_numerator", arm="control:gamma=0.5").high < 0
    assert pick(table, metric="cost_discrete").low > 0


def test_lost_ability_does_not_come_back():
    """A tuned model that answers c times ridge has lost ability, not inference: linear in y, so
    nothing changes under gamma, and the recovery is 0 although the base gains a little."""
    world = case()
    lost = {gamma: 0.3 * world.predictors().continuous.prediction for gamma in GAMMAS}
    table = run(Pair(skewed(world, 0.0), lost))
    recovery = pick(table, metric="net_recovery", arm="tuned", span=f"1..{DIM}")
    assert recovery.high <= 0
    assert pick(table, metric="contrast_0.4", arm="tuned").low < 0
    assert pick(table, metric="contrast_null", arm="tuned").high < 0


def test_nothing_lost_is_null_not_zero():
    world = case()
    same = skewed(world, 0.0)
    table = run(Pair(same, same))
    for metric in ("net_recovery", "relative_rise_continuous"):
        rows = table[(table.metric == metric) & (table.arm == "tuned")]
        rise = rows if metric == "net_recovery" else rows.iloc[:0]
        assert len(rows)
        assert rise.estimate.isna().all()
    assert pick(table, metric="net_numerator", arm="tuned", span=f"1..{DIM}").estimate == 0


def test_gamma_is_chosen_on_the_first_half_only():
    world = case()
    base, tuned = skewed(world, 0.0), skewed(world, 6.0)
    chosen = choose_gamma(Pair(base, tuned), world)
    spoilt = {gamma: a.clone() for gamma, a in tuned.items()}
    spoilt[chosen][world.half(1)] = 1e6
    assert choose_gamma(Pair(base, spoilt), world) == chosen
    spoilt[chosen][world.half(0)] = 1e6
    assert choose_gamma(Pair(base, spoilt), world) != chosen
    with pytest.raises(ValueError, match="no gamma above 1"):
        choose_gamma(Pair({1.0: base[1.0]}, {1.0: tuned[1.0]}), world)


def test_reported_numbers_are_the_second_halfs():
    world = case()
    base, tuned = skewed(world, 0.0), skewed(world, 6.0)
    table = run(Pair(base, tuned))
    clean = world.prompts.clean
    at = list(range(1, DIM + 1))

    def risk(a: torch.Tensor) -> float:
        return float((a - clean)[world.half(1)][:, at].square().mean())

    gamma = pick(table, metric="gamma_chosen").estimate
    top = (risk(tuned[1.0]) - risk(tuned[gamma])) - (risk(base[1.0]) - risk(base[gamma]))
    bottom = risk(tuned[1.0]) - risk(base[1.0])
    found = pick(table, metric="net_recovery", arm="tuned", span=f"1..{DIM}")
    assert found.estimate == pytest.approx(top / bottom, rel=1e-9)
    assert found.n == len(clean) // 2


def test_a_control_that_recovers_is_seen():
    """The null test can fail: a 'symmetry' that in truth un-skews is not called nothing."""
    world = case()
    base, tuned = skewed(world, 0.0), skewed(world, 6.0)
    four = (base[1.0], tuned[1.0], base[4.0], tuned[4.0])
    table = run(Pair(base, tuned), {"cheat": four})
    assert pick(table, metric="contrast_null", arm="control:cheat").high > 0


def test_other_finetuning_rows():
    world = case()
    pairs = {"continuous": Pair(skewed(world, 0.0), skewed(world, 3.0))}
    table = other_finetuning("again", ALPHA, pairs, {"continuous": world}, seed=0)
    assert pick(table, metric="rise_continuous").low > 0
    gains = table[table.metric == "gain_continuous"]
    assert sorted(gains.gamma) == sorted(set(GAMMAS) - {1.0})
    assert np.isfinite(gains.estimate).all()
    assert not any(math.isinf(v) for v in table.estimate.dropna())
