"""One audited task on the page: its verdict, its arms, and the evidence folded below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unskew.report.audit_rows import (
    IDENTITY,
    MARKS,
    Estimate,
    Task,
    chance,
    contrast,
    line,
    main,
    percent,
    points,
    records,
    size,
    through,
)
from unskew.report.blocks import Shown, download, figure, spec_of
from unskew.report.markup import Safe, el

if TYPE_CHECKING:
    import pandas as pd

CONTRASTS = {
    "drop": "drop: base − tuned",
    "drop-left": "drop on what s does not refuse",
    "able": "base + s above chance",
    "gain": "gain: (tuned + s) − tuned",
    "help": "help: (base + s) − base",
    "recovery": "recovery beyond the floor and the help",
}
COLUMNS = (
    ("estimate", "estimate"),
    ("low", "at least"),
    ("high", "at most"),
    ("null", "against"),
    ("p", "p, larger"),
    ("p_below", "p, smaller"),
    ("p_adjusted", "p, Holm"),
)
COUNTS = {
    "refused": "prompts refused",
    "inexact": "round trips not exact",
    "unanswerable": "answers without an inverse",
    "truncated_prompt": "prompts cut",
    "truncated_answer": "answers cut",
}


def badge(verdict: str) -> Safe:
    mark = el("span", MARKS.get(verdict, "–"), aria_hidden="true")
    shown = verdict.replace(" ", "-") if verdict in MARKS else ""
    return el("span", mark, " ", line(verdict), class_=f"badge {shown}".strip())


def cell(label: str, *children: object, **attributes: object) -> Safe:
    """A table cell that carries its column's name, for narrow screens."""
    return el("td", el("span", *children), data_label=label, **attributes)


def header(names: Sequence[str], numbers: Sequence[str] = ()) -> Safe:
    """A head of a table; the names in `numbers` stand over right-aligned columns."""
    return el(
        "thead",
        el("tr", *(el("th", n, scope="col", class_="n" if n in numbers else None) for n in names)),
    )


def section(run: Shown, task: Task, index: int, closed: bool) -> Safe:
    """The part of the page about one task; `closed` folds it."""
    id = f"{run.key}-task-{index}"
    why = el("p", el("strong", "Why: "), task.why, ".", class_="remark") if task.why else None
    return el(
        "section",
        el(
            "details",
            el("summary", el("h2", line(task.name)), badge(task.verdict)),
            el("p", line(task.words), class_="lead") if task.words else None,
            why,
            _figure(run, task, id),
            _measures(run.tables.get("arms"), task),
            _agreement(run, task),
            _oddities(run.tables.get("transforms"), task),
            _evidence(run, task),
            _witnesses(run, task),
            open=not closed,
            class_="task",
        ),
        class_="wrap audit",
        id=id,
    )


def _figure(run: Shown, task: Task, id: str) -> Safe | None:
    from unskew.report.audit_charts import four_arms

    arms = main(run.tables)
    if arms is None:
        return el("p", "The scores of the arms were not recorded.", class_="note")
    try:
        spec = spec_of(lambda: four_arms(arms, task))
    except ValueError:
        return el("p", "The table of arms holds no row of this task.", class_="note")
    return figure(id, spec, line(task.name))


def _agreement(run: Shown, task: Task) -> Safe | None:
    """How often tuned + s answers as base and as base + s do."""
    table, names = run.tables.get("contrasts"), ["chosen", through(main(run.tables), task)]
    said = {"as-base": "as the base model does", "as-base-s": "as the base model through s does"}
    parts = []
    for name, text in said.items():
        found = contrast(table, task.name, name, names)
        if found is not None and found.estimate is not None:
            parts.append(f"in {percent(found.estimate)} of the documents {text} ({_bounds(found)})")
    if not parts:
        return None
    return el("p", f"Through s the tuned model answers {', and '.join(parts)}.", class_="remark")


def _measures(arms: pd.DataFrame | None, task: Task) -> Safe | None:
    """The task's other measures, such as how often the instruction is followed instead."""
    if arms is None or "main" not in arms.columns:
        return None
    s = through(arms, task)
    shown = [("base", IDENTITY), ("tuned", IDENTITY), *([("base", s), ("tuned", s)] if s else [])]
    own = arms[arms["task"] == task.name]
    others = list(dict.fromkeys(own[~own["main"].fillna(True).astype(bool)]["metric"]))
    rows = []
    for metric in others:
        cells = []
        for arm, conjugation in shown:
            label = arm if conjugation == IDENTITY else f"{arm} + {line(conjugation)}"
            found = own[
                (own["metric"] == metric)
                & (own["arm"] == arm)
                & (own["conjugation"] == conjugation)
            ]
            row = next(iter(records(found)), {})
            bounds = f" ({percent(row.get('low'))} to {percent(row.get('high'))})" if row else ""
            cells.append(cell(label, percent(row.get("estimate")), bounds))
        rows.append(el("tr", el("th", line(metric), scope="row"), *cells))
    if not rows:
        return None
    names = [arm if c == IDENTITY else f"{arm} + {line(c)}" for arm, c in shown]
    return el(
        "details",
        el("summary", "Other measures of the same answers"),
        el(
            "div",
            el("table", header(("", *names)), el("tbody", *rows), class_="stack"),
            class_="inside",
        ),
    )


def _bounds(found: Estimate) -> str:
    return f"at least {percent(found.low)}, at most {percent(found.high)}"


