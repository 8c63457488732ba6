"""The samples of an audit side by side: base, tuned, base + s, tuned + s for each document.

One sample is a document under one conjugation. Its kind is read off three scores, where *right* is
a score of at least one half: `suppressed` (base right, tuned wrong, tuned + s right), `lost` (base
right, tuned wrong, and tuned + s wrong or without a score), `gained` (base wrong, tuned right),
`same`, and `no score` where base or tuned has none. The page holds them as one compressed JSON that
its script opens when a reader comes near, and builds a page of cards at a time. Every text in it is
`plain` and of bounded length; what is left out is counted and said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.report.audit_rows import IDENTITY, Task, line, plain
from unskew.report.markup import Safe, el, embed_text

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("suppressed", "lost", "gained", "same", "no score")
PER_TASK, IN_ALL = 1_000, 8_000  # samples on the page
LONGEST = 4_000  # characters of one text
COLUMNS = ("task", "doc_id", "arm", "conjugation", "role", "score", "target", "prompt", "raw")
COLUMNS += ("answer", "exact", "refused", "why", "truncated")


class Cell(NamedTuple):
    """One row of `records`, as much of it as is shown. None where the table says null."""

    task: str
    doc_id: int
    arm: str
    conjugation: str
    role: str
    score: float | None
    target: str | None
    prompt: str | None
    raw: str | None
    answer: str | None
    exact: bool | None
    refused: bool | None
    why: str | None
    truncated: str | None


Arms = dict[tuple[str, str], Cell]  # (arm, conjugation) -> what was asked and answered


class Sample(NamedTuple):
    """A document under a conjugation (None: the audit had none): its kind and its four arms."""

    task: int
    document: int
    conjugation: str | None
    kind: str
    cells: tuple[Cell | None, Cell | None, Cell | None, Cell | None]


class Samples(NamedTuple):
    """What the page shows. left_out: how many samples did not fit, by kind."""

    rows: list[Sample]
    conjugations: dict[str, str]
    chosen: list[str | None]
    cap: int
    left_out: Counter[str]


def samples(records: pd.DataFrame, tasks: Sequence[Task], per_task: int | None = None) -> Samples:
    """The samples of `records` in reading order, at most `per_task` of a task.

    Order and what is kept: by kind (suppressed, lost, gained, same), then those of the chosen
    conjugation, then by document. Without `per_task` it is PER_TASK, or less so that all tasks
    together stay within IN_ALL.
    """
    cap = per_task or max(1, min(PER_TASK, IN_ALL // max(1, len(tasks))))
    documents: dict[str, dict[int, Arms]] = {task.name: {} for task in tasks}
    roles: dict[str, str] = {}
    for cell in _cells(records):
        if cell.task not in documents:  # an unfinished audit may hold tasks without a verdict
            continue
        arms = documents[cell.task].setdefault(cell.doc_id, {})
        arms[cell.arm, cell.conjugation] = cell
        if cell.conjugation != IDENTITY:
            roles.setdefault(cell.conjugation, cell.role)
    roles = dict(sorted(roles.items(), key=lambda pair: pair[1] == "control"))
    first = next((name for name, role in roles.items() if role != "control"), None)
    chosen = [task.conjugation or first for task in tasks]
    order = {name: place for place, name in enumerate(roles)}
    rows: list[Sample] = []
    left_out: Counter[str] = Counter()
    for index, task in enumerate(tasks):
        found = [
            _sample(index, document, cells, name)
            for document, cells in documents[task.name].items()
            for name in _through(cells)
        ]
        found.sort(
            key=lambda s: (
                KINDS.index(s.kind),
                s.conjugation != chosen[s.task],
                order.get(s.conjugation or "", -1),
                s.document,
            )
        )
        rows += found[:cap]
        left_out.update(sample.kind for sample in found[cap:])
    return Samples(rows, roles, chosen, cap, left_out)


def section(key: str, records: pd.DataFrame, tasks: Sequence[Task]) -> Safe:
    """The samples with their filters; `key` is the run's on the page."""
    shown = samples(records, tasks)
    id = f"{key}-samples"
    packed = json.dumps(pack(shown, tasks), ensure_ascii=False, separators=(",", ":"))

    def choice(name: str, label: str) -> Safe:
        field = f"{id}-{name}"
        return el(
            "div",
            el("label", label, for_=field),
            el("select", id=field, data_filter=name, disabled=True),
        )

    search = el(
        "div",
        el("label", "Find in prompts and answers", for_=f"{id}-text"),
        el(
            "input",
            type="search",
            id=f"{id}-text",
            data_filter="text",
            disabled=True,
            autocomplete="off",
        ),
    )
    return el(
        "section",
        el("h2", "Samples, side by side"),
        el(
            "p",
            "One card for each document and conjugation. Suppressed: the base model is right, the "
            "tuned one wrong, and right again through the conjugation; one such answer can be luck,"
            " the verdict is about all of them. Right means a score of at least one half.",
            class_="lead",
        ),
        el(
            "div",
            choice("task", "Task"),
            choice("kind", "Kind"),
            choice("conjugation", "Conjugation (s)"),
            search,
            class_="filters",
            role="group",
            aria_label="Which samples are shown",
        ),
        el("p", role="status", aria_live="polite", class_="count", id=f"{id}-count"),
        el("div", class_="cards", id=f"{id}-cards"),
        el(
            "nav",
            el("button", "Previous", type="button", class_="download", data_step=-1, disabled=True),
            el("button", "Next", type="button", class_="download", data_step=1, disabled=True),
            class_="pager",
            aria_label="Pages of samples",
        ),
        el("p", said(shown), class_="foot"),
        el("script", embed_text(packed), type="text/plain", id=f"{id}-data"),
        class_="wrap samples",
        id=id,
        data_samples=True,
    )


