"""What audits and families of language models say: the nursery's own claims, and its verdicts.

A claim about a family holds for a seed or it does not (`nursery.claims`); it is reproduced where it
holds for every seed that it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from unskew.nursery.claims import CLAIMS, FALL, untold
from unskew.paper.findings import NOT_RUN, Finding, Word, over, signed
from unskew.paper.shelf import Place
from unskew.report.rows import choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SEEDS", "closeness", "drop", "family", "several", "verdict"]

SEEDS = (0, 1, 2)
"""What the claims about a family ask for."""
SLOPE = ("seed", "model", "estimate", "low", "high", "n")
CONTRAST = ("task", "contrast", "estimate", "low", "high", "n")
VERDICT = ("task", "verdict", "conjugation", "words", "n")


def family(claim: str, model: str, unit: str, asked: int) -> Callable[[Place], Finding]:
    """A row per seed of the table `claims`. unit: "points", "%" or "" (a verdict in words)."""

    def read(place: Place) -> Finding:
        rows = choose(place.table("claims", CLAIMS), claim=claim, model=model)
        return _seeds(rows, unit, asked)

    return read


def several(cases: Sequence[tuple[str, str]], asked: int) -> Callable[[Place], Finding]:
    """Claims (claim, model) that stand and fall together, as the controls of the audit."""

    def read(place: Place) -> Finding:
        table = place.table("claims", CLAIMS)
        found = {}
        for claim, model in cases:
            rows = choose(table, claim=claim, model=model)
            name = f"{model}, {claim.removeprefix('verdict-')}"
            one = _seeds(rows, "", asked)
            found[name] = one._replace(found=f"{one.found} ({one.basis})", basis="")
        return over(found, len(cases))

    return read


def closeness(model: str, asked: int) -> Callable[[Place], Finding]:
    """Whether the loss grows with the likelihood under the fine-tuning data, for every seed."""

    def read(place: Place) -> Finding:
        if not place.has("closeness-slope"):
            return NOT_RUN
        rows = choose(place.table("closeness-slope", SLOPE), model=model)
        cases = {}
        for index in range(len(rows)):
            row = rows.iloc[index]
            estimate, low, high = (_number(row[name]) for name in ("estimate", "low", "high"))
            found = "null" if estimate is None else f"{estimate:.2f}{_bounds(low, high, '.2f')}"
            basis = f"{int(row['n'])} tasks as clusters"
            word: Word = "inconclusive" if estimate is None else signed(low, high)
            name = f"seed {row['seed']}" if len(rows) > 1 else ""
            cases[name] = Finding(word, _minus(found), basis, "", estimate, low, high)
        return over(cases, asked)

    return read


def verdict(tasks: tuple[str, ...]) -> Callable[[Place], Finding]:
    """Whether an audit calls the tasks whose names begin so suppressed."""

    def read(place: Place) -> Finding:
        rows = _of(place.table("verdicts", VERDICT), tasks)
        words: dict[str, Word] = {"suppressed": "reproduced", "inconclusive": "inconclusive"}
        cases = {}
        for index in range(len(rows)):
            row = rows.iloc[index]
            said = str(row["verdict"])
            through = f" through {row['conjugation']}" if said == "suppressed" else ""
            cases[str(row["task"])] = Finding(
                words.get(said, "not reproduced"), f"{said}{through}", f"{row['n']:,} documents",
                str(row["words"]),
            )  # fmt: skip
        return over(cases, len(cases))

    return read


def drop(tasks: tuple[str, ...]) -> Callable[[Place], Finding]:
    """Whether the score of each of these tasks fell by as much as a family's must."""

    def read(place: Place) -> Finding:
        rows = choose(_of(place.table("contrasts", CONTRAST), tasks), contrast="drop")
        cases = {}
        for index in range(len(rows)):
            row = rows.iloc[index]
            estimate, low, high = (_number(row[name]) for name in ("estimate", "low", "high"))
            # Clear of the threshold, as an interval is clear of 0.
            beyond = [None if end is None else end - FALL for end in (low, high)]
            word = signed(beyond[0], beyond[1])
            found = "null" if estimate is None else _points(estimate, low, high)
            cases[str(row["task"])] = Finding(
                "inconclusive" if estimate is None else word, found, f"{row['n']:,} documents",
                "", estimate, low, high,
            )  # fmt: skip
        return over(cases, len(cases))

    return read


def _seeds(rows: pd.DataFrame, unit: str, asked: int) -> Finding:
    """Rows of one claim, a row per seed. Where no seed's table tells whether it holds, that is
    undecided, or, where nothing was asked, not run."""
    told = [isinstance(found, str) and not untold(found) for found in rows["found"]]
    asked_of = rows.loc[told]
    rows = asked_of[asked_of["holds"].notna()]
    n = len(rows)
    if asked_of.empty:
        return NOT_RUN
    if n == 0:
        return Finding("inconclusive", "; ".join(dict.fromkeys(asked_of["found"])))
    held = int(rows["holds"].astype(bool).sum())
    word: Word = "reproduced" if n >= asked else "inconclusive"
    if held < n:
        word = "not reproduced"
    basis = "one training"
    if asked > 1:
        basis = f"held for {held} of {n} seed{'s' if n > 1 else ''}"
        basis += f", asks for {asked}" if n < asked else ""
    figures = rows["figure"].dropna().astype(float)
    texts = list(dict.fromkeys(rows["found"].astype(str)))
    if not unit or figures.empty:
        return Finding(word, "; ".join(texts), basis)
    mean, least, most = (float(f) for f in (figures.mean(), figures.min(), figures.max()))
    text = f"{100 * mean:.0f}{' points' if unit == 'points' else '%'}"
    if len(figures) == 1:
        return Finding(word, _minus(text), basis, "; ".join(texts), mean)
    spread = f" ({100 * least:.0f} to {100 * most:.0f} by seed)"
    return Finding(word, _minus(text + spread), basis, "; ".join(texts), mean, least, most)


def _of(table: pd.DataFrame, tasks: tuple[str, ...]) -> pd.DataFrame:
    return table[table["task"].astype(str).str.startswith(tasks)]


def _points(estimate: float, low: float | None, high: float | None) -> str:
    ends = [None if end is None else 100 * end for end in (low, high)]
    return _minus(f"{100 * estimate:.0f} points{_bounds(ends[0], ends[1], '.0f')}")


def _bounds(low: float | None, high: float | None, form: str) -> str:
    if low is None or high is None:
        return ", interval unknown"
    return f" ({low:{form}} to {high:{form}})"


def _minus(text: str) -> str:
    return re.sub(r"(?<!\w)-(?=[\d.])", "−", text)


def _number(value: object) -> float | None:
    import pandas as pd

    return None if pd.isna(value) else float(value)  # type: ignore[arg-type, call-overload]
