"""Tables of several training seeds as one, on tables whose truth is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.regression.table_rows import only

from unskew.regression.experiments.conjugate import Risks
from unskew.regression.experiments.replications import across, ratios
from unskew.runs.tables import tidy

SHARED = {"experiment": "conjugate", "arm": "tuned", "alpha": 0.5, "conditional_on": "checkpoint"}


def tables(estimates: Sequence[Sequence[float | None]], **labels: Any) -> list[list[pd.DataFrame]]:
    def one(estimate: float | None, seed: int) -> pd.DataFrame:
        low, high = (None, None) if estimate is None else (estimate - 0.1, estimate + 0.1)
        shared = {"metric": "rise_continuous", "span": "1..3", "n": 400, **SHARED}
        bounds = {"low": low, "high": high} | labels
        return tidy([{"estimate": estimate, "seed": seed, **shared, **bounds}])

    return [[one(e, seed) for e in row] for seed, row in enumerate(estimates)]


def test_one_row_for_training_seeds() -> None:
    found = across(tables([[1.0, 1.2], [2.0, 2.2], [3.0, 3.2]]))
    row = only(found)
    assert row["estimate"] == pytest.approx(2.1)
    assert (row["n"], row["conditional_on"], row["span"]) == (3, "training seeds", "1..3")
    assert row["seed"] is None
    # the spread between seeds rules: far wider than the prompts' 0.1
    assert row["low"] < 1.3
    assert row["high"] > 2.9


def test_equal_seeds_leave_the_noise_of_prompts() -> None:
    row = only(across(tables([[1.0]] * 6)))
    assert 0.0 < row["high"] - row["low"] < 0.2
    assert row["low"] < 1.0 < row["high"]


def test_a_null_in_one_run_is_null_and_said() -> None:
    row = only(across(tables([[1.0, None], [2.0, 2.0]])))
    assert row["estimate"] is None
    assert "1 of 4 runs" in row["note"]


def test_one_sided_bounds_stay_one_sided() -> None:
    note = "one-sided 95% lower bound"
    spread = [[1.0 + 0.1 * seed] for seed in range(8)]
    given = tables(spread, metric="contrast_0.4", high=None, note=note)
    row = only(across(given))
    assert row["low"] < row["estimate"]
    assert row["high"] is None
    assert row["note"] == note
    both = only(across(tables(spread)))
    assert both["low"] < row["low"]  # two-sided 95% reaches further than one-sided


def test_rows_at_each_runs_own_gamma_are_one_row() -> None:
    given = [
        [pd.concat([a, b], ignore_index=True)]
        for (a,), (b,) in zip(
            tables([[0.3], [0.4]], metric="net_numerator", gamma=2.0),
            tables([[2.0], [2.0]], metric="gamma_chosen", low=None, high=None),
            strict=True,
        )
    ]  # fmt: skip
    given[1][0].loc[0, "gamma"] = 3.0
    given[1][0].loc[1, "estimate"] = 3.0
    found = across(given)
    assert only(found, metric="net_numerator")["estimate"] == pytest.approx(0.35)
    assert only(found, metric="net_numerator")["gamma"] is None
    assert only(found, metric="gamma_chosen")["estimate"] is None
    assert "2, 3" in only(found, metric="gamma_chosen")["note"]


def test_notes_are_counted() -> None:
    close, far = tables([[1.0]], note="close")[0], tables([[1.0]], note="far (1.3)")[0]
    farther = tables([[1.0]], note="far (1.4)")[0]
    note = only(across([close, far, farther]))["note"]
    assert note == "1 of 3 runs: close; 2 of 3 runs: far"


def risks(rng: np.random.Generator, rise: float, back: float) -> Risks:
    """Squared errors (N, P) around 1 with a mean rise and a share that comes back."""
    base = rng.exponential(1.0, (800, 4))
    tuned = base + rise + 0.1 * rng.standard_normal(base.shape)
    return Risks(base, tuned, base, tuned - back * rise)


def test_ratios_are_of_means_over_seeds() -> None:
    rng = np.random.default_rng(0)
    runs = [[risks(rng, rise, 0.6) for _ in range(2)] for rise in (0.4, 0.5, 0.6, 0.7, 0.8)]
    found = ratios(runs, [range(1, 3), range(4)], 0.5)
    for metric in ("net_recovery", "gross_recovery"):
        row = only(found, metric=metric, span="1..2")
        assert row["low"] <= row["estimate"] <= row["high"]
        assert row["estimate"] == pytest.approx(0.6, abs=0.02)
    relative = only(found, metric="relative_rise_continuous", span="0..3")
    assert relative["estimate"] == pytest.approx(0.6, abs=0.08)
    assert relative["low"] > 0
    assert relative["n"] == 5


def test_no_ratio_over_a_rise_that_may_be_nothing() -> None:
    rng = np.random.default_rng(1)
    runs = [[risks(rng, rise, 0.5)] for rise in (-0.5, 0.5, -0.4, 0.4)]
    found = ratios(runs, [range(1, 3)], 0.5)
    assert only(found, metric="net_recovery")["estimate"] is None
    assert "not clearly above 0" in only(found, metric="net_recovery")["note"]
    assert only(found, metric="relative_rise_continuous")["estimate"] is not None


def test_no_share_of_what_fell() -> None:
    rng = np.random.default_rng(2)
    runs = [[risks(rng, -0.5, 0.5)] for _ in range(5)]
    found = ratios(runs, [range(1, 3)], 0.5)
    assert only(found, metric="net_recovery")["estimate"] is None
    assert only(found, metric="relative_rise_continuous")["high"] < 0
