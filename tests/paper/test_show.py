"""The table of claims as text: 80 columns, Markdown that stays a table."""

import pytest

from unskew.paper.claims import Answer
from unskew.paper.documents import chosen
from unskew.paper.findings import NOT_RUN, Finding, Scale
from unskew.paper.parts import parts
from unskew.paper.show import MARKERS, brief, full, summary, terminal, within

LONG = "a | b; " + "a long sentence about what was found, " * 6


def one(
    id: str, finding: Finding, scale: Scale | None = "demo", where: str = "x.parquet"
) -> Answer:
    (claim,) = chosen([id])
    part = None if scale is None else claim.part(scale)
    return Answer(claim, scale, finding, () if finding is NOT_RUN else (where,), part)


ANSWERS = [
    one("bayes", Finding("reproduced", "1.01 (1.00 to 1.02)", "4,096 prompts, one training")),
    one("skew", Finding("inconclusive", LONG, "5 training seeds")),
    one("icl-lost", Finding("not reproduced", "3 points", "held for 1 of 3 seeds"), "small"),
    one("likelihood", NOT_RUN, None),
    one("dpo-falls", NOT_RUN),
    one("base-able", Finding("not reproduced", "60%", "held for 0 of 3 seeds"), "small"),
]


def test_a_terminal_of_80_columns_suffices() -> None:
    lines = terminal(ANSWERS).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "✓ reproduced [bayes, demo]: trained on D_cont or D_disc alone" in text
    assert "asked at most 1.1 × Bayes; 4,096 prompts" in text
    assert "    unskew run demo" in lines
    assert "    make it by: unskew paper make dpo-falls --scale demo" in lines
    assert "    nothing makes its table at this scale" in lines
    assert lines[-1] == "of 6 claims: 1 reproduced, 2 not reproduced, 1 inconclusive, 2 not run"


def test_a_narrow_terminal_is_filled_and_commands_stay_whole() -> None:
    lines = terminal(ANSWERS, 60).splitlines()
    assert max(len(line) for line in lines if "unskew paper make" not in line) <= 60


def test_the_readmes_table_is_short_and_keeps_its_columns() -> None:
    *rows, nothing, rest = brief(ANSWERS).splitlines()
    assert len(rows) == 2 + 5  # without the control
    assert not nothing
    assert rest == "5 of 6 claims; the variants and controls left out: 1 not reproduced."
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
    assert rows[2].endswith("| 1.01 (1.00 to 1.02) | reproduced, demo |")
    assert rows[4].endswith("| 3 points; held for 1 of 3 seeds | **not reproduced**, small |")
    assert rows[5].endswith("| – | not run |")


def test_the_full_table_says_where_and_how() -> None:
    rows = full(ANSWERS).splitlines()
    assert len(rows) == 2 + len(ANSWERS)
    assert all(row.replace("\\|", "").count("|") == 9 for row in rows)
    assert "| `x.parquet` | `unskew run demo` |" in rows[2]
    assert rows[5].endswith("| not run | – | – |")


def test_a_page_keeps_what_stands_around_its_table() -> None:
    def page(one: str, two: str) -> str:
        lines = ["before"]
        for name, table in (("claims", one), ("speed", two)):
            lines += [MARKERS[0].format(name), table, MARKERS[1].format(name), "after"]
        return "\n".join(lines)

    assert within(page("old", "old"), "new") == page("new", "old")
    assert within(page("old", "old"), "new", "speed") == page("old", "new")
    assert within(page("new", "old"), "new") == page("new", "old")
    with pytest.raises(ValueError, match="has no"):
        within("nothing", "new")


def test_no_claims_no_words() -> None:
    assert summary([]) == "of 0 claims: "
    assert len(parts()) >= 10
