"""Headline and claims: what each case of the tables is called, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from report.worlds import INSIDE, around, table, tables, task_inference
from unskew.report import audit_rows
from unskew.report.claims import Verdict, claims
from unskew.report.headline import conditional, headline
from unskew.report.remarks import remark
from unskew.report.rows import Figure, choose, inside, widest
from unskew.report.words import fixed, interval, number, percent, spoken
from unskew.runs.tables import tidy


def sentence(**conjugate: Any) -> str:
    return headline(tables(conjugate=table("conjugate", **conjugate)), 0.5).sentence


def verdicts(**replaced: pd.DataFrame) -> dict[str, Verdict]:
    return {claim.text: claim.verdict for claim in claims(tables(**replaced), 0.5)}


def only(found: dict[str, Verdict], part: str) -> Verdict:
    [text] = [text for text in found if part in text]
    return found[text]


def changed(name: str, **where: Any) -> pd.DataFrame:
    """The table of an experiment with `estimate`, `low`, `high` set where the rest matches."""
    values = {key: where.pop(key) for key in ("estimate", "low", "high") if key in where}
    df = table(name)
    rows = choose(df, **where).index
    assert len(rows), "the change must change something"
    for column, value in values.items():
        df.loc[rows, column] = value
    return df


def test_headline_of_the_whole_story() -> None:
    head = headline(tables(), 0.5)
    assert head.sentence == (
        "Fine-tuning raised the error on other tasks by 36%; "
        "61% of that comes back when the labels are multiplied by 2; skew 1.9 → 9.4 nats"
    )
    assert [tile.value for tile in head.tiles] == ["+36%", "61%", "1.9 → 9.4"]
    assert head.tiles[0].detail == "95% interval 33% to 39%"
    assert head.condition.startswith("Averaged over 1 to 3 exemplars. Intervals are conditional on")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"rise": (-0.05, 0.02)}, "Fine-tuning lowered the error on other tasks by 5.0%"),
        ({"rise": (0.01, 0.02)}, "by an amount that cannot be told from 0"),
        ({"rise": (0.01, 0.02)}, "with no clear rise, there is nothing to bring back"),
        ({"rise": (0.01, 0.02), "recovery": None}, "with no clear rise, there is nothing to"),
        (
            {"recovery": None},
            "how much of that comes back when the labels are multiplied by 2 is inc",
        ),
        ({"recovery": (0.05, 0.2)}, "whether any of that comes back"),
        ({"recovery": (-0.5, 0.2)}, "none of that comes back"),
        ({"recovery": (1.04, 0.02)}, "104% of that comes back"),
    ],
)
def test_headline_says_no_more_than_its_interval(case: dict[str, Any], expected: str) -> None:
    assert expected in sentence(**case)


def test_headline_of_null_skew_and_of_nothing() -> None:
    null = changed("task-inference", metric="skew", arm="tuned", span=INSIDE, estimate=None)
    head = headline(tables(task_inference=null), 0.5)
    assert head.sentence.endswith("; the skew is inconclusive")
    assert head.tiles[-1].value == "?"
    unclear = changed("task-inference", metric="skew_rise", low=-1.0)
    assert (
        "a change that cannot be told from 0"
        in headline(tables(task_inference=unclear), 0.5).sentence
    )
    assert headline({}, 0.5).sentence == "No experiment on fine-tuning has been run yet"
    assert headline({"conjugate": table("conjugate")}, 0.5).tiles[-1].value == "61%"
    null_rise = changed("conjugate", metric="relative_rise_continuous", estimate=None)
    assert "what fine-tuning did to the error on other tasks is inconclusive" in (
        headline(tables(conjugate=null_rise), 0.5).sentence.lower()
    )
    no_gamma = changed("conjugate", metric="gamma_chosen", estimate=None)
    assert "when the labels are scaled" in headline(tables(conjugate=no_gamma), 0.5).sentence


def test_all_claims_hold_in_the_hand_made_world() -> None:
    found = claims(tables(), 0.5)
    assert [claim.verdict for claim in found] == ["held"] * 9
    assert all(claim.evidence for claim in found)


def test_nothing_run_is_not_run() -> None:
    assert {claim.verdict for claim in claims({}, None)} == {"not run"}
    empty = {name: df.iloc[:0] for name, df in tables().items()}
    assert {claim.verdict for claim in claims(empty, 0.5)} == {"not run"}


NULL = {"estimate": None, "low": None, "high": None}
OPEN, FAILED = "inconclusive", "did not hold"
SHRUNK = {"metric": "skew_advantage", "arm": "rival:shrinkage"}
ROTATED = {"metric": "contrast_null", "arm": "control:rotated-x"}
FLOOR = {"metric": "contrast_0.4"}
FALL, RISE = {"metric": "rise_discrete"}, {"metric": "rise_continuous"}
RATIO = {"metric": "ratio_to_bayes_discrete", "alpha": 1.0}
MIXED = {"metric": "ratio_to_bayes_discrete", "alpha": 0.5}


@pytest.mark.parametrize(
    ("name", "rows", "values", "claim", "expected"),
    [
        ("converge", RATIO, {"estimate": 1.2}, "one family alone", FAILED),
        ("converge", RATIO, NULL, "one family alone", OPEN),
        ("converge", MIXED, {"estimate": 1.2}, "on a mixture", FAILED),
        ("converge", MIXED, NULL, "on a mixture", OPEN),
        ("conjugate", FALL, {"high": 0.01}, "lowers", OPEN),
        ("conjugate", FALL, {"low": 0.01, "high": 0.02}, "lowers", FAILED),
        ("where-it-hurts", {"metric": "slope"}, {"low": -0.1}, "It hurts", OPEN),
        ("where-it-hurts", {"metric": "slope"}, NULL, "It hurts", OPEN),
        ("task-inference", {"metric": "skew_rise"}, NULL, "skews task", OPEN),
        (
            "task-inference",
            {"metric": "skew_rise"},
            {"low": -3.0, "high": -1.0},
            "skews task",
            FAILED,
        ),
        ("task-inference", SHRUNK, {"low": -1.0}, "foretells", OPEN),
        ("task-inference", SHRUNK, {"low": -1.0, "high": -0.5}, "foretells", FAILED),
        ("conjugate", FLOOR, {"low": -0.01}, "more than 40%", OPEN),
        ("conjugate", FLOOR, {"estimate": -0.1, "low": -0.15}, "more than 40%", FAILED),
        ("conjugate", FLOOR, {"estimate": -0.1, "low": -0.3}, "more than 40%", OPEN),
        ("conjugate", ROTATED, {"high": 0.02}, "nothing back", OPEN),
        ("conjugate", ROTATED, {"estimate": 0.15, "high": 0.2}, "nothing back", FAILED),
    ],
)
def test_each_verdict(
    name: str, rows: dict[str, Any], values: dict[str, Any], claim: str, expected: Verdict
) -> None:
    found = verdicts(**{name.replace("-", "_"): changed(name, **rows, **values)})
    assert only(found, claim) == expected
    others = [verdict for text, verdict in found.items() if claim not in text]
    assert set(others) == {"held"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [({"low": -0.1}, OPEN), ({"estimate": -0.15, "low": -0.2, "high": -0.1}, FAILED), (NULL, OPEN)],
)
def test_of_what_was_not_lost_nothing_comes_back(values: dict[str, Any], expected: Verdict) -> None:
    """Where the error fell, a contrast against a share of the rise turns around: a conjugation that
    changes nothing would bring back more than 40%."""
    df = changed("conjugate", **RISE, **values)
    found = {claim.text: claim for claim in claims(tables(conjugate=df), 0.5)}
    assert only({text: claim.verdict for text, claim in found.items()}, "raises") == expected
    about = [c for text, c in found.items() if "more than 40%" in text or "nothing back" in text]
    assert [claim.verdict for claim in about] == [OPEN, OPEN]
    assert all("nothing to bring back" in claim.evidence for claim in about)
    without = table("conjugate")
    without = without[without["metric"] != "rise_continuous"]
    assert only(verdicts(conjugate=without), "more than 40%") == OPEN


def test_a_rival_that_was_never_compared_leaves_the_claim_open() -> None:
    df = table("task-inference")
    gone = choose(df, metric="skew_advantage", arm="rival:shrinkage").index
    found = verdicts(task_inference=df.drop(index=gone))
    assert only(found, "foretells") == "inconclusive"


def test_only_what_was_trained_on_must_converge() -> None:
    pure, mixed = (c for c in claims(tables(), 0.5) if c.experiment == "converge")
    assert pure.evidence.startswith("2 of 2 ratios are at most 1.1; the largest, trained with")
    assert mixed.evidence.startswith("6 of 6 ratios are at most 1.1; the largest, trained with")
    untrained = choose(table("converge"), alpha=1.0, metric="ratio_to_bayes_continuous")
    assert {c.verdict for c in claims({"converge": untrained})[:2]} == {"not run"}


def test_another_floor_is_named() -> None:
    df = table("conjugate")
    df.loc[df["metric"] == "contrast_0.4", "metric"] = "contrast_0.25"
    assert only(verdicts(conjugate=df), "more than 25% of the loss") == "held"


def test_a_base_that_may_still_be_learning_is_said() -> None:
    note = "base not within 1.1 x Bayes (discrete 1.40): part of this may be learning, not skew"
    df = table("task-inference", note=note)
    [claim] = [c for c in claims(tables(task_inference=df), 0.5) if "skews task" in c.text]
    assert note in claim.evidence


def test_remarks() -> None:
    assert remark("conjugate", table("conjugate"), 0.5) == (
        "Averaged over 4 to 12 exemplars, 24% (95% interval 19% to 29%) comes back; of an ideal "
        "observer with the same skew, 24% (95% interval 19% to 29%) would. On prompts of the "
        "fine-tuning tasks themselves the same scaling changes the error by 0.040 (95% interval "
        "0.030 to 0.050)."
    )
    said = remark("task-inference", table("task-inference"), 0.5)
    assert said is not None
    assert said.startswith("Of the rise of 0.450 (averaged over 1 to 3 exemplars), the shift of")
    null = remark("conjugate", table("conjugate", recovery=None), 0.5)
    assert null is not None
    assert "an amount that is inconclusive comes back" in null
    rows = [r for r in task_inference() if r["metric"] not in ("inference_part", "ability_part")]
    cut = tidy({"experiment": "task-inference", **row} for row in rows)
    assert remark("task-inference", cut) == (
        "No skew could be fitted, so the rise cannot be split into its parts."
    )
    nulled = changed("task-inference", metric="ability_part", estimate=None)
    assert "inconclusive" in (remark("task-inference", nulled) or "")
    assert remark("task-inference", table("task-inference").iloc[:0]) is None
    assert remark("converge", table("converge")) is None
    inner = choose(table("conjugate"), span=INSIDE)
    assert remark("conjugate", choose(inner, arm="tuned")) is None


def figure(estimate: float, low: float, high: float) -> Figure:
    return Figure(estimate, low, high, 10, None, None, None)


NAN = float("nan")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (figure(0.433, 0.403, 0.463), "0.43 (95% interval 0.40 to 0.46)"),
        (figure(0.433, 0.423, 0.443), "0.433 (95% interval 0.423 to 0.443)"),
        (figure(7.5, 7.0, 8.0), "7.5 (95% interval 7.0 to 8.0)"),
        (figure(1234.5, 1100.0, 1300.0), "1234 (95% interval 1100 to 1300)"),
        (figure(-0.001, -0.02, 0.02), "−0.001 (95% interval −0.020 to 0.020)"),
        (figure(0.11, 0.08, NAN), "0.11 (one-sided 95%: at least 0.08)"),
        (figure(0.11, NAN, 0.14), "0.11 (one-sided 95%: at most 0.14)"),
        (figure(0.25, NAN, NAN), "0.250 (interval unknown)"),
        (figure(2.0, 2.0, 2.0), "2.00 (95% interval 2.00 to 2.00)"),
        (figure(NAN, NAN, NAN), "inconclusive (null)"),
    ],
)
def test_intervals_in_words(found: Figure, expected: str) -> None:
    assert interval(found) == expected


def test_numbers_in_words() -> None:
    assert [number(v) for v in (0.0, 1.234, 12345.0, 1.5e7, 2e-6, NAN)] == [
        "0", "1.23", "12300", "1.50e+07", "2.00e−06", "unknown",
    ]  # fmt: skip
    assert [percent(v) for v in (0.361, -0.052, 0.0, 1.2, NAN)] == [
        "36%", "−5.2%", "0%", "120%", "unknown",
    ]  # fmt: skip
    assert interval(figure(-0.0004, -0.03, 0.03), as_percent=True) == (
        "0% (95% interval −3% to 3%)"
    )
    assert spoken("0..12") == "averaged over 0 to 12 exemplars"
    assert spoken(None) == ""
    assert spoken("all") == "averaged over all"


def test_spans_and_conditions() -> None:
    rows = [
        {"experiment": "e", "arm": "a", "metric": "m", "span": span, **around(1, 1)}
        for span in ("0..12", "1..3", "4..12")
    ]
    df = tidy(rows)
    assert inside(df) == "1..3"
    assert widest(df) == "0..12"
    assert inside(df.iloc[:1]) == "0..12"
    assert inside(df.iloc[:0]) is None
    assert "speak for training seeds" in conditional("training seeds")
    assert "conditional on these trained weights" in conditional("checkpoint")
    assert conditional("the moon") == "Intervals are conditional on: the moon."


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert fixed(-0.004, 2) == fixed(0.0, 2) == "0.00"
    assert fixed(-0.4) == fixed(0.4) == "0"
    assert (fixed(-0.006, 2), fixed(-1.5, 1)) == ("−0.01", "−1.5")
    assert percent(-0.0004) == "0.0%"
    assert (audit_rows.percent(-0.004), audit_rows.percent(-0.04)) == ("0%", "−4%")
