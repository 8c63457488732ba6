"""Removed or suppressed, on a terminal and on the page: positions, curves, the verdict's sentence.

`removal_table` is for 80 columns; `head` and `sections` are a run's part of the page; `standing`
reads where a probe stands. Nothing is computed here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from unskew.report.audit_rows import line, percent, plain, records
from unskew.report.rows import choose
from unskew.report.words import fixed

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from unskew.report.blocks import Shown
    from unskew.report.headline import Headline
    from unskew.report.markup import Safe

__all__ = ["NUMBERS", "Standing", "head", "number", "removal_table", "sections", "standing"]

LIMIT = (
    "Removed speaks of these probes and this margin; "
    "suppressed does not say that all of it is there."
)
NUMBERS = "Every number is a row of one of these tables. An empty field is null: unknown, not 0."
AXIS = "position: 0 the oracle, 1 the original"
WITHOUT = "position: 0 the probe's control, 1 the original"


class Standing(NamedTuple):
    """Where a probe stands: the position of the mean over its seeds, and bounds that hold at every
    seed; None where the table has none."""

    estimate: float | None
    low: float | None
    high: float | None


def standing(positions: pd.DataFrame, probe: str) -> Standing:
    """The position that a verdict is about: it asks every seed, so its bounds are the least and the
    greatest of all of them, and where one seed has none, there is none."""
    rows = records(choose(positions, probe=probe))
    lows, highs = ([row[name] for row in rows] for name in ("low", "high"))
    return Standing(
        next((row["estimate"] for row in rows if row["seed"] is None), None),
        None if None in lows else min(lows, default=None),
        None if None in highs else max(highs, default=None),
    )


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
        found, at = _pooled(positions, name), standing(positions, name)
        share = [percent(found[column]) for column in ("model", "original", "reference")]
        bounds = "–" if at.low is at.high is None else f"{number(at.low)}..{number(at.high)}"
        lines.append(
            f"{line(name)[: wide - 2]:{wide}}{number(at.estimate):>9}{bounds:>14}"
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
        at = standing(tables["positions"], witness)
        bounds = f"{number(at.low)} to {number(at.high)}"
        tiles.append(Tile(number(at.estimate), line(witness), bounds, "suppressed"))
    return Headline(f"{line(row['unlearned'])}: {line(row['verdict'])}", tiles, LIMIT)


def sections(run: Shown) -> list[Safe]:
    """The parts of a removal's article, between its head and its tables."""
    from unskew.report.blocks import charted, spec_of

    parts = [_positions(run)]
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


def _positions(run: Shown) -> Safe:
    """The probes; where none of them has a position, why there is no verdict, and no chart."""
    from unskew.report.blocks import charted, download, spec_of
    from unskew.report.markup import el

    positions, row = run.tables["positions"], run.tables["removal"].iloc[0]
    title, why = "Where it stands, probe by probe", _sentence(row["reason"])
    try:
        spec = spec_of(lambda: positions_chart(positions, row))
    except ValueError:
        return el(
            "section",
            el("h2", title),
            el("p", f"No probe has a position. {why}", class_="note"),
            el("p", download(run, "positions", "Numbers (CSV)"), class_="foot"),
            class_="wrap experiment",
        )
    bars = (
        f"Bars are simultaneous bounds, each one-sided at {100 * row['level'] / row['probes']:.1f}%"
        "; a small dot is one seed, and a verdict asks all of them."
    )
    return charted(run, "positions", title, f"{why} {bars}", spec)


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
        bounds=("at least", "at most"),
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


def _pooled(table: pd.DataFrame, probe: str) -> dict[str, Any]:
    """The row of the mean over seeds."""
    return records(choose(table, probe=probe, seed=None))[0]


def _detail(row: pd.Series) -> str:
    given = "an oracle" if _text(row["oracle"]) else "no oracle"
    return f"{row['probes']} probes, {row['documents']} documents, {given}"


def _sentence(text: object) -> str:
    said = line(text)
    return f"{said[:1].upper()}{said[1:]}."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def number(position: float | None) -> str:
    """0.317 -> "0.32"; "–" where it is unknown."""
    return "–" if position is None else fixed(position, 2)
