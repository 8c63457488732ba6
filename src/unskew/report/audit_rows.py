"""Reading the tables of an audit: one `Task` per verdict, the worst first; nothing is computed.

The page, the terminal and the notebook view all read through this file, and show any text of a
model, a task or a configuration only as `plain(text)`: what a reader cannot see, or what would
move other text about, is replaced by a symbol that can be seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.report.words import fixed

if TYPE_CHECKING:
    import pandas as pd

# The worst first. The mark says the same as the colour, for those who see no difference in hue.
MARKS = {"not recovered": "✕", "suppressed": "↺", "inconclusive": "?", "retained": "✓"}
IDENTITY = "identity"
# Joiners that Persian, Indic scripts and emoji are written with, and number signs that are seen.
SEEN = frozenset("\u200c\u200d\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd") | frozenset(
    chr(code) for code in range(0x600, 0x606)
)


DOUBTFUL = re.compile(r"[^\x20-\x7e]")


def plain(text: object, lines: bool = True) -> str:
    """Any text, harmless on a terminal and honest on a page: nothing invisible is left in it.

    Control characters, bidirectional controls, line separators, invisible format characters and
    lone surrogates become their code points (⟨U+001B⟩): signs of their own, such as ␛, are in few
    fonts. Line ends and tabs stay with `lines`; without, they become ↵ and →.
    """
    # Printable ASCII, the most of most texts, is not looked at one by one.
    return DOUBTFUL.sub(lambda found: _seen(found[0], lines), str(text))


def _seen(character: str, lines: bool) -> str:
    if character == "\n":
        return "\n" if lines else "↵"
    if character == "\t":
        return "\t" if lines else "→"
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return f"⟨U+{ord(character):04X}⟩" if hidden and character not in SEEN else character


def line(text: object) -> str:
    """A name or a sentence on one line."""
    return plain(text, lines=False)


class Estimate(NamedTuple):
    """One row of `arms` or `contrasts`; None where the table says null, or lacks the column.

    null: what the contrast was tested against; p: of the test that it is larger, p_below: smaller.
    """

    estimate: float | None
    low: float | None
    high: float | None
    null: float | None
    p: float | None
    p_below: float | None
    p_adjusted: float | None


class Task(NamedTuple):
    """One row of `verdicts`, as it is in the table (names are not yet `plain`), with its drop."""

    name: str
    verdict: str
    conjugation: str | None
    words: str | None
    reason: str | None
    n: int | None
    clusters: int | None
    n_needed: int | None
    p: float | None
    p_adjusted: float | None
    detectable: float | None
    margin: float | None
    floor: float | None
    level: float | None
    chance: float | None
    drop: Estimate | None
    witness: str | None = None
    control: str | None = None
    witness_score: float | None = None

    @property
    def said(self) -> str:
        """The verdict, with the second witness that decided it and its control, if one did."""
        if self.witness is None:
            return self.verdict
        beside = "" if self.control is None else f"; {line(self.control)}"
        return f"{self.verdict} ({line(self.witness)}{beside})"

    @property
    def why(self) -> str | None:
        """What an inconclusive verdict lacks, in words; None for the others."""
        if self.verdict != "inconclusive":
            return None
        parts = [line(self.reason) if self.reason else "the reason was not recorded"]
        words = (self.words or "").replace(",", "")
        if self.n_needed is None:
            if not words:
                parts.append("how many documents would decide is unknown")
        elif str(self.n_needed) not in words:  # the words may have said it
            there = "" if self.n is None else f", there are {self.n:,}"
            parts.append(f"about {self.n_needed:,} documents would decide{there}")
        return "; ".join(parts)


def tasks(verdicts: pd.DataFrame, contrasts: pd.DataFrame | None = None) -> list[Task]:
    """Every verdict: not recovered, suppressed, inconclusive, retained; large drops first."""
    found = []
    for row in records(verdicts):
        name = str(row["task"])
        # The drop belongs to the plain arms; a table may give it for the chosen conjugation only.
        drop = contrast(contrasts, name, "drop", [IDENTITY, None, "chosen", row.get("conjugation")])
        whole = {key: _whole(row.get(key)) for key in ("n", "clusters", "n_needed")}
        numbers = ("p", "p_adjusted", "detectable", "margin", "floor", "level", "chance")
        # Of second witnesses older tables know nothing.
        witness = ("witness", "control", "witness_score")
        parts = {k: row.get(k) for k in ("conjugation", "words", "reason", *numbers, *witness)}
        found.append(Task(name, str(row["verdict"]), drop=drop, **whole, **parts))
    order = list(MARKS)

    def worst(task: Task) -> tuple[int, float, str]:
        place = order.index(task.verdict) if task.verdict in order else len(order)
        drop = task.drop.estimate if task.drop and task.drop.estimate is not None else -2.0
        return place, -drop, task.name

    return sorted(found, key=worst)


def contrast(
    table: pd.DataFrame | None, task: str, name: str, conjugations: Sequence[str | None]
) -> Estimate | None:
    """The contrast `name` of a task for the first of `conjugations` that has a row."""
    if table is None:
        return None
    rows = records(table[(table["task"] == task) & (table["contrast"] == name)])
    for wanted in conjugations:
        for row in rows:
            if row["conjugation"] == wanted:
                return _estimate(row)
    return None


def main(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """The rows of `arms` for each task's main metric; other metrics are for the table alone."""
    arms = tables.get("arms")
    return arms if arms is None or "main" not in arms else arms[arms["main"].astype(bool)]


