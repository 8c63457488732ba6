"""Experiment 8 on subjects whose truth is known."""

import pytest
import torch
from tests.regression.table_rows import only, rows
from tests.regression.worlds import ALPHA, DIM, EXEMPLARS, POOL, PROMPTS, case

from unskew.regression.config import Protections
from unskew.regression.experiments.protection import interpolated, protection
from unskew.regression.measure import observer
from unskew.regression.transformer import Transformer, TransformerConfig

SPANS = [f"0..{EXEMPLARS}", f"1..{DIM}"]


def test_skew_costs_on_one_family_and_saves_on_the_other() -> None:
    cases = {"continuous": case(), "discrete": case(POOL)}
    plain = {family: world.predictors() for family, world in cases.items()}
    answers = {
        "base": {family: observer(p, ALPHA) for family, p in plain.items()},
        "tuned": {family: observer(p, ALPHA, 6.0) for family, p in plain.items()},
        "conjugate:gamma=3": {
            family: observer(world.predictors(3.0), ALPHA, 6.0) for family, world in cases.items()
        },
    }
    table = protection(ALPHA, answers, {"conjugate:gamma=3": 3.0}, cases, seed=0)
    assert {row["span"] for row in rows(table)} == set(SPANS)
    assert {row["n"] for row in rows(table)} == {PROMPTS // 2}  # the second half alone

    def found(arm: str, metric: str):
        return only(table, arm=arm, metric=metric, span=SPANS[1])

    rise = found("tuned", "rise_continuous")
    assert rise["low"] > 0
    assert found("tuned", "rise_discrete")["high"] < 0
    back = found("conjugate:gamma=3", "rise_continuous")
    assert back["high"] < rise["low"]
    assert back["gamma"] == 3.0
    assert found("conjugate:gamma=3", "rise_discrete")["low"] > 0
    # the unskewed observer is the optimum itself, and the paired difference is the difference
    before = found("base", "excess_continuous")["estimate"]
    assert found("bayes", "excess_continuous")["estimate"] == pytest.approx(before)
    after = found("tuned", "excess_continuous")["estimate"]
    assert rise["estimate"] == pytest.approx(after - before)


def test_interpolation_runs_from_base_to_tuned() -> None:
    config = TransformerConfig(layers=1, heads=1, width=8, layout="paired", block="swiglu")
    base, tuned, into = (
        Transformer(config, 2, 3).initialise(torch.Generator().manual_seed(s)) for s in range(3)
    )
    name = "read_in.weight"
    ends = base.state_dict()[name].clone(), tuned.state_dict()[name].clone()
    half = interpolated(base, tuned, 0.25, into).state_dict()[name]
    torch.testing.assert_close(half, 0.75 * ends[0] + 0.25 * ends[1])
    assert torch.equal(base.state_dict()[name], ends[0])
    assert torch.equal(tuned.state_dict()[name], ends[1])


def test_arms_are_named_by_what_they_do() -> None:
    arms = Protections(replay=(0.1,), anchor=(0.01,), low_rank=(2,)).arms()
    assert list(arms) == ["tuned", "replay:0.1", "anchor:0.01", "low-rank:2"]
    assert all(arm.base == arms["tuned"].base for arm in arms.values())