def _oddities(transforms: pd.DataFrame | None, task: Task) -> Safe | None:
    """What was refused, cut or not exact, by conjugation; nothing where all of it is zero."""
    if transforms is None:
        return None
    items = []
    for row in records(transforms[transforms["task"] == task.name]):
        counts = [f"{what}: {int(row[k]):,}" for k, what in COUNTS.items() if row.get(k)]
        if not counts:
            continue
        said = ", ".join(counts)
        if row.get("inexact") and row.get("chrf") is not None:
            said += f" (chrF of the round trip {row['chrf']:.1f} of 100)"
        asked = "" if row.get("n") is None else f" Documents: {int(row['n']):,}."
        items.append(el("li", el("strong", _called(row["conjugation"])), f" – {said}.{asked}"))
    return el("ul", *items, class_="absent") if items else None


def _called(conjugation: object) -> str:
    return "plain prompts" if conjugation == IDENTITY else line(conjugation)


def _evidence(run: Shown, task: Task) -> Safe | None:
    """The contrasts of the verdict with their bounds and tests, folded."""
    table, s = run.tables.get("contrasts"), through(main(run.tables), task)
    rows: dict[str, Estimate] = {}
    for name, label in CONTRASTS.items():
        wanted = [IDENTITY, None, "chosen", s] if name == "drop" else ["chosen", s]
        found = contrast(table, task.name, name, wanted)
        if found is not None:
            rows[label] = found
    if not rows:
        return None
    columns = [(field, label) for field, label in COLUMNS if _any(rows, field)]

    def shown(found: Estimate, field: str) -> str:
        value = getattr(found, field)
        return chance(value) if field.startswith("p") else points(value)

    body = [
        el(
            "tr",
            el("th", label, scope="row"),
            *(cell(name, shown(found, field), class_="n") for field, name in columns),
        )
        for label, found in rows.items()
    ]
    names = [name for _, name in columns]
    head = header(("Contrast, in points", *names), names)
    about = _about(task, (run.config.get("rules") or {}).get("power"))
    foot = el("p", about, " ", download(run, "contrasts", "All contrasts (CSV)"), class_="foot")
    return el(
        "details",
        el("summary", "The contrasts behind it"),
        el(
            "div",
            el("table", head, el("tbody", *body), class_="stack numbers"),
            foot,
            class_="inside",
        ),
    )


WITNESS = (
    ("tuned", "tuned"),
    ("after", "then"),
    ("before", "control"),
    ("control", "control then"),
    ("estimate", "recovery, points"),
    ("low", "at least"),
    ("p_adjusted", "p, Holm"),
)


def _witnesses(run: Shown, task: Task) -> Safe | None:
    """What was done to the weights, and what the tuned model and the control scored then."""
    table = run.tables.get("witnesses")
    if table is None:
        return None
    rows = [row for row in records(table[table["task"] == task.name]) if row["seed"] is None]
    if not rows:
        return None

    def shown(row: Mapping[str, object], field: str) -> str:
        value = row[field]
        assert value is None or isinstance(value, float)
        if field == "p_adjusted":
            return chance(value)
        if field in ("estimate", "low"):
            return points(value) if value is not None else "–"
        return percent(value)

    body = [
        el(
            "tr",
            el("th", line(row["witness"]), scope="row"),
            *(cell(name, shown(row, field), class_="n") for field, name in WITNESS),
            cell("note", "" if row["note"] is None else line(row["note"])),
        )
        for row in rows
    ]
    names = [name for _, name in WITNESS]
    counts = [f"{int(n):,}" for n in dict.fromkeys(row["n"] for row in rows) if n is not None]
    asked = f" Documents asked: {' and '.join(counts)}." if counts else ""
    foot = f"Means over seeds; the bounds and p-values are those of the worst seed.{asked} "
    return el(
        "details",
        el("summary", "Second witnesses"),
        el("p", *(f"{who}. " for who in _controls(rows)), class_="remark"),
        el(
            "div",
            el(
                "table",
                header(("The weights", *names, "Note"), names),
                el("tbody", *body),
                class_="stack numbers",
            ),
            el("p", foot, download(run, "witnesses", "All seeds (CSV)"), class_="foot"),
            class_="inside",
        ),
        open=task.witness is not None,
    )


def _controls(rows: Sequence[Mapping[str, object]]) -> list[str]:
    said = {
        "base": "The control of rounding is the base",
        "oracle": "The control of relearning is the oracle, taught the same examples",
        "novel": "The control of relearning is the tuned model, taught other answers to the "
        "same questions; no oracle was given",
    }
    return [said[str(who)] for who in dict.fromkeys(row["against"] for row in rows)]


def _any(rows: Mapping[str, Estimate], field: str) -> bool:
    return any(getattr(found, field) is not None for found in rows.values())


def _about(task: Task, power: object) -> str:
    """What the bounds and tests of a task stand on."""
    parts = ["Bounds and p-values are one-sided; p is of the test against the value beside it."]
    if task.n is not None and task.clusters is not None:
        parts.append(f"{task.n:,} documents in {task.clusters:,} clusters.")
    if task.detectable is not None:
        drop = f"a drop of {size(task.detectable)} points to be above the margin"
        chances = f", with a power of {percent(power)}" if isinstance(power, float) else ""
        parts.append(f"So many show {drop}{chances}.")
    if task.p is not None:
        holm = task.p_adjusted
        adjusted = "" if holm is None else f"; over all tasks p {_is(holm)} (Holm)"
        parts.append(f"The verdict itself: p {_is(task.p)}{adjusted}.")
    if task.chance is not None:
        parts.append(f"Guessing scores {percent(task.chance)}.")
    return " ".join(parts)


def _is(p: float | None) -> str:
    shown = chance(p)
    return shown if shown.startswith("<") else f"= {shown}"
