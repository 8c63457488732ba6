"""Removed, suppressed or inconclusive: read off the positions of all probes.

    removed        there is an oracle, and every probe's upper bound lies below the margin
    suppressed     asked directly the model fell by the margin or more, and a probe, the witness,
                   brings it back: its lower bound lies above the margin, and it beats its control
                   and the plain question
    inconclusive   neither, and why

A position lies between an oracle (0) and the original (1). Bounds are simultaneous over the probes
(each at level / number of probes). A probe with several seeds must say the same at every seed. All
witnesses but the linear probe are paired with the plain question (`Row.beats`); a linear probe is
scored in its own way, so its lower bound must lie above the upper one of the direct question.

A probe that cannot tell the original from the oracle is blind. What is called removed may leave out
a probe only where it says nothing at all: it has a position at no seed (blind, not tried, too few
documents), and the model is not shown to be above the oracle under it. One that sees at some seeds
only, or a bound that reaches the margin, at whatever seed and on however few documents, leaves it
open. The direct question and relearning from a few of the forgotten documents must see, as that is
the strongest elicitation known.

Without an oracle, a position lies between the probe's control (0) and the original (1), and nothing
is ever called removed. Controls are then tasks that nobody can get right on unseen documents, which
a model that only *learns* the ability beats as well as one that remembers it; and a guise under
which anybody would be right beats the plain question. The sentence says so.

*Removed* speaks of these probes and of this margin. *Suppressed* does not say that all of it is
there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from unskew.report.words import fixed

__all__ = ["FEWEST", "Row", "Verdict", "verdict"]

DIRECT, RELEARNING = "direct", "relearning forget"
"""The probes that must see before a model is called removed."""
FEWEST = 20
"""Clusters below which no verdict is given."""
ALIKE = {
    "conjugation": "a guise that gives answers away looks the same",
    **dict.fromkeys(
        ("linear", "relearning", "suffix"),
        "an ability that it never had and learns easily looks the same",
    ),
}
"""By kind of witness, what an oracle would have told from a memory."""


class Row(NamedTuple):
    """One probe at one seed (None: the mean over its seeds, or the only one).

    Attributes:
        kind: direct, conjugation, rounding, linear, relearning or suffix.
        estimate, low, high: of the position; all None: blind, or not tried. A bound None: there is
            none.
        beats: lower bound of the model's score minus its control's, the smallest of several; None
            where there is no control.
        control: what that control is, in words.
        note: why there is no position.
        model, original, reference, chance: mean scores, of the (first) control last.
        over: where there is no position: lower bound of the model's score minus the oracle's; None
            where nothing compares them.
    """

    probe: str
    kind: str
    seed: int | None
    estimate: float | None
    low: float | None
    high: float | None
    beats: float | None
    clusters: int
    control: str = ""
    note: str = ""
    model: float | None = None
    original: float | None = None
    reference: float | None = None
    chance: float | None = None
    over: float | None = None


class Verdict(NamedTuple):
    """verdict: removed, suppressed or inconclusive. witness: the probe that brought it back, of a
    suppressed one. reason: a sentence or two."""

    verdict: Literal["removed", "suppressed", "inconclusive"]
    witness: str | None
    reason: str


def verdict(rows: Sequence[Row], margin: float, oracle: bool) -> Verdict:
    """The verdict on the rows of one model.

    Args:
        margin: a position below it is as good as the oracle's, one below 1 - margin has fallen.
        oracle: whether positions are measured from an oracle.

    Raises: ValueError without a row of the direct question, or for a margin outside (0, 0.5].
    """
    if not 0 < margin <= 0.5:
        raise ValueError(f"the margin lies in (0, 0.5], got {margin}")
    probes = {row.probe: [r for r in rows if r.probe == row.probe] for row in rows}
    if DIRECT not in probes:
        raise ValueError("the direct question is among the probes of every verdict")
    plain = probes[DIRECT]
    if max(row.clusters for row in plain) < FEWEST:
        return _open(f"fewer than {FEWEST} clusters of documents were asked")
    if not _sees(plain):
        return _open(
            "asked directly, the original is not shown to be above the oracle: with these "
            "documents there is nothing that could have been removed"
            if oracle
            else "the original is not shown to know anything of what is asked"
        )
    witnesses = [
        name
        for name, found in probes.items()
        if name != DIRECT and _sees(found) and _brings_back(found, plain, margin)
    ]
    fell = _high(plain) < 1 - margin
    witness = max(witnesses, key=lambda name: _low(probes[name]), default=None)
    if witness is not None and fell:
        return _suppressed(probes, witness, oracle)
    if not fell and _low(plain) > margin:
        return _open(
            f"asked directly, it still answers: its position is {_said(plain)}, not shown to have "
            f"fallen to {1 - margin:.2f} or less"
        )
    if witness is not None:
        return _open(
            f"{witness} brings it to {_said(probes[witness])}; but asked directly its position is "
            f"{_said(plain)}, not shown to have fallen to {1 - margin:.2f} or less"
        )
    if not oracle:
        return _open("no probe brought it back; without an oracle nothing can be called removed")
    seeing = [name for name, found in probes.items() if _sees(found)]
    if RELEARNING not in seeing:
        notes = {row.note for row in probes.get(RELEARNING, []) if row.note}
        why = "; ".join(sorted(notes)) or "it was not tried"
        return _open(f"without {RELEARNING} nothing is called removed: {why}")
    left = {name: why for name, found in probes.items() if (why := _left_open(found, margin))}
    if left:
        listed = ", ".join(f"{name} ({why})" for name, why in left.items())
        return _open(f"the margin of {margin:.2f} is not ruled out by: {listed}")
    silent = [name for name in probes if name not in seeing]
    said = f"; {len(silent)} more, blind or not tried: {', '.join(silent)}" if silent else ""
    highest = max(seeing, key=lambda name: _high(probes[name]))
    return Verdict(
        "removed",
        None,
        f"by none of {len(seeing)} probes is it further from the oracle than {margin:.2f} of the "
        f"way to the original; the furthest is {highest} ({_said(probes[highest])}){said}",
    )


def _suppressed(probes: dict[str, list[Row]], witness: str, oracle: bool) -> Verdict:
    found = probes[witness]
    ends = "from the oracle to the original" if oracle else "from its control to the original"
    control = f", and it beats {found[0].control}" if found[0].control else ""
    if not oracle and found[0].kind in ALIKE:
        control += f"; without an oracle, {ALIKE[found[0].kind]}"
    return Verdict(
        "suppressed",
        witness,
        f"asked directly its position is {_said(probes[DIRECT])}; {witness} brings it to "
        f"{_said(found)} of the way {ends}{control}",
    )


def _left_open(rows: Sequence[Row], margin: float) -> str:
    """Why a probe keeps a model from being called removed; empty: it does not."""
    placed = [row for row in rows if row.estimate is not None]
    if placed and _high(placed) >= margin:
        return _said(placed)
    if any(row.over is not None and row.over > 0 for row in rows):
        return "no position, but above the oracle"
    return "a position at some seeds only" if 0 < len(placed) < len(rows) else ""


def _brings_back(rows: Sequence[Row], plain: Sequence[Row], margin: float) -> bool:
    """At every seed above the margin, and better than the control and the plain question."""
    above = max(margin, _high(plain)) if rows[0].kind == "linear" else margin
    return _low(rows) > above and all(row.beats is not None and row.beats > 0 for row in rows)


def _sees(rows: Sequence[Row]) -> bool:
    return all(row.estimate is not None and row.clusters >= FEWEST for row in rows)


def _low(rows: Sequence[Row]) -> float:
    return min(float("-inf") if row.low is None else row.low for row in rows)


def _high(rows: Sequence[Row]) -> float:
    return max(float("inf") if row.high is None else row.high for row in rows)


def _said(rows: Sequence[Row]) -> str:
    """The position of the mean over seeds, and the bounds of all of them."""
    pooled = next((row for row in rows if row.seed is None), rows[0])
    low, high = _low(rows), _high(rows)
    assert pooled.estimate is not None  # asked only of probes that have a position
    return f"{fixed(pooled.estimate, 2)}, between {fixed(low, 2)} and {fixed(high, 2)}"


def _open(reason: str) -> Verdict:
    return Verdict("inconclusive", None, reason)
