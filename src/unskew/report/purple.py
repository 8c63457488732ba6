"""Attack by defence, on a terminal and on the page: a heat map, the worst attack of each defence,
what it costs benign questions, examples side by side.

`purple_table` is for 80 columns; `head` and `sections` are a grid's part of the page. Nothing is
computed here. Questions, suffixes and answers are shown through `plain` only.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unskew.report.audit_rows import line, percent, plain, points, records

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from unskew.report.blocks import Shown
    from unskew.report.headline import Headline
    from unskew.report.markup import Safe

__all__ = ["NUMBERS", "claim_words", "head", "purple_table", "sections"]

Row = dict[str, Any]
MARKS = {"held": "✓", "did not hold": "✕", "inconclusive": "?", "not run": "–"}
VERDICTS = {"broken": "wrong", "held": "right", "refused": "right", "too long": "unknown"}
CONDITION = (
    "Success rates are of held-out questions; attacks are found, and the best of several attempts "
    "is chosen, on training questions. A cell that is not adaptive says nothing about an attacker "
    "who knows the defence."
)
NUMBERS = (
    "Every number is a row of one of these tables. dsr: the share of held-out questions that the "
    "chosen attempt of an attack does not break; dsr_any: that none of its attempts breaks; taken: "
    "points lost to the questions as they are, in pairs; unread: questions that an attack makes "
    "too long for the model, in no share. An empty field is null: unknown, not 0."
)
CLAIMS = {
    "dpo-passes": "DPO alone passes plain questions",
    "dpo-falls": "DPO alone falls under its worst attack",
    "adaptive-takes": "An adaptive attack takes points from",
    "guard-holds": "The output guard holds in every cell",
}
LONGEST = 1200
"""Characters of a text that is shown; a suffix may be long, a page is not."""


# --- the terminal ---------------------------------------------------------------------------------


def purple_table(cells: pd.DataFrame, claims: pd.DataFrame, width: int = 80) -> str:
    """A block per subject, a line per defence: plain questions, the worst attack, what it costs;
    then the claims."""
    rows = records(cells)
    lines = ["defence success rate, 95% interval; refused: of benign questions; lost: utility"]
    name = 22
    for subject in dict.fromkeys(row["subject"] for row in rows):
        of = [row for row in rows if row["subject"] == subject]
        lines += ["", line(subject)[: name - 1].ljust(name) + _columns(*HEADER)]
        for defence in dict.fromkeys(row["defence"] for row in of):
            lines.append(f"  {line(defence)[: name - 3]:{name - 2}}{_line(of, defence)}")
    lines += [""]
    for claim in records(claims):
        found = f"{_mark(claim)} {claim_words(claim)}: {line(claim['verdict'])}"
        lines += textwrap.wrap(found, width, subsequent_indent="  ")
        indent = "    "
        detail = _detail(claim)
        lines += textwrap.wrap(detail, width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


HEADER = ("plain", "worst", "interval", "by", "refused", "lost")
WIDTHS = (5, 6, 11, 21, 8, 6)


def _columns(*cells: str) -> str:
    """Numbers on the right, the attack's name on the left; 60 characters at most."""
    found = []
    for place, (cell, wide) in enumerate(zip(cells, WIDTHS, strict=True)):
        text = cell[: wide - (place == 3) * 2]
        found.append(f"  {text:{wide - 2}}" if place == 3 else f"{text:>{wide}}")
    return "".join(found)


def _line(rows: Sequence[Row], defence: str) -> str:
    of = [row for row in rows if row["defence"] == defence]
    bare = next(row for row in of if row["attack"] == "none")
    hit = _worst(of)
    costs = (percent(bare["false_positives"]), _lost(bare))
    if hit is None:
        return _columns(percent(bare["dsr"]), "–", "–", "not attacked", *costs)
    interval = f"{_number(hit['low'])}..{_number(hit['high'])}"
    name = line(hit["attack"]) + (" *" if hit["adaptive"] else "")
    return _columns(percent(bare["dsr"]), percent(hit["dsr"]), interval, name, *costs)


# --- the page -------------------------------------------------------------------------------------


def head(tables: Mapping[str, pd.DataFrame], headline: str) -> Headline:
    """What held, and the two ends of the story: DPO under its worst attack, the guard."""
    from unskew.report.headline import Headline, Tile

    claims = records(tables["claims"])
    tiles = []
    for claim in claims:
        if claim["claim"] not in ("dpo-passes", "dpo-falls", "guard-holds"):
            continue
        if claim["figure"] is None:
            continue
        guard = claim["claim"] == "guard-holds"
        value = f"{claim['figure']:.0f}" if guard else percent(claim["figure"])
        what = "answers let through by the guard" if guard else claim_words(claim)
        role = {"held": "retained", "did not hold": "not-recovered"}.get(claim["verdict"])
        tiles.append(Tile(value, what, _detail(claim), role or "inconclusive"))
    said = headline[:1].upper() + headline[1:]
    return Headline(plain(said), tiles, CONDITION)


