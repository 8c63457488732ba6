"""What must hold in `demo`, recomputed from its tables (thresholds fixed before measuring).

Intervals are conditional on the shipped base models: other prompts, the same weights. A claim that
honest training did not reach is a strict xfail that names its evidence: should it come to hold,
the suite says so.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from unskew.runs.folder import RunFolder

# The whole demo, fine-tuning included: minutes, not seconds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SPAN = "1..3"  # 1 <= k <= d
ALPHA = 0.5
FLOOR = 0.4


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The finished demo, by the command that the README gives."""
    runs = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "unskew", "run", "demo", "--runs", str(runs)]
    subprocess.run(command, check=True, capture_output=True, timeout=1100)
    (path,) = runs.glob("regression-study-*")
    assert not list(runs.glob("regression-pretrain-*")), "a shipped base model was trained again"
    assert (path / "report.html").stat().st_size > 100_000
    return RunFolder.read(path)


def one(table: pd.DataFrame, **wanted: object) -> pd.Series:
    rows = table
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


@pytest.mark.parametrize(("alpha", "family"), [(0.0, "continuous"), (1.0, "discrete")])
def test_1_converge_to_bayes(demo: RunFolder, alpha: float, family: str):
    table = demo.read_table("converge")
    assert one(table, alpha=alpha, metric=f"ratio_to_bayes_{family}").estimate <= 1.1


@pytest.mark.xfail(
    strict=True,
    reason="the alpha = 0.5 base has not learnt all of D_disc: table converge, "
    "ratio_to_bayes_discrete 1.22 (1.02 on D_cont) after 20,000 steps",
)
def test_1_the_mixtures_model_is_close_to_bayes_on_both_families(demo: RunFolder):
    table = demo.read_table("converge")
    for family in ("continuous", "discrete"):
        assert one(table, alpha=ALPHA, metric=f"ratio_to_bayes_{family}").estimate <= 1.1


def test_2_finetuning_trades(demo: RunFolder):
    table = demo.read_table("conjugate")
    assert one(table, metric="rise_discrete", arm="tuned", span=SPAN).high < 0
    assert one(table, metric="rise_continuous", arm="tuned", span=SPAN).low > 0


def test_3_it_hurts_where_the_skewed_observer_says(demo: RunFolder):
    assert one(demo.read_table("where-it-hurts"), metric="slope", span=SPAN).low > 0


def test_4_the_skew_rises(demo: RunFolder):
    table = demo.read_table("task-inference")
    assert one(table, metric="skew_rise", span=SPAN).low > 0


@pytest.mark.parametrize(
    "rival",
    [
        "ridge-lambda",
        pytest.param(
            "shrinkage",
            marks=pytest.mark.xfail(
                strict=True,
                reason="under gamma >= 1.5 the model shrinks its answers to labels larger than any "
                "in training, which no skew says: table task-inference, skew_advantage over "
                "shrinkage has 0 in its interval",
            ),
        ),
        "partial-tasks",
    ],
)
def test_4_skew_predicts_other_gammas_better_than(demo: RunFolder, rival: str):
    table = demo.read_table("task-inference")
    pooled = table[table.gamma.isna()]  # the mean over gammas; each gamma has a row of its own
    assert one(pooled, metric="skew_advantage", arm=f"rival:{rival}").low > 0


def test_5_conjugate_prompting_recovers_more_than_the_floor(demo: RunFolder):
    table = demo.read_table("conjugate")
    bound = one(table, metric=f"contrast_{FLOOR:g}", arm="tuned", span=SPAN)
    assert bound.low > 0
    top = one(table, metric="net_numerator", arm="tuned", span=SPAN).estimate
    bottom = one(table, metric="rise_continuous", arm="tuned", span=SPAN).estimate
    assert bound.estimate == pytest.approx(top - FLOOR * bottom)


@pytest.mark.parametrize("null", ["gamma=-1", "rotated-x", "permuted-exemplars"])
def test_5_nulls_recover_nothing(demo: RunFolder, null: str):
    table = demo.read_table("conjugate")
    assert one(table, metric="contrast_null", arm=f"control:{null}", span=SPAN).high < 0


def test_5_gamma_below_one_makes_it_worse(demo: RunFolder):
    table = demo.read_table("conjugate")
    assert one(table, metric="net_numerator", arm="control:gamma=0.5", span=SPAN).high < 0


def test_running_again_returns_the_finished_run(demo: RunFolder):
    command = [sys.executable, "-m", "unskew", "run", "demo", "--runs", str(demo.path.parent)]
    again = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert demo.id in again.stdout


def test_every_table_has_its_intervals_condition(demo: RunFolder):
    for name in set(demo.tables()) - {"observer"}:  # the ideal observer has no trained weights
        table = demo.read_table(name)
        bounded = table[table.low.notna() | table.high.notna()]
        assert bounded.conditional_on.notna().all(), name
    assert Path(demo.path, "manifest.json").exists()
