"""The observer's grid: the predictors of `bayes`, tabulated; and the yardstick it stands for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from unskew.errors import UserError
from unskew.regression.bayes import mixture, predictors
from unskew.regression.experiments.observer import observer
from unskew.regression.priors import Continuous, Discrete
from unskew.regression.prompts import PromptStream
from unskew.runs.tables import COLUMNS

SMALL: dict[str, Any] = {
    "dim": 3,
    "exemplars": 5,
    "sigma": 0.5,
    "discrete": Discrete(n=4),
    "prompts": 500,
}
FEW: dict[str, Any] = SMALL | {"prompts": 1}


def cell(table: pd.DataFrame, **wanted: object) -> pd.Series:
    """The one row that has these values; None means null."""
    kept = table
    for column, value in wanted.items():
        match = kept[column].isna() if value is None else kept[column] == value
        kept = kept[match]
    assert len(kept) == 1
    return kept.iloc[0]


def test_rows_are_what_the_predictors_give() -> None:
    table = observer(**SMALL, deltas=(0.0, 6.0), gammas=(1.0, 2.0))
    stream = PromptStream(Continuous(), 3, 5, 0.5, 0, "observer")
    batch = stream.batch(0, 500, dtype=torch.float64)
    seen = predictors(batch.x, 2 * batch.y, Discrete(n=4).tasks(3), 0.5, 1.0)
    answer = mixture(seen, 0.5, 6.0)
    excess = ((answer.prediction / 2 - batch.clean) ** 2).numpy()
    here = {"arm": "observer", "delta": 6.0, "gamma": 2.0}
    for k in range(6):
        row = cell(table, **here, metric="excess_continuous", k=k)
        assert row["estimate"] == pytest.approx(excess[:, k].mean(), rel=1e-12)
        half = 1.9647 * excess[:, k].std(ddof=1) / 500**0.5
        assert row["high"] - row["estimate"] == pytest.approx(half, rel=1e-3)
        assert cell(table, **here, metric="g", k=k)["estimate"] == pytest.approx(
            float(answer.g[:, k].mean()), rel=1e-12
        )
    pooled = cell(table, **here, metric="excess_continuous", span="1..3")
    assert pooled["estimate"] == pytest.approx(excess[:, 1:4].mean(), rel=1e-12)
    everything = cell(table, **here, metric="excess_continuous", span="0..5")
    assert everything["estimate"] == pytest.approx(excess.mean(), rel=1e-12)
    assert list(table.columns) == list(COLUMNS)
    assert set(table["n"]) == {500}


def test_skew_costs_and_scaling_takes_it_back() -> None:
    table = observer(**SMALL, deltas=(0.0, 8.0), gammas=(0.5, 1.0, 3.0))

    def error(delta: float | None, gamma: float | None) -> float:
        arm = "ridge" if delta is None else "observer"
        where = {"arm": arm, "delta": delta, "gamma": gamma, "span": "1..3"}
        return float(cell(table, **where)["estimate"])

    ceiling = error(None, None)
    assert error(0.0, 1.0) < error(8.0, 1.0)
    assert ceiling < error(8.0, 3.0) < error(8.0, 1.0) < error(8.0, 0.5)
    # Without a shift of the prior, its own optimum on the mixture is near ridge on D_cont too.
    assert error(0.0, 3.0) < error(0.0, 1.0)


def test_the_published_yardstick() -> None:
    """d = 10, n = 64, sigma = 1, k = 10: measured before this code was written, other seeds."""
    world: dict[str, Any] = {"dim": 10, "exemplars": 10, "sigma": 1.0, "discrete": Discrete(n=64)}
    table = observer(**world, prompts=6000, deltas=(0.0, 10.0, 20.0), gammas=(1.0, 2.0))
    expected = {(0.0, 1.0): 2.98, (10.0, 1.0): 4.94, (20.0, 1.0): 7.09, (10.0, 2.0): 2.93}
    for (delta, gamma), error in expected.items():
        here = {"arm": "observer", "delta": delta, "gamma": gamma, "k": 10}
        row = cell(table, **here, metric="excess_continuous")
        # Another draw of the 64 tasks and of the prompts moves it by a few per cent.
        assert row["estimate"] == pytest.approx(error, rel=0.05)
    ridge = cell(table, arm="ridge", k=10)
    assert ridge["estimate"] == pytest.approx(2.88, rel=0.05)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_no_skew_moves_a_prior_that_is_certain(alpha: float) -> None:
    table = observer(**SMALL, alpha=alpha, deltas=(0.0, 9.0), gammas=(1.0,))
    weights = table[table["metric"] == "g"]
    assert set(weights["estimate"]) == {alpha}
    assert np.isfinite(table["estimate"]).all()


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match="scaled by 0"):
        observer(**SMALL, gammas=(0.0, 1.0))
    with pytest.raises(UserError, match="at least 2 prompts"):
        observer(**FEW)
