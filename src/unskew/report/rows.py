"""Reading tidy tables: choose rows, never compute with them.

`choose` filters by column values; `figure` reads one number with its interval. A run over
several training seeds has rows that speak for "training seeds"; these go before the rows of
single seeds wherever both are there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]


class Figure(NamedTuple):
    """One number of a table. NaN where the table says null."""

    estimate: float
    low: float
    high: float
    n: int | None
    span: str | None
    conditional_on: str | None
    note: str | None

    @property
    def known(self) -> bool:
        """Whether the table has a number."""
        return not math.isnan(self.estimate)

    @property
    def above(self) -> bool:
        """Known, and the interval lies above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """Known, and the interval lies below 0."""
        return self.high < 0


def choose(table: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """Rows whose columns equal what is wanted: a value, a list of values, or None for null."""
    kept = table
    for column, value in wanted.items():
        if value is None:
            kept = kept[kept[column].isna()]
        elif isinstance(value, float):
            # A stored 0.1 is the same 0.1, but for a file that went through another program.
            kept = kept[(kept[column] - value).abs() < 1e-9]
        else:
            options = value if isinstance(value, list | tuple | set) else [value]
            kept = kept[kept[column].isin(list(options))]
    return kept


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Rows averaged over exemplar counts."""
    return table[table["k"].isna() & table["span"].notna()]


def per_k(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of single exemplar counts."""
    return table[table["k"].notna()]


def settled(table: pd.DataFrame) -> pd.DataFrame:
    """Where rows speak for training seeds, only those; else those of the first seed (or none)."""
    if table.empty:
        return table
    across = table[table["conditional_on"] == "training seeds"]
    if not across.empty:
        return across
    unseeded = table[table["seed"].isna()]
    if not unseeded.empty:
        return unseeded
    return table[table["seed"] == table["seed"].min()]


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with the labels as they are: gamma 1, or no gamma."""
    return table[table["gamma"].isna() | ((table["gamma"] - 1.0).abs() < 1e-9)]


def first(table: pd.DataFrame) -> Figure | None:
    """The first row as a figure, or None where there is none."""
    if table.empty:
        return None
    row = table.iloc[0]

    def text(name: str) -> str | None:
        value = row[name]
        return value if isinstance(value, str) else None

    def number(name: str) -> float:
        return float("nan") if _missing(row[name]) else float(row[name])

    n = None if _missing(row["n"]) else int(row["n"])
    return Figure(
        number("estimate"),
        number("low"),
        number("high"),
        n,
        text("span"),
        text("conditional_on"),
        text("note"),
    )


def figure(table: pd.DataFrame | None, **wanted: Any) -> Figure | None:
    """The settled row that has the wanted values, or None (no table, no row)."""
    if table is None:
        return None
    return first(settled(choose(table, **wanted)))


def _missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value))


def at_alpha(table: pd.DataFrame, alpha: float | None = None) -> pd.DataFrame:
    """Rows of one base model: those of `alpha`, or of none in particular.

    Where the table lacks it: the one nearest to it; without `alpha`, nearest to 0.5.
    """
    there = sorted(float(a) for a in table["alpha"].dropna().unique())
    if not there:
        return table
    wanted = 0.5 if alpha is None else alpha
    nearest = min(there, key=lambda a: abs(a - wanted))
    return table[table["alpha"].isna() | ((table["alpha"] - nearest).abs() < 1e-9)]


def narrowest(table: pd.DataFrame) -> str | None:
    """The first span of fewest exemplar counts ("1..3" before "0..12"), None for no span."""
    spans = [str(span) for span in table["span"].dropna().unique()]
    return min(spans, key=_width) if spans else None


def widest(table: pd.DataFrame) -> str | None:
    """The span of most exemplar counts, None for no span."""
    spans = [str(span) for span in table["span"].dropna().unique()]
    return max(spans, key=_width) if spans else None


def inside(table: pd.DataFrame) -> str | None:
    """The span that claims on inference speak of: the one that begins at 1, if there is one."""
    spans = [str(span) for span in table["span"].dropna().unique()]
    from_one = [span for span in spans if span.startswith("1..")]
    return min(from_one, key=_width) if from_one else narrowest(table)


def _width(span: str) -> float:
    low, _, high = span.partition("..")
    return float(high) - float(low) if low.isdigit() and high.isdigit() else math.inf
