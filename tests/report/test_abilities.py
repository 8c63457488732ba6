"""What models can do, as a table on a terminal."""

import pandas as pd

from unskew.report.abilities import ability_table

Row = tuple[str, str, str, float | None]


def table(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model", "probe", "language", "estimate"])


FAMILY: list[Row] = [
    ("base", "sum", "en", 0.954),
    ("instruct", "sum", "en", 1.0),
    ("base", "sum", "pig-latin", 0.5),
    ("instruct", "sum", "pig-latin", 0.004),
    ("base", "repeat_conflict", "en", 0.0),
    ("instruct", "repeat_conflict", "en", 0.996),
]


def test_a_block_per_probe_a_line_per_model_a_column_per_language() -> None:
    assert ability_table(table(FAMILY)).split("\n") == [
        "right answers, %    en   pig",
        "sum",
        "  base              95    50",
        "  instruct         100     0",
        "repeat_conflict",
        "  base               0     –",
        "  instruct         100     –",
    ]


def test_what_was_not_measured_is_a_dash() -> None:
    rows: list[Row] = [("base", "sum", "en", float("nan")), ("base", "sum", "fr", None)]
    assert ability_table(table(rows)).split("\n")[-1].split() == ["base", "–", "–"]
    rows.append(("base", "sum", "es", 0.25))
    assert ability_table(table(rows)).split("\n")[-1].split() == ["base", "–", "–", "25"]


def test_it_fits_on_a_terminal() -> None:
    languages = ["en", "fr", "es", "qon", "pig-latin", "leetspeak"]
    models = ["base", "oracle-en", "erased-en", "continued"]
    rows: list[Row] = [(m, "capitalise_conflict", w, 1.0) for m in models for w in languages]
    lines = ability_table(table(rows)).split("\n")
    assert max(map(len, lines)) <= 80
    assert len(lines) == 2 + len(models)
    assert lines[0].split()[-6:] == ["en", "fr", "es", "qon", "pig", "leet"]
    # Numbers stand under their languages.
    assert {len(line) for line in (lines[0], *lines[2:])} == {len(lines[0])}


def test_a_long_name_widens_its_column() -> None:
    lines = ability_table(table([("a-very-long-name-of-a-model", "sum", "en", 0.5)])).split("\n")
    assert lines[2] == "  a-very-long-name-of-a-model    50"
    assert len(lines[0]) == len(lines[2])


def test_hostile_names_are_shown_plainly() -> None:
    said = ability_table(table([("ba\x1b[31mse", "s\u202eum", "e\x07n", 1.0)]))
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said


def test_the_order_is_that_of_the_table() -> None:
    lines = ability_table(table(FAMILY[::-1])).split("\n")
    assert [line for line in lines if not line.startswith(" ")][1:] == ["repeat_conflict", "sum"]
    assert [line.split()[0] for line in lines[2:4]] == ["instruct", "base"]
