"""What audits and families of language models say: the nursery's own claims, and its verdicts.

A claim about a family holds for a seed or it does not (`nursery.claims`); it is reproduced where it
holds for every seed that it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from unskew.nursery.claims import CLAIMS, FALL, untold
from unskew.paper.findings import NOT_RUN, Finding, Word, one_sided, over, signed
from unskew.paper.shelf import Place
from unskew.report.audit_rows import line
from unskew.report.rows import choose
from unskew.report.words import fixed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SEEDS", "closeness", "drop", "family", "several", "verdict"]

SEEDS = (0, 1, 2)
"""What the claims about a family ask for."""
SLOPE = ("seed", "model", "estimate", "low", "high", "n")
CONTRAST = ("task", "contrast", "estimate", "low", "high", "n")
VERDICT = ("task", "verdict", "conjugation", "words", "n")
LEVEL = ("task", "level")


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
            found = "null" if estimate is None else fixed(estimate, 2) + _bounds(low, high, 2)
            basis = f"{int(row['n'])} tasks as clusters"
            word: Word = "inconclusive" if estimate is None else signed(low, high)
            name = f"seed {row['seed']}" if len(rows) > 1 else ""
            cases[name] = Finding(word, found, basis, "", estimate, low, high)
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
            through = f" through {line(row['conjugation'])}" if said == "suppressed" else ""
            note = row["words"] if isinstance(row["words"], str) else ""
            cases[line(row["task"])] = Finding(
                words.get(said, "not reproduced"), f"{said}{through}", _documents(row["n"]), note
            )
        return over(cases, len(cases))

    return read


def drop(tasks: tuple[str, ...]) -> Callable[[Place], Finding]:
    """Whether the score of each of these tasks fell by as much as a family's must. The bounds of a
    contrast are one-sided, each at the audit's level."""

    def read(place: Place) -> Finding:
        rows = choose(_of(place.table("contrasts", CONTRAST), tasks), contrast="drop")
        levels = place.table("verdicts", LEVEL).set_index("task")["level"]
        cases = {}
        for index in range(len(rows)):
            row = rows.iloc[index]
            estimate, low, high = (_number(row[name]) for name in ("estimate", "low", "high"))
            # Clear of the threshold, as an interval is clear of 0.
            beyond = [None if end is None else end - FALL for end in (low, high)]
            word = signed(beyond[0], beyond[1])
            found = "null" if estimate is None else _points(estimate, low, high)
            level = _number(levels.get(row["task"]))
            basis = [_documents(row["n"]), "" if level is None else one_sided(level)]
            cases[line(row["task"])] = Finding(
                "inconclusive" if estimate is None else word, found,
                "; ".join(part for part in basis if part), "", estimate, low, high,
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
    text = f"{fixed(100 * mean)}{' points' if unit == 'points' else '%'}"
    if len(figures) == 1:
        return Finding(word, text, basis, "; ".join(texts), mean)
    text += f" ({fixed(100 * least)} to {fixed(100 * most)} by seed)"
    return Finding(word, text, basis, "; ".join(texts), mean, least, most)


def _of(table: pd.DataFrame, tasks: tuple[str, ...]) -> pd.DataFrame:
    return table[table["task"].astype(str).str.startswith(tasks)]


def _points(estimate: float, low: float | None, high: float | None) -> str:
    ends = [None if end is None else 100 * end for end in (low, high)]
    return f"{fixed(100 * estimate)} points{_bounds(ends[0], ends[1], 0)}"


def _bounds(low: float | None, high: float | None, digits: int) -> str:
    if low is None or high is None:
        return ", interval unknown"
    return f" ({fixed(low, digits)} to {fixed(high, digits)})"


def _documents(n: object) -> str:
    """What a finding rests on; nothing where the table does not say."""
    known = _number(n)
    return "" if known is None else f"{known:,.0f} documents"


def _number(value: object) -> float | None:
    import pandas as pd

    return None if pd.isna(value) else float(value)  # type: ignore[arg-type, call-overload]
