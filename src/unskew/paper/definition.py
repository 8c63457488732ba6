"""What grids of attacks and defences say, and the removal bench: the thesis' half.

Thresholds are those of `purple.grid_claims`. It speaks of models that were taught by DPO; the same
thresholds are asked of those that were taught on adversarial prompts too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from unskew.paper.findings import NOT_RUN, WORDS, Finding, Word, one_sided, over
from unskew.paper.shelf import Place
from unskew.purple.grid_claims import claims
from unskew.report.audit_rows import line, records
from unskew.report.removal import number, standing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REMOVED", "grid", "removal", "removed"]

REMOVED = ("refuse", "locked", "erased")
"""The models whose ability the bench looks for: refused, behind a password, taught away."""
CELLS = (
    "subject", "enforcement", "attack", "defence", "input", "adaptive", "dsr", "low", "high", "n",
    "dsr_training", "taken", "taken_low", "taken_high", "let_through", "read_back", "answers",
)  # fmt: skip
COLUMNS = ("verdict", "witness", "reason", "clusters", "level", "probes")
POSITIONS = ("probe", "seed", "estimate", "low", "high")


def grid(
    claim: str, enforcement: str = "dpo", defences: tuple[str, ...] = ()
) -> Callable[[Place], Finding]:
    """A claim about the subjects of one enforcement, or about the guard.

    defences: of an input defence, what a grid may call it.
    """

    def read(place: Place) -> Finding:
        rows = [row for row in records(_claims(place, enforcement)) if row["claim"] == claim]
        if defences:
            rows = [r for r in rows if str(r["defence"]).partition(" #")[0] in defences]
        subjects = {row["subject"] for row in rows}
        cases = {}
        for row in rows:
            named = [row["subject"]] if len(subjects) > 1 else []
            named += [row["defence"]] if defences else []
            cases[", ".join(line(str(name)) for name in named if name)] = _found(row)
        return over(cases, len(cases))

    return read


def removal(place: Place) -> Finding:
    """Whether the bench calls a model suppressed, and how far its witness brings it back: from an
    oracle (0) to the original (1)."""
    return _bench(place, "suppressed", lambda row, _: row["witness"])


def removed(place: Place) -> Finding:
    """Whether the bench calls a model removed, and the probe under which it may be furthest from
    the oracle."""

    def furthest(_: dict[str, Any], positions: pd.DataFrame) -> str | None:
        def high(name: str) -> float:
            found = standing(positions, name).high
            return -math.inf if found is None else found

        return max(positions["probe"].astype(str).unique(), key=high, default=None)

    return _bench(place, "removed", furthest)


def _bench(
    place: Place, wanted: str, pick: Callable[[dict[str, Any], pd.DataFrame], str | None]
) -> Finding:
    """A verdict of the bench, with the position under the probe that is picked."""
    rows = place.table("removal", COLUMNS)
    if rows.empty:
        return NOT_RUN
    row = records(rows)[0]
    words: dict[str, Word] = {wanted: "reproduced", "inconclusive": "inconclusive"}
    word = words.get(str(row["verdict"]), "not reproduced")
    basis, note = f"{row['clusters']} clusters of documents", line(str(row["reason"] or ""))
    positions = place.table("positions", POSITIONS)
    if (probe := pick(row, positions)) is None:
        return Finding(word, str(row["verdict"]), basis, note)
    found = standing(positions, probe)
    if None in found:
        return Finding(word, str(row["verdict"]), basis, note, *found)
    estimate, low, high = map(number, found)
    text = f"{estimate} ({low} to {high}), {line(probe)}"
    basis += f"; {one_sided(row['level'] / row['probes'])}"
    return Finding(word, text, basis, note, *found)


def _claims(place: Place, enforcement: str) -> pd.DataFrame:
    cells = place.table("cells", CELLS)
    if enforcement != "dpo":
        cells = cells[cells["enforcement"] == enforcement].assign(enforcement="dpo")
    return place.once(f"said of {enforcement}", lambda: claims(cells))


def _found(row: dict[str, Any]) -> Finding:
    word = WORDS[row["verdict"]]
    if word == "not run":
        return NOT_RUN
    what = "answers" if row["claim"] == "guard-holds" else "held-out questions"
    attack = row["attack"]
    note = f"attack: {line(str(attack))}" if attack not in (None, "none") else ""
    found = row["found"] or ""
    if row["claim"] == "guard-holds":
        _, more, back = found.partition("; ")
        found = f"{row['figure']:.0f} of {row['n']:,} let through{more}{back}"
    return Finding(
        word, found, f"{row['n']:,} {what}", note,
        row["figure"], row["low"], row["high"],
    )  # fmt: skip
