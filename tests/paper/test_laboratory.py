"""The laboratory's claims, read from scripted tables where each word is the truth."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from paper import shelves
from report.worlds import table, tables
from unskew.errors import UserError
from unskew.paper.claims import answer
from unskew.paper.documents import chosen
from unskew.paper.laboratory import ORDER, diversity, study
from unskew.paper.shelf import Place, Shelf
from unskew.report.claims import claims
from unskew.report.rows import choose
from unskew.runs.tables import tidy

RESULTS = Path(__file__).parents[2] / "results"
NULL = {"estimate": None, "low": None, "high": None}
SHRUNK = {"metric": "skew_advantage", "arm": "rival:shrinkage"}


def place(config: dict[str, Any] | None = None, **replaced: pd.DataFrame) -> Place:
    found = tables(**replaced)
    return Place(
        Path("x"), config or {"alpha": 0.5}, {n: lambda df=df: df for n, df in found.items()}
    )


def changed(name: str, rows: dict[str, Any], values: dict[str, Any]) -> pd.DataFrame:
    df = table(name)
    index = choose(df, **rows).index
    assert len(index)
    for column, value in values.items():
        df.loc[index, column] = value
    return df


@pytest.mark.parametrize("id", ORDER)
def test_in_a_world_as_it_should_be_every_claim_is_reproduced(id: str) -> None:
    found = study(id)(place())
    assert found.word == "reproduced"
    assert found.found
    assert found.basis
    assert found.estimate is not None


@pytest.mark.parametrize(
    ("id", "name", "rows", "values", "word"),
    [
        ("bayes", "converge", {"metric": "ratio_to_bayes_discrete", "alpha": 1.0},
         {"estimate": 1.2}, "not reproduced"),
        ("bayes", "converge", {"metric": "ratio_to_bayes_discrete", "alpha": 1.0}, NULL,
         "inconclusive"),
        ("trade-off-loss", "conjugate", {"metric": "rise_continuous"},
         {"low": -0.2, "high": -0.1}, "not reproduced"),
        ("trade-off-gain", "conjugate", {"metric": "rise_discrete"}, {"high": 0.1},
         "inconclusive"),
        ("skew-rivals", "task-inference", SHRUNK, {"low": -0.1}, "inconclusive"),
        ("skew-rivals", "task-inference", SHRUNK, {"low": -0.2, "high": -0.1}, "not reproduced"),
        ("conjugate", "conjugate", {"metric": "contrast_0.4"}, NULL, "inconclusive"),
        ("closest", "where-it-hurts", {"metric": "slope"}, {"low": -0.2, "high": -0.1},
         "not reproduced"),
    ],
)  # fmt: skip
def test_each_word(
    id: str, name: str, rows: dict[str, Any], values: dict[str, Any], word: str
) -> None:
    df = changed(name, rows, values)
    assert study(id)(place(None, **{name.replace("-", "_"): df})).word == word


def test_where_nothing_was_lost_nothing_comes_back() -> None:
    fell = changed("conjugate", {"metric": "rise_continuous"}, {"low": -0.2, "high": -0.1})
    for name in ("conjugate", "conjugate-controls"):
        assert study(name)(place(None, conjugate=fell)).word == "inconclusive"


def test_controls_over_training_seeds_are_said_as_errors() -> None:
    """Seeds have no shares for controls: what comes back of the error stands for them."""
    df = table("conjugate")
    shares = (df["metric"] == "net_recovery") & df["arm"].str.startswith("control:")
    nulls = choose(df, metric="contrast_null")
    names = sorted(arm for arm in set(nulls["arm"]) if arm.startswith("control:"))
    span = nulls["span"].iloc[0]
    row = (
        df[shares]
        .iloc[[0]]
        .assign(metric="net_numerator", span=span, estimate=0.0, low=-0.02, note=None)
    )
    errors = [row.assign(arm=arm, high=0.01 * (i + 1)) for i, arm in enumerate(names)]
    df = pd.concat([df[~shares], *errors], ignore_index=True)
    found = study("conjugate-controls")(place(None, conjugate=df))
    assert found.word == "reproduced"
    assert found.found.startswith(f"0.00 (−0.02 to {0.01 * len(names):.2f}) of ")
    assert found.found.endswith("whose interval ends highest")
    assert found.note.startswith("error brought back. ")
    assert "no ratio" not in found.note
    assert " lost, " in found.found


def test_no_table_is_not_run_and_nothing_is_invented(tmp_path: Path) -> None:
    left = {name: df for name, df in tables().items() if name != "task-inference"}
    shelves.run(tmp_path, shelves.study(), left)
    (claim,) = chosen(["skew"])
    found = answer(claim, Shelf(tmp_path), "demo")
    assert (found.finding.word, found.finding.found, found.places) == ("not run", "", ())
    assert found.part is not None
    assert found.part.commands == ("unskew run demo",)
    (other,) = chosen(["conjugate"])
    assert answer(other, Shelf(tmp_path), "demo").finding.word == "reproduced"
    assert answer(other, Shelf(tmp_path), "paper").finding.word == "not run"


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    shelves.run(tmp_path, shelves.study(), {"converge": table("converge").drop(columns="metric")})
    (claim,) = chosen(["bayes"])
    with pytest.raises(UserError, match="lacks the column metric"):
        answer(claim, Shelf(tmp_path))


def test_seeds_are_said_and_the_study_inside_is_read() -> None:
    df = table("conjugate").assign(conditional_on="training seeds", n=5)
    found = study("conjugate")(place({"study": {"alpha": 0.5}}, conjugate=df))
    assert found.basis == "5 training seeds"


@pytest.mark.parametrize("id", ORDER)
def test_figures_are_those_that_the_verdicts_are_about(id: str) -> None:
    """Of the reference results: the figure stands in the words of the verdict itself."""
    of = {p.stem: pd.read_parquet(p) for p in (RESULTS / "demo" / "tables").glob("*.parquet")}
    made = {name: lambda df=df: df for name, df in of.items()}
    found = study(id)(Place(RESULTS / "demo", {"alpha": 0.5}, made))
    said = claims(of, 0.5)[ORDER.index(id)]
    end = found.found.index(")") + 1
    assert found.found[:end] in said.evidence.replace("95% interval ", "")


def steps(**arms: tuple[float | None, float | None, float | None]) -> Place:
    rows = [
        {"experiment": "diversity", "arm": arm.replace("_", "-"), "metric": "steps_to_ridge",
         "estimate": e, "low": low, "high": high, "n": 2048, "seed": 0,
         "note": None if e else "censored: not by step 4000"}
        for arm, (e, low, high) in arms.items()
    ]  # fmt: skip
    return Place(Path("x"), {}, {"diversity": lambda: tidy(rows)})


NEVER = (None, None, None)


@pytest.mark.parametrize(
    ("pool", "every", "word"),
    [
        ((100, 90, 120), (650, 600, 700), "reproduced"),
        ((100, 90, 120), NEVER, "reproduced"),
        ((100, 90, None), NEVER, "inconclusive"),
        ((100, 90, 120), (110, 100, 130), "inconclusive"),
        ((700, 650, 800), (110, 100, 130), "not reproduced"),
        (NEVER, (110, 100, 130), "not reproduced"),
        (NEVER, (110, 100, None), "inconclusive"),
        (NEVER, (None, 4000, None), "inconclusive"),
    ],
)
def test_which_finds_ridge_sooner(pool: Any, every: Any, word: str) -> None:
    found = diversity(steps(discrete_32=NEVER, discrete_256=pool, continuous=every))
    assert found.word == word
    if word == "reproduced":
        assert "256 tasks: 100 steps (90 to 120)" in found.found
    if every == NEVER:
        assert "D_cont: not by step 4000" in found.found


def test_without_trainings_nothing_is_known() -> None:
    assert diversity(steps(continuous=(100, 90, 120))).word == "not run"
    assert diversity(steps(discrete_32=(100, 90, 120))).word == "not run"
