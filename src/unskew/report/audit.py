"""The audit of a pair of language models on the page: verdicts first, then what they stand on.

`sections(run)` gives an overview of the tasks, what was compared, for each task its four arms with
intervals and the contrasts behind its verdict, and the samples side by side (`audit_samples`).
`audit_html(tables)` is the short form for notebooks, without scripts. Nothing is computed here:
every number is a row of the run's tables, and every text from outside passes `plain` and is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unskew.report import audit_samples
from unskew.report.audit_rows import (
    IDENTITY,
    MARKS,
    Estimate,
    Task,
    arm,
    chance,
    contrast,
    counted,
    headline,
    line,
    percent,
    points,
    records,
    tasks,
    through,
)
from unskew.report.blocks import Shown, download, figure, spec_of
from unskew.report.headline import Headline, Tile
from unskew.report.markup import Safe, el, join

if TYPE_CHECKING:
    import pandas as pd

OPEN = 8  # more tasks than this are folded
LIMITS = (
    "Suppressed means reachable through the conjugation, not intact in the plain language. Not "
    "recovered means that none of the conjugations tried brought it back, not that it is gone."
)
CONTRASTS = {
    "drop": "drop: base − tuned",
    "able": "base + s above chance",
    "gain": "gain: (tuned + s) − tuned",
    "help": "help: (base + s) − base",
    "recovery": "recovery beyond the floor and the help",
}
COUNTS = {
    "refused": "prompts refused",
    "inexact": "round trips not exact",
    "unanswerable": "answers without an inverse",
    "truncated_prompt": "prompts cut",
    "truncated_answer": "answers cut",
}
NUMBERS = (
    "Every number of the verdicts is a row of one of these tables. An empty field is null: "
    "unknown, not 0. The samples are in tables/records.parquet of the run's folder."
)
FACTS = {"revision": "Revision", "dtype": "Number format", "template": "Chat template"}


def head(tables: Mapping[str, pd.DataFrame]) -> Headline:
    """The audit in a sentence, a tile for each verdict, and what the verdicts do not say."""
    found = tasks(tables["verdicts"], tables.get("contrasts"))
    tiles = []
    for verdict, group in counted(found).items():
        names = [line(task.name) for task in group[:4]]
        more = f" and {len(group) - 4} more" if len(group) > 4 else ""
        role = verdict.replace(" ", "-")
        tiles.append(Tile(str(len(group)), verdict, ", ".join(names) + more, role))
    return Headline(headline(found), tiles if len(found) > 1 else [], LIMITS)


def sections(run: Shown) -> list[Safe]:
    """The parts of an audit's article, between its head and its tables."""
    found = tasks(run.tables["verdicts"], run.tables.get("contrasts"))
    if not found:
        return [el("section", el("p", "The audit holds no task.", class_="note"), class_="wrap")]
    arms, rows = run.tables.get("arms"), run.tables.get("records")
    folded = len(found) > OPEN
    return [
        _overview(run.key, found, arms, run.tables.get("transforms")),
        _compared(run.config, run.environment),
        *(_task(run, task, i, closed=folded and i >= OPEN) for i, task in enumerate(found)),
        *([] if rows is None else [audit_samples.section(run.key, rows, found)]),
    ]


def small(run: Shown) -> Shown:
    """The run without its samples: these are too large to be handed out from a page."""
    kept = {name: table for name, table in run.tables.items() if name != "records"}
    return run._replace(tables=kept)


def badge(verdict: str) -> Safe:
    mark = el("span", MARKS.get(verdict, "–"), aria_hidden="true")
    shown = verdict.replace(" ", "-") if verdict in MARKS else ""
    return el("span", mark, " ", line(verdict), class_=f"badge {shown}".strip())


def _cell(label: str, *children: object, **attributes: object) -> Safe:
    """A table cell that carries its column's name, for narrow screens."""
    return el("td", *children, data_label=label, **attributes)


def _header(*names: str) -> Safe:
    return el("thead", el("tr", *(el("th", name, scope="col") for name in names)))


def _overview(
    key: str, found: Sequence[Task], arms: pd.DataFrame | None, transforms: pd.DataFrame | None
) -> Safe:
    body = []
    for index, task in enumerate(found):
        base, tuned, brought = _scores(arms, task)
        s = through(arms, task)
        way = el("span", f" {line(s)}", class_="soft") if s is not None else None
        body.append(
            el(
                "tr",
                el("th", el("a", line(task.name), href=f"#{key}-task-{index}"), scope="row"),
                _cell("verdict", badge(task.verdict)),
                _cell("base", percent(base), class_="n"),
                _cell("tuned", percent(tuned), class_="n"),
                _cell("drop, points", points(task.drop and task.drop.estimate), class_="n"),
                _cell("tuned + s", percent(brought), way),
                _cell("documents", "–" if task.n is None else f"{task.n:,}", class_="n"),
            )
        )
    names = ("Task", "Verdict", "Base", "Tuned", "Drop, points", "Tuned + s", "Documents")
    return el(
        "section",
        el("h2", "Every task"),
        el("p", "s is the conjugation named beside the score.", class_="lead"),
        el("table", _header(*names), el("tbody", *body), class_="stack"),
        el("p", join(_rules(found), " ", _clean(transforms)), class_="foot"),
        class_="wrap audit",
    )


