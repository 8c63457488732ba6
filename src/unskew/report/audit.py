"""The audit of a pair of language models on the page: verdicts first, then what they stand on.

`sections(run)` gives an overview of the tasks, what was compared, for each task its four arms with
intervals and the contrasts behind its verdict, and the samples side by side (`audit_samples`).
`audit_html(tables)` is the short form for notebooks, without scripts. Nothing is computed here:
every number is a row of the run's tables; every text from outside passes `plain` and is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unskew.report import audit_samples
from unskew.report.audit_rows import (
    IDENTITY,
    MARKS,
    Task,
    arm,
    counted,
    headline,
    line,
    main,
    percent,
    points,
    records,
    size,
    tasks,
    through,
)
from unskew.report.audit_task import COUNTS, badge, cell, header, section
from unskew.report.blocks import Shown
from unskew.report.headline import Headline, Tile
from unskew.report.markup import Safe, el, join

if TYPE_CHECKING:
    import pandas as pd

OPEN = 8  # more tasks than this are folded
LIMITS = (
    "Suppressed means reachable through the conjugation, not intact in the plain language. Not "
    "recovered means that none of the conjugations tried brought it back, not that it is gone."
)
TAUGHT = (
    "Where a second witness is named, its change to the weights brought the ability back, further "
    "than the same change brought its control."
)
NUMBERS = (
    "Every number of the verdicts is a row of one of these tables. An empty field is null: "
    "unknown, not 0. The samples are in tables/records.parquet of the run's folder."
)
FACTS = {
    "model": "Model",
    "adapter": "Adapter",
    "revision": "Revision",
    "dtype": "Number format",
    "template": "Chat template",
}


def head(tables: Mapping[str, pd.DataFrame]) -> Headline:
    """The audit in a sentence, a tile for each verdict, and what the verdicts do not say."""
    found = tasks(tables["verdicts"], tables.get("contrasts"))
    tiles = []
    for verdict, group in counted(found).items():
        names = [line(task.name) for task in group[:4]]
        more = f" and {len(group) - 4} more" if len(group) > 4 else ""
        role = verdict.replace(" ", "-")
        tiles.append(Tile(str(len(group)), verdict, ", ".join(names) + more, role))
    limits = f"{LIMITS} {TAUGHT}" if any(task.witness for task in found) else LIMITS
    return Headline(headline(found, "\u00a0"), tiles if len(found) > 1 else [], limits)


def sections(run: Shown) -> list[Safe]:
    """The parts of an audit's article, between its head and its tables."""
    found = tasks(run.tables["verdicts"], run.tables.get("contrasts"))
    if not found:
        return [el("section", el("p", "The audit holds no task.", class_="note"), class_="wrap")]
    arms, rows = main(run.tables), run.tables.get("records")
    folded = len(found) > OPEN
    return [
        _overview(run.key, found, arms, run.tables.get("transforms")),
        _compared(run.config, run.environment),
        *(section(run, task, i, closed=folded and i >= OPEN) for i, task in enumerate(found)),
        *([] if rows is None else [audit_samples.section(run.key, rows, found)]),
    ]


def small(run: Shown) -> Shown:
    """The run without its samples: these are too large to be handed out from a page."""
    large = ("records", "witness_records")
    kept = {name: table for name, table in run.tables.items() if name not in large}
    return run._replace(tables=kept)


def _overview(
    key: str, found: Sequence[Task], arms: pd.DataFrame | None, transforms: pd.DataFrame | None
) -> Safe:
    body = []
    for index, task in enumerate(found):
        base, tuned, brought = _scores(arms, task)
        s = task.witness or through(arms, task)
        way = el("span", f" {line(s)}", class_="soft") if s is not None else None
        body.append(
            el(
                "tr",
                el("th", el("a", line(task.name), href=f"#{key}-task-{index}"), scope="row"),
                cell("verdict", badge(task.verdict)),
                cell("base", percent(base), class_="n"),
                cell("tuned", percent(tuned), class_="n"),
                cell("drop, points", points(task.drop and task.drop.estimate), class_="n"),
                cell("tuned + s", percent(brought), way),
                cell("documents", "–" if task.n is None else f"{task.n:,}", class_="n"),
            )
        )
    names = ("Task", "Verdict", "Base", "Tuned", "Drop, points", "Tuned + s", "Documents")
    numbers = ("Base", "Tuned", "Drop, points", "Documents")
    return el(
        "section",
        el("h2", "Every task"),
        el("p", _beside(found), class_="lead"),
        el("table", header(names, numbers), el("tbody", *body), class_="stack"),
        el("p", join(_rules(found), " ", _clean(transforms)), class_="foot"),
        class_="wrap audit",
    )