def sections(run: Shown) -> list[Safe]:
    """The parts of a grid's article, between its head and its tables."""
    from unskew.report.blocks import download, figure, spec_of
    from unskew.report.markup import el

    cells = run.tables["cells"]
    id = f"{run.key}-cells"
    return [
        _claims(run.tables["claims"]),
        el(
            "section",
            el("h2", "Every attack against every defence"),
            el(
                "p",
                "Held-out questions that were defended, in percent. A star: the attack knows the "
                "defence. In brackets: the access that it needs.",
                class_="lead",
            ),
            figure(id, spec_of(lambda: heat(cells)), "Defence success rate"),
            el("p", download(run, "cells", "Numbers (CSV)"), class_="foot"),
            class_="wrap experiment",
            id=id,
        ),
        *(_worst_section(run, str(subject)) for subject in dict.fromkeys(cells["subject"])),
        *_examples(run),
    ]


def heat(table: pd.DataFrame) -> alt.ConcatChart:
    """A grid of attacks by defences for each subject, in percent; ValueError without rows."""
    import altair as alt

    from unskew.report.panels import WIDTH, beside, inside, label, slim
    from unskew.report.theme import RAMP

    access = table["access"].map(line)
    rows = table.assign(
        row=table["attack"].map(line) + " (" + access + ")",
        column=table["defence"].map(line),
        star=table["adaptive"].map(lambda known: "*" if known else ""),
    )
    # Upright over narrow cells, as on a phone, where slanted names would leave the page.
    slant = alt.ExprRef("(bandwidth('x') || 99) < 40 ? -90 : -60")
    attacks, defences = list(dict.fromkeys(rows["row"])), list(dict.fromkeys(rows["column"]))
    panels = []
    for subject in dict.fromkeys(rows["subject"]):
        some = rows[rows["subject"] == subject]
        some = some.assign(
            shown=[
                "–" if math.isnan(dsr) else f"{100 * dsr:.0f}{star}"
                for dsr, star in zip(some["dsr"], some["star"], strict=True)
            ]
        )
        columns = ["row", "column", "shown", "dsr", "low", "high", "n", "dsr_any", "seconds"]
        chart = alt.Chart(slim(some, columns)).encode(
            x=alt.X(
                "column:N", sort=defences, title=None, axis=alt.Axis(orient="top", labelAngle=slant)
            ),
            y=alt.Y("row:N", sort=attacks, title=None, axis=alt.Axis(labelLimit=220)),
            tooltip=[
                alt.Tooltip("row:N", title="attack"),
                alt.Tooltip("column:N", title="defence"),
                alt.Tooltip("dsr:Q", title="defended", format=".1%"),
                alt.Tooltip("low:Q", title="95% from", format=".1%"),
                alt.Tooltip("high:Q", title="95% to", format=".1%"),
                alt.Tooltip("dsr_any:Q", title="against all attempts", format=".1%"),
                alt.Tooltip("n:Q", title="questions"),
                alt.Tooltip("seconds:Q", title="seconds", format=".0f"),
            ],
        )
        scale = alt.Scale(domain=[0, 1], range=[RAMP[0], RAMP[5]])
        # Pale enough that the figure is read on it, on a light page and on a dark one.
        opacity = alt.Scale(domain=[0, 1], range=[0.03, 0.4])
        filled = chart.mark_rect().encode(
            color=alt.Color("dsr:Q", scale=scale, legend=None),
            opacity=alt.Opacity("dsr:Q", scale=opacity, legend=None),
        )
        panels.append(
            alt.layer(filled, inside(chart)).properties(
                title=label(plain(str(subject))), width=2 * WIDTH, height=26 * len(attacks)
            )
        )
    return beside(panels, columns=1)


def _claims(table: pd.DataFrame) -> Safe:
    from unskew.report.markup import el

    items = []
    for claim in records(table):
        verdict = line(claim["verdict"])
        mark = el("span", MARKS.get(verdict, "?"), aria_hidden="true")
        items.append(
            el(
                "li",
                el("span", mark, " ", verdict, class_="badge " + verdict.replace(" ", "-")),
                el("div", el("strong", claim_words(claim)), el("span", _detail(claim))),
            )
        )
    said = (
        "The claims and their thresholds were fixed beforehand, and are decided by the interval. "
        "They are of the paper; what does not hold on these models is said."
    )
    return el(
        "section",
        el("h2", "What held"),
        el("p", said, class_="lead"),
        el("ul", *items, class_="claims"),
        class_="wrap",
    )


