"""Removed or suppressed, on a terminal and on the page: positions, curves, the verdict's sentence.

`removal_table` is for 80 columns; `head` and `sections` are a run's part of the page. Nothing is
computed here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unskew.report.audit_rows import line, plain

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from unskew.report.blocks import Shown
    from unskew.report.headline import Headline
    from unskew.report.markup import Safe

__all__ = ["NUMBERS", "head", "removal_table", "sections"]

LIMIT = (
    "Removed speaks of these probes and this margin; "
    "suppressed does not say that all of it is there."
)
NUMBERS = "Every number is a row of one of these tables. An empty field is null: unknown, not 0."
AXIS = "position: 0 the oracle, 1 the original"
WITHOUT = "position: 0 the probe's control, 1 the original"


def removal_table(verdicts: pd.DataFrame, positions: pd.DataFrame, width: int = 80) -> str:
    """The verdict in words, then a line per probe: position, bounds, the three models' scores."""
    row = verdicts.iloc[0]
    said = f"{line(row['unlearned'])}: {line(row['verdict'])}. {_sentence(row['reason'])}"
    zero = "oracle" if _text(row["oracle"]) else "control"
    names = [line(name) for name in dict.fromkeys(positions["probe"])]
    wide = min(max([len(name) for name in names] + [len("probe")]), 28) + 2
    lines = [*textwrap.wrap(said, width), ""]
    lines.append(
        f"{'probe':{wide}}{'position':>9}{'bounds':>14}{'model':>8}{'original':>10}{zero:>9}"
    )
    for name in dict.fromkeys(positions["probe"]):
        found = _pooled(positions, name)
        share = [_percent(found[column]) for column in ("model", "original", "reference")]
        bounds = (
            f"{_number(found['low'])}..{_number(found['high'])}" if _there(found["low"]) else "–"
        )
        lines.append(
            f"{line(name)[: wide - 2]:{wide}}{_number(found['estimate']):>9}{bounds:>14}"
            f"{share[0]:>8}{share[1]:>10}{share[2]:>9}"
        )
        if note := _text(found["note"]):
            lines += textwrap.wrap(line(note), width, initial_indent="  ", subsequent_indent="  ")
    lines += ["", *textwrap.wrap(LIMIT, width)]
    return "\n".join(lines)


def head(tables: Mapping[str, pd.DataFrame]) -> Headline:
    """The verdict as the headline of a page."""
    from unskew.report.headline import Headline, Tile

    row = tables["removal"].iloc[0]
    tiles = [Tile(line(row["verdict"]), "verdict", _detail(row), line(row["verdict"]))]
    if witness := _text(row["witness"]):
        found = _pooled(tables["positions"], witness)
        bounds = f"{_number(found['low'])} to {_number(found['high'])}"
        tiles.append(Tile(_number(found["estimate"]), line(witness), bounds, "suppressed"))
    return Headline(f"{line(row['unlearned'])}: {line(row['verdict'])}", tiles, LIMIT)


def sections(run: Shown) -> list[Safe]:
    """The parts of a removal's article, between its head and its tables."""
    from unskew.report.blocks import charted, spec_of

    verdicts, positions = run.tables["removal"], run.tables["positions"]
    row = verdicts.iloc[0]
    parts = [
        charted(
            run,
            "positions",
            "Where it stands, probe by probe",
            f"{_sentence(row['reason'])} Bars are simultaneous bounds, each one-sided at "
            f"{_percent(row['level'] / row['probes'], 1)}; a small dot is one seed.",
            spec_of(lambda: positions_chart(positions, row)),
        )
    ]
    curves = run.tables.get("curves")
    if curves is not None and len(curves):
        parts.append(
            charted(
                run,
                "curves",
                "Relearning by step, answers by layer",
                "Right answers to held-out documents after so many steps of fine-tuning, and what "
                "a linear probe reads off each layer. Bands are 95% intervals over documents.",
                spec_of(lambda: curves_chart(curves)),
            )
        )
    return parts


def positions_chart(table: pd.DataFrame, row: pd.Series) -> alt.ConcatChart:
    """A dot and its bounds per probe; ValueError where no probe has a position."""
    from unskew.report.panels import beside, dots, label, labelled
    from unskew.report.theme import OBSERVER, TUNED

    known = table[table["estimate"].notna()]
    pooled = known[known["seed"].isna()]
    each = known[known["seed"].notna()]
    if pooled.empty:
        raise ValueError("the table has no rows to draw")
    names = pooled["probe"].map(lambda name: label(plain(name)))
    data = labelled(pooled, series="mean", item=names)
    if len(each):
        import pandas as pd

        more = labelled(
            each, series="one seed", item=each["probe"].map(lambda name: label(plain(name)))
        )
        data = pd.concat([data, more])
    margin = float(row["margin"])
    panel = dots(
        data,
        {"mean": TUNED, "one seed": OBSERVER},
        title="Position of each probe",
        subtitle=f"dotted: 0, the margin of {margin:.2f}, 1",
        x=AXIS if _text(row["oracle"]) else WITHOUT,
        marks=(0.0, margin, 1.0),
        order=list(names),
    )
    return beside([panel], columns=1)


def curves_chart(table: pd.DataFrame) -> alt.ConcatChart:
    """A panel per relearning and one for the layers, a curve per model."""
    import altair as alt

    from unskew.report.panels import beside, curves, label
    from unskew.report.theme import BACK, BASE, OBSERVER, REFERENCE, TUNED

    colours = {
        "original": BASE, "unlearned": TUNED, "oracle": OBSERVER, "unlearned, novel": REFERENCE,
        "unlearned, shuffled": BACK,
    }  # fmt: skip
    panels = []
    for name in dict.fromkeys(table["probe"]):
        rows = table[(table["probe"] == name) & table["model"].isin(list(colours))]
        layered = rows["layer"].notna().any()
        along = rows["layer"] if layered else rows["step"]
        rows = rows.assign(k=along, series=rows["model"], arm=rows["model"])
        scale = alt.Scale() if layered else alt.Scale(type="symlog", constant=1)
        axis = alt.Axis(format="d", grid=False)
        title = "layer" if layered else "steps of fine-tuning"
        panels.append(
            curves(
                rows,
                colours,
                title=label(plain(name)),
                y="right answers",
                x=alt.X("k:Q", title=title, scale=scale, axis=axis),
            )
        )
    return beside(panels, columns=2)


def _pooled(table: pd.DataFrame, probe: str) -> pd.Series:
    """The row of the mean over seeds."""
    found = table[(table["probe"] == probe) & table["seed"].isna()]
    return found.iloc[0]


def _detail(row: pd.Series) -> str:
    given = "an oracle" if _text(row["oracle"]) else "no oracle"
    return f"{row['probes']} probes, {row['documents']} documents, {given}"


def _sentence(text: object) -> str:
    said = line(text)
    return f"{said[:1].upper()}{said[1:]}."


def _there(value: Any) -> bool:
    return value is not None and value == value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> str:
    return f"{float(value):.2f}" if _there(value) else "–"


def _percent(value: Any, digits: int = 0) -> str:
    return f"{100 * float(value):.{digits}f}%" if _there(value) else "–"