def _scores(
    arms: pd.DataFrame | None, task: Task
) -> tuple[float | None, float | None, float | None]:
    """Scores of base, tuned and tuned + s."""
    s = through(arms, task)
    wanted = [("base", IDENTITY), ("tuned", IDENTITY), *([("tuned", s)] if s is not None else [])]
    rows = [arm(arms, task.name, name, conjugation) for name, conjugation in wanted]
    shown = [row.estimate if row else None for row in rows]
    return shown[0], shown[1], shown[2] if len(shown) > 2 else None


def _rules(found: Sequence[Task]) -> str:
    """Margin, floor and level, which are the same for all tasks of an audit."""
    task = found[0]
    if task.margin is None or task.floor is None or task.level is None:
        return "The rules of the verdicts were not recorded."
    return (
        f"A drop counts beyond a margin of {points(task.margin)} points, a recovery beyond "
        f"{percent(task.floor)} of the drop; of all verdicts of an audit, the chance that any is "
        f"false is held at {percent(task.level)}."
    )


def _clean(transforms: pd.DataFrame | None) -> str:
    if transforms is None:
        return "Refusals, cut texts and round trips were not recorded."
    odd = any(row.get(name) for row in records(transforms) for name in COUNTS)
    if odd:
        return (
            "Nothing was refused or cut, and every round trip was exact, but where a task says so."
        )
    return "Nothing was refused or cut, and every round trip was exact."


def _compared(config: Mapping[str, Any], environment: str | None) -> Safe:
    """Both references with revision, number format and template, as far as they are recorded."""
    try:
        recorded = json.loads(environment or "{}").get("models") or {}
    except ValueError:
        recorded = {}
    facts = {name: _facts(config, recorded, name) for name in ("base", "tuned")}
    rows = [
        el(
            "tr",
            el("th", label, scope="row"),
            *(_cell(name, facts[name].get(key, "not recorded")) for name in facts),
        )
        for key, label in {"model": "Model", **FACTS}.items()
    ]
    return el(
        "section",
        el("h2", "What was compared"),
        el("table", _header("", "Base", "Tuned"), el("tbody", *rows), class_="stack compared"),
        class_="wrap audit",
    )


def _facts(config: Mapping[str, Any], recorded: Any, name: str) -> dict[str, str]:
    """What is known of one model: what it reported itself, else what was asked for."""
    asked = config.get(name)
    asked = asked if isinstance(asked, Mapping) else {"model": asked}
    told = recorded.get(name) if isinstance(recorded, Mapping) else None
    merged = {**{key: config.get(key) for key in FACTS}, **asked}
    merged |= {k: v for k, v in (told or {}).items() if v is not None}
    model = next(
        (merged[k] for k in ("model", "name", "id", "path", "file") if merged.get(k)), None
    )
    if model is not None and merged.get("base_url"):
        model = f"{model} at {merged['base_url']}"
    known = {"model": model} | {key: merged.get(key) for key in FACTS}
    return {key: line(value) for key, value in known.items() if value is not None}


def _task(run: Shown, task: Task, index: int, closed: bool) -> Safe:
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
            _agreement(run, task),
            _oddities(run.tables.get("transforms"), task),
            _evidence(run, task),
            open=not closed,
            class_="task",
        ),
        class_="wrap audit",
        id=id,
    )


def _figure(run: Shown, task: Task, id: str) -> Safe | None:
    from unskew.report.audit_charts import four_arms

    arms = run.tables.get("arms")
    if arms is None:
        return el("p", "The scores of the arms were not recorded.", class_="note")
    try:
        spec = spec_of(lambda: four_arms(arms, task))
    except ValueError:
        return el("p", "The table of arms holds no row of this task.", class_="note")
    return figure(id, spec, line(task.name))


def _agreement(run: Shown, task: Task) -> Safe | None:
    """How often tuned + s answers as base and as base + s do."""
    table, names = run.tables.get("contrasts"), ["chosen", through(run.tables.get("arms"), task)]
    said = {"as-base": "as the base model does", "as-base-s": "as the base model through s does"}
    parts = []
    for name, text in said.items():
        found = contrast(table, task.name, name, names)
        if found is not None and found.estimate is not None:
            parts.append(f"in {percent(found.estimate)} of the documents {text} ({_bounds(found)})")
    if not parts:
        return None
    return el("p", f"Through s the tuned model answers {', and '.join(parts)}.", class_="remark")


def _bounds(found: Estimate) -> str:
    return f"at least {percent(found.low)}, at most {percent(found.high)}"


