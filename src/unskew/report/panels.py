"""The four kinds of panel all charts are made of: curves, points, dots, side by side.

Data travel as plain records with only the fields a panel shows, so a page stays small and every
type is said, not guessed. Intervals are always drawn: as a band behind a curve, as a bar through
a point.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from unskew.report.theme import INK, REFERENCE

if TYPE_CHECKING:
    import pandas as pd

Panel = alt.Chart | alt.LayerChart | alt.FacetChart
ERROR = "excess squared error"
EXEMPLARS = "exemplars in the prompt (k)"
WIDTH, HEIGHT = 340, 240
BOUNDS = ("95% from", "95% to")
"""What the ends of an interval are called, where nothing else is said."""
FIELDS = ("arm", "alpha", "gamma", "k", "bin", "step", "delta", "estimate", "low", "high", "n")


def slim(table: pd.DataFrame, columns: Sequence[str]) -> alt.InlineData:
    """Rows as records: only `columns`, null as None, floats to seven digits."""
    import pandas as pd

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        if isinstance(value, str):
            return value
        number = float(f"{float(value):.7g}")
        return int(number) if number.is_integer() else number

    records = [
        {name: plain(value) for name, value in zip(columns, row, strict=True)}
        for row in table[list(columns)].itertuples(index=False, name=None)
    ]
    # As a string: Altair copies data many times over, and a string costs nothing to copy.
    values = json.dumps(records, ensure_ascii=False, separators=(",", ":"))
    return alt.InlineData(values=values, format=alt.JsonDataFormat(type="json"))


def labelled(
    table: pd.DataFrame, series: pd.Series | str, item: pd.Series | None = None
) -> pd.DataFrame:
    """The table with what names a row's curve (`series`) and its place on a list (`item`)."""
    named = table.assign(series=series)
    named = named.assign(series=named["series"].map(label))
    return named if item is None else named.assign(item=item.map(label))


def label(text: str) -> str:
    """A name from the data on one line: Vega cannot parse expressions with line separators."""
    return " ".join(str(text).split())


def tips(table: pd.DataFrame, bounds: tuple[str, str] = BOUNDS) -> list[alt.Tooltip]:
    """What a pointer over a mark says: whatever of the row is not null. bounds: their names."""
    names = {
        "series": "what",
        "item": "which",
        "alpha": "α",
        "gamma": "γ",
        "k": "exemplars",
        "step": "step",
        "delta": "skew, nats",
    }
    shown = [
        alt.Tooltip(f"{column}:N", title=title)
        for column, title in names.items()
        if column in table.columns and table[column].notna().any()
    ]
    numbers = {"estimate": "estimate", "low": bounds[0], "high": bounds[1]}
    shown += [
        alt.Tooltip(f"{column}:Q", title=title, format=".3~g") for column, title in numbers.items()
    ]
    return shown


def _data(table: pd.DataFrame) -> alt.InlineData:
    wanted = [c for c in ("series", "item", *FIELDS) if c in table.columns]
    return slim(table, [c for c in wanted if table[c].notna().any() or c in ("estimate", "low")])


def _colour(colours: Mapping[str, str], legend: str | bool, columns: int | None) -> alt.Color:
    shown: Any = None
    if legend is not False:
        title = legend if isinstance(legend, str) else None
        shown = alt.Legend(title=title, symbolType="stroke", symbolOpacity=1)
        if columns is not None:
            shown.columns = columns
    return alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=shown,
    )


def _titled(text: str, subtitle: str | None) -> alt.TitleParams:
    return alt.TitleParams(text=text, subtitle=subtitle) if subtitle else alt.TitleParams(text=text)


def line_at(value: float, horizontal: bool = True) -> alt.Chart:
    """A quiet reference line."""
    rule = alt.Chart(alt.InlineData(values=[{}])).mark_rule(
        color=REFERENCE, opacity=0.55, strokeDash=[2, 3]
    )
    return rule.encode(y=alt.datum(value)) if horizontal else rule.encode(x=alt.datum(value))


