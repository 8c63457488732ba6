"""How several findings make one, and what an interval says."""

import pytest

from unskew.paper.findings import NOT_RUN, Finding, judged, over, shown, signed
from unskew.report.rows import Figure

YES, NO, OPEN = (Finding(w, w[0]) for w in ("reproduced", "not reproduced", "inconclusive"))
NAN = float("nan")


@pytest.mark.parametrize(
    ("cases", "asked", "word"),
    [
        ([YES, YES, YES], 3, "reproduced"),
        ([YES], 3, "inconclusive"),
        ([YES, YES, NOT_RUN], 3, "inconclusive"),
        ([YES, NO], 3, "not reproduced"),
        ([OPEN, NO, YES], 3, "not reproduced"),
        ([YES, OPEN], 2, "inconclusive"),
        ([NOT_RUN, NOT_RUN], 2, "not run"),
        ([], 0, "not run"),
    ],
)
def test_one_case_that_fails_fails_all_and_too_few_decide_nothing(
    cases: list[Finding], asked: int, word: str
) -> None:
    assert over({str(i): one for i, one in enumerate(cases)}, asked).word == word


def test_cases_are_named_and_a_single_one_is_itself() -> None:
    assert over({"": YES}, 1) is YES
    both = over({"a": YES, "b": NO, "c": NOT_RUN}, 3)
    assert both.found == "a: r; b: n"
    assert both.basis == "2 of the 3 it asks for"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.1, 0.3, "reproduced"),
        (-0.3, -0.1, "not reproduced"),
        (-0.1, 0.1, "inconclusive"),
        (None, None, "inconclusive"),
        (0.0, 0.2, "inconclusive"),
    ],
)
def test_an_interval_is_clear_of_nought_or_not(
    low: float | None, high: float | None, word: str
) -> None:
    assert signed(low, high) == word


def test_null_stays_null() -> None:
    null = Figure(NAN, NAN, NAN, None, None, None, None)
    found = judged("inconclusive", null)
    assert (found.estimate, found.low, found.high, found.basis) == (None, None, None, "")
    assert "null" in found.found
    assert judged("held", None).found == "no figure in the table"
    assert judged("not run", null) is NOT_RUN


def test_a_figure_is_shown_with_its_interval_and_what_it_speaks_for() -> None:
    figure = Figure(0.63, 0.58, 0.68, 5, "1..3", "training seeds", None)
    assert shown(figure, as_percent=True) == "63% (58% to 68%)"
    assert judged("held", figure).basis == "5 training seeds"
    assert judged("held", figure._replace(conditional_on="checkpoint", n=4096)).basis == (
        "4,096 prompts, one training"
    )