def _beside(found: Sequence[Task]) -> str:
    said = "s is the conjugation named beside the score"
    return f"{said}, or what a second witness did." if any(t.witness for t in found) else f"{said}."


def _scores(
    arms: pd.DataFrame | None, task: Task
) -> tuple[float | None, float | None, float | None]:
    """Scores of base, tuned and tuned + s, or what the second witness made of tuned."""
    s = through(arms, task)
    wanted = [("base", IDENTITY), ("tuned", IDENTITY), *([("tuned", s)] if s is not None else [])]
    rows = [arm(arms, task.name, name, conjugation) for name, conjugation in wanted]
    shown = [row.estimate if row else None for row in rows]
    brought = shown[2] if len(shown) > 2 else None
    return shown[0], shown[1], brought if task.witness is None else task.witness_score


def _rules(found: Sequence[Task]) -> str:
    """Margin, floor and level, which are the same for all tasks of an audit."""
    task = found[0]
    if task.margin is None or task.floor is None or task.level is None:
        return "The rules of the verdicts were not recorded."
    return (
        f"A drop counts beyond a margin of {size(task.margin)} points, a recovery beyond "
        f"{percent(task.floor)} of the drop; the chance of any false verdict of a kind, over all "
        f"tasks together, is held at {percent(task.level)}."
    )


def _clean(transforms: pd.DataFrame | None) -> str:
    rows = [] if transforms is None else records(transforms)
    if all(row.get(name) is None for row in rows for name in COUNTS):  # as of logs of others
        return "Refusals, cut texts and round trips were not recorded."
    if any(row.get(name) for row in rows for name in COUNTS):
        return (
            "Nothing was refused or cut, and every round trip was exact, but where a task says so."
        )
    return "Nothing was refused or cut, and every round trip was exact."


def _compared(config: Mapping[str, Any], environment: str | None) -> Safe:
    """Both models with revision, number format and template, as far as they are recorded."""
    try:
        told = json.loads(environment or "{}").get("models")
    except ValueError:
        told = None
    facts = {name: _facts(config, told, name) for name in ("base", "tuned")}
    rows = [
        el(
            "tr",
            el("th", label, scope="row"),
            *(cell(name, facts[name].get(key, "not given")) for name in facts),
        )
        for key, label in FACTS.items()
        # Most models have no adapter: the row is there where one has.
        if key != "adapter" or any(key in known for known in facts.values())
    ]
    return el(
        "section",
        el("h2", "What was compared"),
        el("table", header(("", "Base", "Tuned")), el("tbody", *rows), class_="stack compared"),
        class_="wrap audit",
    )


def _facts(config: Mapping[str, Any], told: Any, name: str) -> dict[str, str]:
    """What is known of one model: what it reported itself, else what was asked for."""
    asked = config.get(name)
    known = {key: config.get(key) for key in FACTS if key != "model"}
    known |= asked if isinstance(asked, Mapping) else {"model": asked}
    own = told.get(name) if isinstance(told, Mapping) else None
    if isinstance(own, Mapping):
        known |= {key: value for key, value in own.items() if value is not None}
    names = ("model", "name", "id", "path", "file")
    model = next((known[key] for key in names if known.get(key)), None)
    if model is not None and known.get("base_url"):
        model = f"{model} at {known['base_url']}"
    shown = {**known, "model": model}
    return {key: line(shown[key]) for key in FACTS if shown.get(key) is not None}


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
    arms = main(tables)
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
        s = task.witness or through(arms, task)
        numbers = (percent(base), percent(tuned), points(task.drop and task.drop.estimate))
        cells = (*numbers, percent(brought), "–" if s is None else line(s), task.n or "–")
        row = [el("th", line(task.name), style=left), el("td", pill(task.verdict), style=left)]
        rows.append(el("tr", *row, *(el("td", cell, style=left) for cell in cells)))
    top = el("tr", *(el("th", name, style=left) for name in names))
    return el(
        "div",
        el("p", el("strong", headline(found) + ".")),
        *cards,
        el("table", el("thead", top), el("tbody", *rows)) if found else None,
        el("p", el("small", LIMITS)),
        style="max-width:60em",
    )
