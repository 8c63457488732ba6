"""The four words a claim can end with, and how several findings make one.

reproduced       its figure is clear of the threshold, on the right side
not reproduced   clear of it on the wrong side, or a case of several fails
inconclusive     neither; or it holds, in fewer cases than the claim asks for
not run          there is no table
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from unskew.report.rows import Figure
from unskew.report.words import interval

__all__ = [
    "NOT_RUN", "SCALES", "WORDS", "Finding", "Scale", "Word", "judged", "number_of", "one_sided",
    "over", "shown", "signed",
]  # fmt: skip

Scale = Literal["demo", "small", "paper"]
SCALES: tuple[Scale, ...] = get_args(Scale)
"""From minutes to a GPU: a claim is read at the largest one that has been run."""

Word = Literal["reproduced", "not reproduced", "inconclusive", "not run"]
WORDS: dict[str, Word] = {
    "held": "reproduced",
    "did not hold": "not reproduced",
    "inconclusive": "inconclusive",
    "not run": "not run",
}
"""What the laboratories call it -> what it means for the claim of a document."""


class Finding(NamedTuple):
    """What a table says of a claim.

    Attributes:
        found: the figure of merit with its interval, as text.
        basis: what the interval speaks for: prompts, documents, seeds.
        note: what more the table says.
        estimate, low, high: the same figure as numbers; None where the table says null.
    """

    word: Word
    found: str = ""
    basis: str = ""
    note: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


NOT_RUN = Finding("not run")


def judged(word: str, figure: Figure | None, found: str = "", note: str = "") -> Finding:
    """A finding out of a laboratory's verdict and its figure (None: no row)."""
    if WORDS[word] == "not run":
        return NOT_RUN
    if figure is None:
        return Finding(WORDS[word], found or "no figure in the table", "", note)
    numbers = (_known(n) for n in (figure.estimate, figure.low, figure.high))
    return Finding(WORDS[word], found or shown(figure), number_of(figure), note, *numbers)


def shown(figure: Figure, as_percent: bool = False) -> str:
    """ "63% (58% to 68%)": intervals are of 95% wherever nothing else is said."""
    return interval(figure, as_percent).replace("95% interval ", "")


def number_of(figure: Figure) -> str:
    """What an interval speaks for, in words."""
    if figure.n is None:
        return ""
    if figure.conditional_on == "training seeds":
        return f"{figure.n} training seeds"
    return f"{figure.n:,} prompts, one training"


def one_sided(level: float) -> str:
    """What bounds are that are no 95% interval: each fails with at most this probability."""
    return f"bounds one-sided at {100 * level:.2g}% each"


def signed(low: float | None, high: float | None) -> Word:
    """Whether an interval lies above 0."""
    if low is not None and low > 0:
        return "reproduced"
    if high is not None and high < 0:
        return "not reproduced"
    return "inconclusive"


def over(cases: Mapping[str, Finding], asked: int) -> Finding:
    """One finding of several cases (seeds, pairs, models), each by its name: reproduced where all
    that are asked for are, not reproduced where one is not.

    asked: how many cases the claim asks for; fewer leave it undecided.
    """
    run = {name: one for name, one in cases.items() if one.word != "not run"}
    if not run:
        return NOT_RUN
    words = [one.word for one in run.values()]
    missing = max(asked - len(run), 0)
    word: Word = "reproduced"
    if "not reproduced" in words:
        word = "not reproduced"
    elif "inconclusive" in words or missing:
        word = "inconclusive"
    if len(run) == 1 and not missing:
        return next(iter(run.values()))
    found = "; ".join(f"{name}: {one.found}" if name else one.found for name, one in run.items())
    lacking = f"{len(run)} of the {asked} it asks for" if missing else ""
    basis = [*dict.fromkeys(one.basis for one in run.values() if one.basis), lacking]
    notes = dict.fromkeys(one.note for one in run.values() if one.note)
    return Finding(word, found, "; ".join(b for b in basis if b), "; ".join(notes))


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