def said(shown: Samples) -> str:
    """What of the samples is not on the page, and where it is."""
    whole = "The whole of every record is in tables/records.parquet of the run's folder."
    text = f"Texts beyond {LONGEST:,} characters are cut here, and say so. {whole}"
    count = sum(shown.left_out.values())
    if not count:
        return f"All {len(shown.rows):,} samples are here. {text}"
    kinds = ", ".join(f"{shown.left_out[kind]:,} {kind}" for kind in KINDS if shown.left_out[kind])
    return (
        f"The page holds at most {shown.cap:,} samples of a task, the suppressed ones first; "
        f"{count:,} are left out for size ({kinds}). {text}"
    )


def pack(shown: Samples, tasks: Sequence[Task]) -> dict[str, Any]:
    """The samples as JSON for the page's script; each text once, referred to by its place.

    rows: [task, document, target, kind, conjugation, [cell x 4]], where a cell is null or
    [prompt, raw, answer, score, [note, ...]]. null stands for what is not known.
    """
    places: dict[str, int] = {}
    known: dict[str, int] = {}  # a prompt is in many samples, and is shortened once

    def place(value: str | None) -> int | None:
        if value is None:
            return None
        if value not in known:
            known[value] = places.setdefault(_short(value), len(places))
        return known[value]

    def cell(found: Cell | None) -> list[Any] | None:
        if found is None:
            return None
        notes = [place(note) for note in _notes(found)]
        texts = [place(found.prompt), place(found.raw), place(found.answer)]
        return [*texts, found.score, notes]

    names = list(shown.conjugations)
    rows = []
    for sample in shown.rows:
        target = next((c.target for c in sample.cells if c and c.target is not None), None)
        s = None if sample.conjugation is None else names.index(sample.conjugation)
        cells = [cell(found) for found in sample.cells]
        kind = KINDS.index(sample.kind)
        rows.append([sample.task, sample.document, place(target), kind, s, cells])
    return {
        "tasks": [line(task.name) for task in tasks],
        "kinds": KINDS,
        "conjugations": [line(name) for name in names],
        "controls": [shown.conjugations[name] == "control" for name in names],
        "chosen": [names.index(name) if name in names else None for name in shown.chosen],
        "rows": rows,
        "texts": list(places),
    }


def _cells(records: pd.DataFrame) -> list[Cell]:
    columns = []
    for name in COLUMNS:
        column = records[name]
        known = column.notna()
        columns.append(
            [v if k else None for v, k in zip(column.tolist(), known.tolist(), strict=True)]
        )
    return [Cell(*row) for row in zip(*columns, strict=True)]


def _through(cells: Arms) -> list[str | None]:
    """The conjugations of a document; [None] where it was asked in the plain language only."""
    names: list[str | None] = [name for _, name in cells if name != IDENTITY]
    return list(dict.fromkeys(names)) or [None]


def _sample(task: int, document: int, cells: Arms, conjugation: str | None) -> Sample:
    base, tuned = cells.get(("base", IDENTITY)), cells.get(("tuned", IDENTITY))
    base_s = tuned_s = None
    if conjugation is not None:
        base_s, tuned_s = cells.get(("base", conjugation)), cells.get(("tuned", conjugation))
    kind = _kind(base, tuned, tuned_s)
    return Sample(task, document, conjugation, kind, (base, tuned, base_s, tuned_s))


def _kind(base: Cell | None, tuned: Cell | None, through: Cell | None) -> str:
    if base is None or tuned is None or base.score is None or tuned.score is None:
        return "no score"
    match base.score >= 0.5, tuned.score >= 0.5:
        case True, False:
            back = through is not None and through.score is not None and through.score >= 0.5
            return "suppressed" if back else "lost"
        case False, True:
            return "gained"
        case _:
            return "same"


def _notes(cell: Cell) -> list[str]:
    notes = []
    if cell.refused:
        notes.append(f"not asked: {cell.why}" if cell.why else "not asked")
    elif cell.why:
        notes.append(cell.why)
    if cell.truncated in ("prompt", "both"):
        notes.append("the prompt was cut")
    if cell.truncated in ("answer", "both"):
        notes.append("the answer was cut by its token budget")
    if cell.exact is False and not cell.refused:
        notes.append("the round trip of the prompt is not exact")
    return notes


def _short(value: str) -> str:
    rest = len(value) - LONGEST
    return plain(value) if rest <= 0 else f"{plain(value[:LONGEST])} … ({rest:,} characters more)"
