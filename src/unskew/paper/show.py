"""The claims as text: for a terminal of 80 columns, and as two Markdown tables.

Nothing is computed here. The README's table holds the claims of the documents, that of
docs/RESULTS.md every claim, with where it was read and what makes it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from unskew.paper.claims import AREAS, Answer
from unskew.paper.findings import Scale, Word

__all__ = ["MARKERS", "MARKS", "brief", "full", "summary", "terminal", "within"]

MARKS: dict[Word, str] = {
    "reproduced": "✓",
    "not reproduced": "✕",
    "inconclusive": "?",
    "not run": "–",
}
MARKERS = ("<!-- {}: begin -->", "<!-- {}: end -->")
"""What stands around a table that is written by a program."""


def terminal(answers: Sequence[Answer], width: int = 80) -> str:
    """Area by area: the word, the claim, its figure, where it was read and what makes it."""
    lines: list[str] = []
    for area, title in AREAS.items():
        lines += ["", title] if lines else [title]
        for one in answers:
            if one.claim.area == area:
                lines += _block(one, width)
    return "\n".join([*lines, "", *textwrap.wrap(summary(answers), width)])


def summary(answers: Sequence[Answer]) -> str:
    """How many of the claims ended with each word."""
    words = [one.finding.word for one in answers]
    said = [f"{words.count(word)} {word}" for word in MARKS if word in words]
    return f"of {len(words)} claims: {', '.join(said)}"


def brief(answers: Sequence[Answer]) -> str:
    """The README's table, without its markers: the claims of the documents, in short, and what the
    others come to."""
    rows = ["| claim | threshold | found (95% interval) | |", "|---|---|---|---|"]
    shown = [one for one in answers if one.claim.brief]
    for one in shown:
        found = one.finding.found or "–"
        rows.append(_row(one.claim.text, one.claim.threshold, _with_basis(one, found), _word(one)))
    words = [one.finding.word for one in answers if not one.claim.brief]
    rest = ", ".join(f"{words.count(word)} {word}" for word in MARKS if word in words)
    said = f"{len(shown)} of {len(answers)} claims; the variants and controls left out: {rest}."
    return "\n".join([*rows, "", said])


def full(answers: Sequence[Answer]) -> str:
    """The table of docs/RESULTS.md, without its markers: every claim."""
    rows = [
        "| id | claim | documents | threshold | found (95% interval) | | read from | made by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in answers:
        claim, finding = one.claim, one.finding
        found = "; ".join(part for part in (finding.found, finding.basis) if part) or "–"
        places = "<br>".join(f"`{place}`" for place in one.places) or "–"
        commands = "–" if one.part is None else "<br>".join(f"`{c}`" for c in one.part.commands)
        rows.append(
            _row(
                f"`{claim.id}`", claim.text, claim.documents, claim.threshold, found,
                _word(one), places, commands,
            )
        )  # fmt: skip
    return "\n".join(rows)


def within(page: str, table: str, name: str = "claims") -> str:
    """The page with what stands between the MARKERS of that name replaced. ValueError where they
    are not there."""
    first, last = (marker.format(name) for marker in MARKERS)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page has no {first} ... {last}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _block(one: Answer, width: int) -> list[str]:
    claim, finding = one.claim, one.finding
    scale = f", {one.scale}" if one.scale is not None and finding.word != "not run" else ""
    text = claim.text.replace("`", "")
    head = f"{MARKS[finding.word]} {finding.word} [{claim.id}{scale}]: {text}"
    lines = textwrap.wrap(head, width, subsequent_indent="    ")
    if finding.word == "not run":
        made = "nothing makes its table at this scale"
        if one.part is not None:
            made = f"make it by: {_make(claim.id, one.part.scale)}"
        return [*lines, f"    {made}"]
    parts = (f"found {finding.found}", f"asked {claim.threshold}", finding.basis)
    lines += _indented("; ".join(part for part in parts if part), width)
    for place in one.places:
        lines += _indented(place, width)
    if one.part is not None:
        lines += [f"    {command}" for command in one.part.commands]
    return lines


def _make(id: str, scale: Scale) -> str:
    return f"unskew paper make {id} --scale {scale}"


def _indented(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _with_basis(one: Answer, found: str) -> str:
    """The seeds, where it is seeds that an answer rests on; what its bounds are, where they are no
    95% interval."""
    basis = one.finding.basis
    told = any(word in basis for word in ("held for", "seeds", "one-sided"))
    return f"{found}; {basis}" if told else found


def _word(one: Answer) -> str:
    word = one.finding.word
    if word == "not run":
        return word
    said = word if word == "reproduced" else f"**{word}**"
    return f"{said}, {one.scale}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