def arm(table: pd.DataFrame | None, task: str, name: str, conjugation: str) -> Estimate | None:
    """The score of an arm ("base" or "tuned") of a task under a conjugation."""
    if table is None:
        return None
    same = (table["task"] == task) & (table["arm"] == name) & (table["conjugation"] == conjugation)
    rows = records(table[same])
    return _estimate(rows[0]) if rows else None


def through(table: pd.DataFrame | None, task: Task) -> str | None:
    """The conjugation to show for a task: the chosen one, else the first that is no control."""
    if task.conjugation is not None:
        return task.conjugation
    names = conjugations(table, task.name)
    return next((name for name, role in names.items() if role == "conjugation"), None)


def conjugations(table: pd.DataFrame | None, task: str) -> dict[str, str]:
    """Conjugation -> role for a task: as they come, the controls last, without the identity."""
    if table is None:
        return {}
    rows = table[table["task"] == task]
    pairs = zip(rows["conjugation"], rows["role"], strict=True)
    roles = {str(name): str(role) for name, role in pairs if role != "plain"}
    return dict(sorted(roles.items(), key=lambda pair: pair[1] == "control"))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries in which missing is None."""
    there = table.notna().to_numpy()
    return [
        {
            str(name): value if known else None
            for (name, value), known in zip(row.items(), mask, strict=True)
        }
        for row, mask in zip(table.to_dict("records"), there, strict=True)
    ]


def headline(found: Sequence[Task], space: str = " ") -> str:
    """The audit in a sentence: how many tasks of each verdict, and the worst of them.

    space: between a count and its verdict; a page does not break a line there.
    """
    if not found:
        return "The audit holds no task"
    worst = found[0]
    about = worst.said + _moved(worst, ", ")
    if len(found) == 1:
        return f"{line(worst.name)}: {about}"
    counts = [(sum(t.verdict == verdict for t in found), verdict) for verdict in MARKS]
    said = ", ".join(f"{count} {verdict}".replace(" ", space) for count, verdict in counts if count)
    if all(task.verdict == "retained" for task in found):
        largest = max(found, key=lambda t: (t.drop and t.drop.estimate) or -2.0)
        return f"All {len(found)} tasks retained" + _moved(largest, f"; {line(largest.name)} is ")
    return f"Of {len(found)} tasks: {said}; the worst is {line(worst.name)}, {about}"


def _moved(task: Task, before: str) -> str:
    """ ", down 32 points" in the table's own estimate; nothing where it is unknown."""
    if task.drop is None or task.drop.estimate is None:
        return ""
    drop = task.drop.estimate
    far = f"{100 * abs(drop):.0f}" if abs(drop) >= 0.0995 else points(abs(drop))
    way = "down" if drop > 0 else "up"
    return f"{before}{way} {far} points" if round(100 * drop, 1) else f"{before}level"


def points(share: float | None) -> str:
    """0.317 -> "31.7": a difference of scores in points, with a minus sign that is one."""
    if share is None:
        return "unknown"
    return fixed(100 * share, 1)


def size(share: float) -> str:
    """0.05 -> "5": points of a rule, without a decimal that says nothing."""
    return f"{100 * share:.3g}"


def percent(share: float | None) -> str:
    """0.317 -> "32%"; "–" where it is unknown."""
    return "–" if share is None else f"{fixed(100 * share)}%"


def chance(p: float | None) -> str:
    """A p-value: "0.013", "< 0.001", "–" where there is none."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def counted(verdicts: Sequence[Task]) -> Mapping[str, list[Task]]:
    """Verdict -> its tasks, the worst verdict first, those without a task left out."""
    groups = {verdict: [t for t in verdicts if t.verdict == verdict] for verdict in MARKS}
    return {verdict: group for verdict, group in groups.items() if group}


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(*(row.get(name) for name in Estimate._fields))


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)
