"""Claims about families and audits, read from scripted tables: one seed, several, none."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from unskew.nursery.claims import CLAIMS
from unskew.paper.language import closeness, drop, family, several, verdict
from unskew.paper.shelf import Place
from unskew.runs.tables import typed


def place(**tables: pd.DataFrame) -> Place:
    return Place(Path("x"), {}, {name: lambda t=t: t for name, t in tables.items()})


def claims(*seeds: tuple[float | None, bool | None], claim: str = "repeat_conflict-falls") -> Place:
    rows = [
        {"claim": claim, "model": "instruct", "seed": seed, "threshold": "at least 40 points",
         "figure": figure, "found": "not asked" if holds is None else f"en -{seed}", "holds": holds}
        for seed, (figure, holds) in enumerate(seeds)
    ]  # fmt: skip
    return place(claims=typed(rows, CLAIMS))


FALLS = family("repeat_conflict-falls", "instruct", "points", 3)


@pytest.mark.parametrize(
    ("seeds", "word", "found", "basis"),
    [
        ([(0.96, True), (0.9, True), (0.93, True)], "reproduced", "93 points (90 to 96 by seed)",
         "held for 3 of 3 seeds"),
        ([(0.96, True), (0.1, False), (0.5, True)], "not reproduced",
         "52 points (10 to 96 by seed)", "held for 2 of 3 seeds"),
        ([(0.96, True)], "inconclusive", "96 points", "held for 1 of 1 seed, asks for 3"),
        ([(0.96, True), (0.9, True), (None, None)], "inconclusive",
         "93 points (90 to 96 by seed)", "held for 2 of 2 seeds, asks for 3"),
        ([(-0.05, False)], "not reproduced", "−5 points", "held for 0 of 1 seed, asks for 3"),
        ([(None, None)], "not run", "", ""),
        ([], "not run", "", ""),
    ],
)  # fmt: skip
def test_over_seeds(seeds: Any, word: str, found: str, basis: str) -> None:
    said = FALLS(claims(*seeds))
    assert (said.word, said.found, said.basis) == (word, found, basis)


def test_what_was_asked_and_cannot_be_told_is_undecided() -> None:
    row = {"claim": "repeat_conflict-recovers", "model": "code", "threshold": "at least 30%",
           "figure": None, "found": "too little was lost", "holds": None}  # fmt: skip
    asked = place(claims=typed([{**row, "seed": seed} for seed in range(3)], CLAIMS))
    said = family("repeat_conflict-recovers", "code", "%", 3)(asked)
    assert (said.word, said.found) == ("inconclusive", "too little was lost")


def test_of_one_seed_there_is_no_interval() -> None:
    one = FALLS(claims((0.96, True)))
    assert (one.estimate, one.low, one.high) == (0.96, None, None)
    assert one.note == "en -0"
    alone = family("repeat_conflict-falls", "instruct", "%", 1)(claims((0.5, True)))
    assert (alone.word, alone.found, alone.basis) == ("reproduced", "50%", "one training")


def verdicts(**said: str | None) -> Place:
    rows = [
        {"claim": f"verdict-{probe}", "model": "continued", "seed": 0, "threshold": "retained",
         "figure": None, "found": word, "holds": None if word is None else word == "retained"}
        for probe, word in said.items()
    ]  # fmt: skip
    return place(claims=typed(rows, CLAIMS))


def test_controls_stand_and_fall_together() -> None:
    read = several([("verdict-colour", "continued"), ("verdict-entail", "continued")], 1)
    assert read(verdicts(colour="retained", entail="retained")).word == "reproduced"
    failed = read(verdicts(colour="retained", entail="suppressed"))
    assert failed.word == "not reproduced"
    assert "continued, entail: suppressed" in failed.found
    assert read(verdicts(colour="retained", entail=None)).word == "inconclusive"
    assert read(verdicts(colour=None, entail=None)).word == "not run"


def slopes(*rows: tuple[float | None, float | None, float | None]) -> Place:
    columns = ["estimate", "low", "high"]
    table = pd.DataFrame(rows, columns=columns, dtype="float64")  # type: ignore[arg-type]
    table = table.assign(seed=range(len(rows)), model="instruct", n=15)
    return place(**{"closeness-slope": table})


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([(0.05, 0.01, 0.09)] * 3, "reproduced"),
        ([(0.05, 0.01, 0.09)], "inconclusive"),
        ([(0.03, -0.01, 0.07)] * 3, "inconclusive"),
        ([(0.05, 0.01, 0.09), (-0.05, -0.09, -0.01)], "not reproduced"),
        ([(None, None, None)] * 3, "inconclusive"),
        ([], "not run"),
    ],
)
def test_the_slope_of_every_seed(rows: Any, word: str) -> None:
    assert closeness("instruct", 3)(slopes(*rows)).word == word


def test_a_family_without_slopes_is_not_run() -> None:
    assert closeness("instruct", 3)(place()).word == "not run"


def audit(word: str, low: float, high: float) -> Place:
    said = {"task": ["unskew_icl_a", "other"], "verdict": [word, "retained"], "words": ["w", "w"],
            "conjugation": ["en-fr", None], "n": [200, 200], "level": [0.05, 0.05]}  # fmt: skip
    fell = {"task": ["unskew_icl_a"] * 2, "contrast": ["drop", "gain"], "low": [low, 0.0],
            "estimate": [(low + high) / 2, 0.1], "high": [high, 0.2], "n": [200, 200]}  # fmt: skip
    return place(verdicts=pd.DataFrame(said), contrasts=pd.DataFrame(fell))


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("suppressed", "reproduced"),
        ("retained", "not reproduced"),
        ("not recovered", "not reproduced"),
        ("inconclusive", "inconclusive"),
    ],
)
def test_the_verdict_of_a_real_pair(said: str, word: str) -> None:
    found = verdict(("unskew_icl_",))(audit(said, 0.5, 0.9))
    assert found.word == word
    assert found.found.startswith(said)
    assert verdict(("unskew_refusal_",))(audit(said, 0.5, 0.9)).word == "not run"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.5, 0.9, "reproduced"),
        (0.1, 0.3, "not reproduced"),
        (0.3, 0.5, "inconclusive"),
    ],
)
def test_the_drop_of_a_real_pair(low: float, high: float, word: str) -> None:
    found = drop(("unskew_icl_",))(audit("suppressed", low, high))
    assert found.word == word
    assert found.found == f"{50 * (low + high):.0f} points ({100 * low:.0f} to {100 * high:.0f})"
    assert found.basis == "200 documents; bounds one-sided at 5% each"


def test_what_an_audit_does_not_say_is_not_said_for_it() -> None:
    world = audit("suppressed", 0.5, 0.9)
    tables = {name: world.table(name, ()) for name in ("verdicts", "contrasts")}
    unknown = pd.array([None, None], dtype="Int64")
    tables["verdicts"] = tables["verdicts"].assign(words=None, n=unknown)
    tables["contrasts"] = tables["contrasts"].assign(n=unknown)
    found = verdict(("unskew_icl_",))(place(**tables))
    assert (found.found, found.basis, found.note) == ("suppressed through en-fr", "", "")
    assert drop(("unskew_icl_",))(place(**tables)).basis == "bounds one-sided at 5% each"
    tables["verdicts"] = tables["verdicts"].assign(level=None)
    assert drop(("unskew_icl_",))(place(**tables)).basis == ""


def test_a_slope_that_rounds_to_nothing_has_no_sign() -> None:
    assert closeness("instruct", 1)(slopes((-0.001, -0.04, 0.03))).found == "0.00 (−0.04 to 0.03)"