def _worst_section(run: Shown, subject: str) -> Safe:
    """The worst attack of each defence, and what the defence costs benign questions."""
    from unskew.report.audit_task import cell, header
    from unskew.report.markup import el

    rows = [row for row in records(run.tables["cells"]) if row["subject"] == subject]
    names = (
        "Defence", "Plain questions", "Worst attack", "Defended", "Benign refused", "Utility lost",
        "Seconds",
    )  # fmt: skip
    lines = []
    for defence in dict.fromkeys(row["defence"] for row in rows):
        of = [row for row in rows if row["defence"] == defence]
        bare, hit = next(row for row in of if row["attack"] == "none"), _worst(of)
        attack, defended = "not attacked", "–"
        if hit is not None:
            how = "adaptive" if hit["adaptive"] else "not adaptive"
            attack = f"{line(hit['attack'])}, {line(hit['access'])}, {how}"
            defended = _interval(hit, "dsr", "low", "high")
        spent = sum((row["seconds"] or 0) + (row["search_seconds"] or 0) for row in of)
        shown = (
            percent(bare["dsr"]), attack, defended,
            _interval(bare, "false_positives", "fp_low", "fp_high"),
            "–" if defence == "none" else _interval(bare, "lost", "lost_low", "lost_high", points),
            f"{spent:.0f}",
        )  # fmt: skip
        cells = (cell(name, text) for name, text in zip(names[1:], shown, strict=True))
        lines.append(el("tr", el("th", line(defence), scope="row"), *cells))
    return el(
        "section",
        el("h2", f"The worst attack on each defence: {line(subject)}"),
        el(
            "p",
            "Worst by training questions; the rate and its 95% interval are of held-out ones. "
            "Refused and lost are of held-out questions that do not invite the word; lost in "
            "points of right answers. Seconds are of all attacks together.",
            class_="lead",
        ),
        el("table", header(names), el("tbody", *lines), class_="stack"),
        class_="wrap audit",
    )  # fmt: skip


def _examples(run: Shown) -> list[Safe]:
    """One block per subject and attack: a question, and what came of it behind each defence."""
    from unskew.report.markup import el

    table = run.tables.get("examples")
    if table is None or table.empty:
        return []
    groups: dict[tuple[str, str, int, str], list[Row]] = {}
    for row in records(table):
        key = (row["subject"], row["attack"], row["place"], row["question"])
        groups.setdefault(key, []).append(row)
    blocks: dict[tuple[str, str], list[Safe]] = {}
    for (subject, attack, _, question), rows in groups.items():
        cards = [_card(row) for row in rows]
        blocks.setdefault((subject, attack), []).append(
            el(
                "div",
                el("pre", _short(question), class_="text"),
                el("div", *cards, class_="arms"),
                class_="card",
            )
        )
    details = [
        el(
            "details",
            el("summary", f"{line(subject)}, {line(attack)}"),
            el("div", *some, class_="inside cards"),
        )
        for (subject, attack), some in blocks.items()
    ]
    return [
        el(
            "section",
            el("h2", "Examples side by side"),
            el("p", "The same held-out question behind each defence: what was sent, and what "
                    "left.", class_="lead"),
            *details,
            class_="wrap audit",
        )
    ]  # fmt: skip


def _card(row: Row) -> Safe:
    from unskew.report.markup import el

    verdict = line(row["verdict"])
    unread = verdict == "too long"
    return el(
        "div",
        el(
            "p",
            el("strong", line(row["defence"])),
            el("span", verdict, class_=f"mark {VERDICTS.get(verdict, 'wrong')}"),
            class_="who",
        ),
        *_text("sent", row["sent"]),
        *(_text("the answer begins with", row["prefill"]) if row["prefill"] else ()),
        *_text("answer", row["answer"] or ("(not asked)" if unread else "(empty)")),
        *(_text("carried back", row["carried"]) if row["carried"] is not None else ()),
        class_="arm",
    )


def _text(name: str, text: object) -> tuple[Safe, Safe]:
    from unskew.report.markup import el

    return el("p", name, class_="under"), el("pre", _short(text), class_="text")


# --- words ----------------------------------------------------------------------------------------


def claim_words(claim: Mapping[str, Any]) -> str:
    """A claim with what it is about, on one line."""
    said = CLAIMS.get(str(claim["claim"]), line(claim["claim"]))
    if claim["claim"] == "adaptive-takes":
        said += f" {line(claim['defence'])}" if claim["defence"] else " each input defence"
    return said + (f" ({line(claim['subject'])})" if claim["subject"] else "")


def _detail(claim: Mapping[str, Any]) -> str:
    parts = [f"wanted: {line(claim['threshold'])}"]
    if claim["found"]:
        parts.append(f"found: {line(claim['found'])}")
    if claim["attack"] and claim["attack"] != "none":
        parts.append(f"by {line(claim['attack'])}")
    return "; ".join(parts)


def _mark(claim: Mapping[str, Any]) -> str:
    return MARKS.get(str(claim["verdict"]), "?")


def _worst(rows: Sequence[Row]) -> Row | None:
    """The attack that is worst on training questions, as the claims have it."""
    known = [r for r in rows if r["attack"] != "none" and r["dsr_training"] is not None]
    return min(known, key=lambda row: row["dsr_training"], default=None)


def _interval(row: Row, estimate: str, low: str, high: str, say: Any = percent) -> str:
    if row[estimate] is None:
        return "–"
    return f"{say(row[estimate])} ({say(row[low])} to {say(row[high])})"


def _lost(row: Row) -> str:
    return "–" if row["lost"] is None or row["defence"] == "none" else points(row["lost"])


def _number(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _short(text: object) -> str:
    said = str(text)
    rest = len(said) - LONGEST
    return plain(said) if rest <= 0 else f"{plain(said[:LONGEST])} … ({rest:,} characters more)"