def inside(chart: alt.Chart) -> alt.Chart:
    """The field `shown` in the cells of a heat map: in ink, and small where cells are narrow.

    A character is at most about two thirds as wide as it is high; where the scale has another name,
    in charts side by side, it is drawn as large as any text.
    """
    fits = "(bandwidth('x') || 99) / (0.67 * length(datum.shown))"
    return chart.mark_text(color=INK, fontSize=alt.ExprRef(f"min(11.5, {fits})")).encode(
        text="shown:N"
    )


def log_axis(table: pd.DataFrame) -> tuple[alt.Scale, alt.Axis] | None:
    """A logarithmic scale over the table's values and bounds, with ticks at 1, 2, 5, 10, ...

    None where a value or bound is not positive: such an axis could not show it.
    """
    values = [float(v) for c in ("estimate", "low", "high") for v in table[c].dropna()]
    if not values or min(values) <= 0:
        return None
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [float(f"{m}e{d}") for d in decades for m in steps]
        ticks = [tick for tick in ticks if 0.95 * low <= tick <= 1.05 * high]
        if len(ticks) >= 3:
            break
    scale = alt.Scale(type="log", nice=False, domain=[low * 0.95, high * 1.05])
    return scale, alt.Axis(values=ticks, format="~g")


def curves(
    table: pd.DataFrame,
    colours: Mapping[str, str],
    *,
    title: str,
    y: str,
    subtitle: str | None = None,
    x: alt.X | None = None,
    dashed: str | None = None,
    legend: str | bool = True,
    legend_columns: int | None = None,
    log: bool = False,
    marks: Sequence[float] = (),
) -> Panel:
    """Curves over a quantity with bands; rows of arm `dashed` are references: dashed, no dots.

    log: a logarithmic axis where every value and bound is positive, else a linear one.
    """
    scale, axis, suffix = alt.Scale(nice=True), alt.Axis(tickCount=5), ""
    if log and (found := log_axis(table)) is not None:
        (scale, axis), suffix = found, " (log scale)"
    along = (
        x
        if x is not None
        else alt.X("k:Q", title=EXEMPLARS, axis=alt.Axis(tickMinStep=1, format="d", grid=False))
    )
    axis_title = f"{y}{suffix}"
    present = {s: c for s, c in colours.items() if (table["series"] == s).any()}
    chart = alt.Chart().encode(
        x=along,
        y=alt.Y("estimate:Q", title=axis_title, scale=scale, axis=axis),
        color=_colour(present, legend, legend_columns),
        detail="arm:N",
        tooltip=tips(table),
    )
    layers: list[alt.Chart] = [line_at(value) for value in marks]
    layers.append(
        chart.mark_area(opacity=0.16, strokeWidth=0).encode(
            y=alt.Y("low:Q", title=axis_title, scale=scale), y2="high:Q"
        )
    )
    # A layer without rows would leave its scales without an extent, so only what is there.
    if dashed and (table["arm"] == dashed).any():
        there = chart.transform_filter(f"datum.arm == {dashed!r}")
        layers.append(there.mark_line(strokeDash=[5, 4], strokeWidth=2))
    if (table["arm"] != dashed).any():
        solid = chart.transform_filter(f"datum.arm != {dashed!r}") if dashed else chart
        layers += [solid.mark_line(strokeWidth=2), solid.mark_circle(size=34, opacity=1)]
    return alt.layer(*layers, data=_data(table)).properties(
        title=_titled(title, subtitle), width=WIDTH, height=HEIGHT
    )


