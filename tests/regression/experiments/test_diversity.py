"""Experiment 6 on logs whose truth is known."""

from typing import Any

import pytest
import torch
from tests.regression.table_rows import only, rows

from unskew.regression.bayes import ridge
from unskew.regression.config import Diversity, Watched
from unskew.regression.experiments.diversity import (
    Yardstick,
    diversity,
    prompts_of,
    steps_to_ridge,
    tau_of,
    yardstick,
)
from unskew.training.config import Training


def small(**changes: Any) -> Diversity:
    world: dict[str, Any] = {
        "d": 2,
        "exemplars": 3,
        "pools": (2, 8),
        "pretraining": Training(steps=300),
    }
    return Diversity.model_validate(world | changes)


def one() -> tuple[Watched, Yardstick]:
    watched = small().arms()["continuous"]
    return watched, yardstick(watched)


def record(step: int, ratio: float, n: int = 9) -> dict[str, object]:
    around = [ratio, ratio - 0.1, ratio + 0.1]
    return {
        "step": step,
        "excess_continuous": around,
        "distance_to_ridge": around,
        "ratio_to_ridge": around,
        "n": n,
    }


def test_the_yardstick_is_ridge_and_better_than_nothing() -> None:
    watched, by = one()
    world = watched.pretrain
    assert by.prompts.x.shape == (2048, 4, 2)
    expected = ridge(by.prompts.x.double(), by.prompts.y.double(), world.sigma, 1.0).prediction
    torch.testing.assert_close(by.ridge, expected)
    nothing = by.prompts.clean.double().square().mean(1).numpy()
    assert by.excess.mean() < 0.8 * nothing.mean()


def test_prompts_are_the_same_for_every_training_set() -> None:
    arms = small().arms()
    x = [prompts_of(a.pretrain, 3, 64, seed=0).y for a in arms.values()]
    assert len(x) == 3
    assert all(torch.equal(x[0], other) for other in x)


def test_prompts_have_the_spread_of_their_world() -> None:
    arms = small(tau=3.0).arms()
    assert {tau_of(a.pretrain) for a in arms.values()} == {3.0}
    w = prompts_of(arms["discrete-2"].pretrain, 3, 2048, seed=0).w
    # D_cont, not the two tasks of the pool
    assert len(torch.unique(w[:, 0])) > 2000
    assert w.std().item() == pytest.approx(3.0, rel=0.1)


def test_first_step_within_the_ratio_with_its_bounds() -> None:
    log = [record(0, 3.0), record(10, 1.19), record(20, 1.05), record(40, 0.99), record(80, 2.0)]
    found = steps_to_ridge(log, 1.1)
    assert (found["estimate"], found["low"], found["high"]) == (20, 10, 40)


def test_never_reached_is_null_and_says_censored() -> None:
    found = steps_to_ridge([record(0, 3.0), record(80, 1.5)], 1.1)
    assert (found["estimate"], found["low"], found["high"]) == (None, None, None)
    assert "censored" in found["note"]
    assert "80" in found["note"]


def test_a_ratio_that_is_not_known_is_not_reached() -> None:
    unknown = record(0, 1.0) | {"ratio_to_ridge": [None, None, None]}
    assert steps_to_ridge([unknown, record(5, 1.0)], 1.1)["estimate"] == 5


def test_the_table_holds_arms_steps_and_ridge() -> None:
    _, by = one()
    loss_lines = {"step": 10, "loss": 1.0, "lr_factor": 1.0}
    logs = {
        "discrete-8": [record(0, 3.0), loss_lines, record(10, 1.0)],
        "continuous": [record(0, 3.0), loss_lines, record(10, 2.0)],
    }
    table = diversity(logs, by, 1.1, seed=0)
    assert {row["span"] for row in rows(table)} == {"0..3"}
    curves = rows(table, metric="distance_to_ridge")
    assert [(row["arm"], row["step"]) for row in curves] == [
        ("discrete-8", 0),
        ("discrete-8", 10),
        ("continuous", 0),
        ("continuous", 10),
    ]
    assert only(table, metric="steps_to_ridge", arm="discrete-8")["estimate"] == 10
    assert only(table, metric="steps_to_ridge", arm="continuous")["estimate"] is None
    floor = rows(table, arm="ridge")
    assert [row["step"] for row in floor] == [0, 10]
    assert [row["estimate"] for row in floor] == pytest.approx([by.excess.mean()] * 2)


def test_steps_are_spread_evenly_in_the_logarithm() -> None:
    watch = small(pretraining=Training(steps=1000), looks=3).watch()
    assert watch == (0, 10, 100, 1000)
    assert small(pretraining=Training(steps=4), looks=8).watch() == (0, 1, 2, 3, 4)
    assert small(pretraining=Training(steps=0)).watch() == (0,)