def _oddities(transforms: pd.DataFrame | None, task: Task) -> Safe | None:
    """What was refused, cut or not exact, by conjugation; nothing where all of it is zero."""
    if transforms is None:
        return None
    items = []
    for row in records(transforms[transforms["task"] == task.name]):
        counts = [f"{int(row[k]):,} {what}" for k, what in COUNTS.items() if row.get(k)]
        if not counts:
            continue
        said = ", ".join(counts)
        if row.get("inexact") and row.get("chrf") is not None:
            said += f" (chrF of the round trip {row['chrf']:.1f} of 100)"
        asked = "" if row.get("n") is None else f" Asked: {int(row['n']):,}."
        items.append(el("li", el("strong", line(row["conjugation"])), f": {said}.{asked}"))
    return el("ul", *items, class_="absent") if items else None


def _evidence(run: Shown, task: Task) -> Safe | None:
    table = run.tables.get("contrasts")
    s = through(run.tables.get("arms"), task)
    rows = []
    for name, label in CONTRASTS.items():
        wanted = [IDENTITY, None, "chosen", s] if name == "drop" else ["chosen", s]
        found = contrast(table, task.name, name, wanted)
        if found is None:
            continue
        shown = (points(found.estimate), points(found.low), points(found.high))
        rows.append(
            el(
                "tr",
                el("th", label, scope="row"),
                *(
                    _cell(column, value, class_="n")
                    for column, value in zip(
                        ("points", "at least", "at most", "p", "p, Holm"),
                        (*shown, chance(found.p), chance(found.p_adjusted)),
                        strict=True,
                    )
                ),
            )
        )
    if not rows:
        return None
    about = "The bounds are one-sided, each with 95% confidence, and stand on whole clusters."
    if task.n is not None and task.clusters is not None:
        about += f" {task.n:,} documents in {task.clusters:,} clusters."
    if task.detectable is not None:
        about += f" So many detect a drop of {points(task.detectable)} points with a power of 80%."
    if task.p is not None:
        about += f" The verdict: p {_is(task.p)}, over all tasks {_is(task.p_adjusted)} (Holm)."
    if task.chance is not None:
        about += f" Chance is {percent(task.chance)}."
    return el(
        "details",
        el("summary", "The contrasts behind it"),
        el(
            "div",
            el(
                "table",
                _header("Contrast", "Points", "At least", "At most", "p", "p, Holm"),
                el("tbody", *rows),
                class_="stack",
            ),
            el("p", about, " ", download(run, "contrasts", "All contrasts (CSV)"), class_="foot"),
            class_="inside",
        ),
    )


def _is(p: float | None) -> str:
    shown = chance(p)
    return shown if shown.startswith("<") else f"= {shown}"


# For notebooks ------------------------------------------------------------------------------------

INK = {
    "retained": ("#e2f3ec", "#07603f"),
    "suppressed": ("#e3ecf8", "#1b4f88"),
    "not recovered": ("#fbe7e0", "#96350a"),
    "inconclusive": ("#f3eedb", "#6d5408"),
}


def audit_html(tables: Mapping[str, pd.DataFrame]) -> str:
    """The verdicts as an HTML fragment without scripts: a card for each, and a table.

    tables: those of the interfaces of an audit; `verdicts` must be among them. Colours are written
    into the elements, each with its own ground, so that it reads on a light or dark notebook.
    """
    arms = tables.get("arms")
    found = tasks(tables["verdicts"], tables.get("contrasts"))

    def pill(verdict: str) -> Safe:
        ground, ink = INK.get(verdict, ("#eceef1", "#505866"))
        style = f"background:{ground};color:{ink};border-radius:99px;padding:.1em .6em;"
        return el(
            "span",
            f"{MARKS.get(verdict, '–')} {line(verdict)}",
            style=style + "font-weight:600;white-space:nowrap",
        )

    cards = [
        el(
            "div",
            el("p", el("strong", line(task.name)), " ", pill(task.verdict), style="margin:0"),
            *(
                el("p", line(said), style="margin:.3em 0 0")
                for said in (task.words, task.why)
                if said
            ),
            style="border:1px solid #8886;border-radius:8px;padding:.6em .9em;margin:.5em 0",
        )
        for task in found
    ]
    names = ("Task", "Verdict", "Base", "Tuned", "Drop, points", "Tuned + s", "s", "Documents")
    left = "text-align:left;padding:.2em .8em .2em 0;vertical-align:top;overflow-wrap:anywhere"
    rows = []
    for task in found:
        base, tuned, brought = _scores(arms, task)
        s = through(arms, task)
        numbers = (percent(base), percent(tuned), points(task.drop and task.drop.estimate))
        cells = (*numbers, percent(brought), "–" if s is None else line(s), task.n or "–")
        row = [el("th", line(task.name), style=left), el("td", pill(task.verdict), style=left)]
        rows.append(el("tr", *row, *(el("td", cell, style=left) for cell in cells)))
    header = el("tr", *(el("th", name, style=left) for name in names))
    return el(
        "div",
        el("p", el("strong", headline(found) + ".")),
        *cards,
        el("table", el("thead", header), el("tbody", *rows)) if found else None,
        el("p", el("small", LIMITS)),
        style="max-width:60em",
    )