def points(
    table: pd.DataFrame,
    colours: Mapping[str, str],
    *,
    x: alt.X,
    y: str,
    title: str,
    subtitle: str | None = None,
    marks: Sequence[float] = (),
    legend: bool = True,
    joined: bool = False,
    percent: bool = False,
    within: tuple[float, float] | None = None,
) -> Panel:
    """Points with interval bars over an ordered axis, series side by side; `joined` by lines.

    within: the widest range shown; bars that leave it are cut at the edge, and it is said.
    """
    scale, clip = alt.Scale(nice=True), False
    if within is not None:
        low, high = table["low"].min(), table["high"].max()
        clip = bool(low < within[0] or high > within[1])
        if clip:
            scale = alt.Scale(domain=[max(float(low), within[0]), min(float(high), within[1])])
            subtitle = (
                f"{subtitle}; bars at the edge go on" if subtitle else "bars at the edge go on"
            )
    axis = alt.Axis(tickCount=5, format="%") if percent else alt.Axis(tickCount=5)
    present = {s: c for s, c in colours.items() if (table["series"] == s).any()}
    offset = alt.XOffset("series:N", scale=alt.Scale(domain=list(present), paddingOuter=0.6))
    chart = alt.Chart().encode(
        x=x,
        y=alt.Y("estimate:Q", title=y, axis=axis, scale=scale),
        color=_colour(present, legend and len(present) > 1, None),
        tooltip=tips(table),
    )
    spread = chart if joined else chart.encode(xOffset=offset)
    layers: list[alt.Chart] = [line_at(value) for value in marks]
    if joined:
        layers.append(chart.mark_line(strokeWidth=2))
    layers += [
        spread.mark_rule(strokeWidth=1.6, opacity=0.75, clip=clip).encode(
            y=alt.Y("low:Q", title=y, axis=axis, scale=scale), y2="high:Q"
        ),
        spread.mark_circle(size=46, opacity=1, clip=clip),
    ]
    return alt.layer(*layers, data=_data(table)).properties(
        title=_titled(title, subtitle), width=WIDTH, height=HEIGHT
    )


def dots(
    table: pd.DataFrame,
    colours: Mapping[str, str],
    *,
    title: str,
    x: str,
    subtitle: str | None = None,
    marks: Sequence[float] = (),
    order: Sequence[str] | None = None,
    legend: bool = True,
    percent: bool = False,
    domain: tuple[float, float] | None = None,
    bounds: tuple[str, str] = BOUNDS,
) -> Panel:
    """A list of items, each a dot with its interval; reference lines at `marks`.

    domain: the ends of the axis; None: what the data need. bounds: what the interval's are called.
    """
    scale = alt.Scale(zero=False, nice=True) if domain is None else alt.Scale(domain=list(domain))
    axis = alt.Axis(tickCount=5, format="%") if percent else alt.Axis(tickCount=5)
    present = {s: c for s, c in colours.items() if (table["series"] == s).any()}
    sort: Any = list(order) if order is not None else list(dict.fromkeys(table["item"]))
    chart = alt.Chart().encode(
        x=alt.X("estimate:Q", title=x, axis=axis, scale=scale),
        y=alt.Y("item:N", title=None, sort=sort, axis=alt.Axis(grid=False, labelLimit=170)),
        yOffset=alt.YOffset("series:N", scale=alt.Scale(domain=list(present), paddingOuter=0.8)),
        color=_colour(present, legend and len(present) > 1, None),
        tooltip=tips(table, bounds),
    )
    layers: list[alt.Chart] = [line_at(value, horizontal=False) for value in marks]
    layers += [
        chart.mark_rule(strokeWidth=1.8, opacity=0.75).encode(
            x=alt.X("low:Q", title=x, axis=axis), x2="high:Q"
        ),
        chart.mark_circle(size=64, opacity=1),
    ]
    items = table["item"].nunique()
    return alt.layer(*layers, data=_data(table)).properties(
        title=_titled(title, subtitle), width=WIDTH, height=max(120, 34 * items + 20)
    )


def beside(panels: Sequence[Panel], columns: int, lead: bool = False) -> alt.ConcatChart:
    """Panels side by side, each with colours of its own; ValueError for no panel.

    lead: on a page, the first panel is as wide as a row.
    """
    if not panels:
        raise ValueError("the table has no rows to draw")
    return alt.concat(
        *panels, columns=columns, spacing=36, usermeta={"columns": columns, "lead": lead}
    ).resolve_scale(color="independent", xOffset="independent", yOffset="independent")


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables of the same columns, one under the other."""
    import pandas as pd

    return pd.concat([t for t in tables if not t.empty], ignore_index=True)
