"""The ideal skewed observer as a chart whose two parameters a page or notebook can move.

The table holds a grid of (delta, gamma, k); the chart shows the slice at `skew` and `scale`,
with the same observer without conjugation, without skew, and ridge regression beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.panels import ERROR, EXEMPLARS, WIDTH, Panel, log_axis, slim
from unskew.report.rows import choose, per_k
from unskew.report.theme import BACK, BASE, REFERENCE, TUNED

if TYPE_CHECKING:
    import pandas as pd

NO_SKEW, SKEWED, NOW, CEILING = (
    "no skew",
    "skewed",
    "skewed, labels × γ",
    "ridge, the best possible",
)


def observer(
    df: pd.DataFrame, skew: float | None = None, scale: float | None = None, bind: bool = True
) -> alt.ConcatChart:
    """Error on D_cont and weight g by exemplar count, for one skew and label scale at a time.

    df: the `observer` table. skew, scale: where to begin, by default `start(df)`. bind: with
    input fields under the chart (notebooks); the page brings its own sliders and sets the
    parameters `skew` and `scale` itself.
    """
    begin = start(df)
    skew = begin[0] if skew is None else skew
    scale = begin[1] if scale is None else scale
    deltas, gammas = grid(df)
    if bind:
        moved = [
            alt.param("skew", value=skew, bind=alt.binding_select(options=deltas)),
            alt.param("scale", value=scale, bind=alt.binding_select(options=gammas)),
        ]
    else:
        moved = [alt.param("skew", value=skew), alt.param("scale", value=scale)]
    errors = per_k(choose(df, metric="excess_continuous"))
    weights = per_k(choose(df, metric="g"))
    # One scale for every position of the sliders, or the curves would seem to stand still.
    found = log_axis(errors)
    if found is None:
        top = float(errors["high"].max())
        found = alt.Scale(domain=[0.0, top]), alt.Axis(tickCount=5)
        label = ERROR
    else:
        label = f"{ERROR} (log scale)"
    unit = alt.Scale(domain=[0.0, 1.0]), alt.Axis(tickCount=5)
    panels = [
        _panel(errors, "Error on other tasks", label, *found),
        _panel(weights, "Weight on the few tasks, g", "g", *unit),
    ]
    chart = alt.concat(*panels, columns=2, spacing=36, usermeta={"columns": 2})
    return chart.add_params(*moved)


def grid(df: pd.DataFrame) -> tuple[list[float], list[float]]:
    """The deltas and gammas of the table, increasing."""
    rows = choose(df, arm="observer")
    return (
        sorted(float(v) for v in rows["delta"].dropna().unique()),
        sorted(float(v) for v in rows["gamma"].dropna().unique()),
    )


def start(df: pd.DataFrame) -> tuple[float, float]:
    """Where sliders begin: the skew nearest to 8 nats and the gamma nearest to 2."""
    deltas, gammas = grid(df)
    return min(deltas, key=lambda v: abs(v - 8.0)), min(gammas, key=lambda v: abs(v - 2.0))


def _panel(table: pd.DataFrame, title: str, y: str, scale: alt.Scale, axis: alt.Axis) -> Panel:
    fields = ["gamma", "delta", "k", "estimate", "low", "high"]
    data = slim(choose(table, arm="observer"), fields)
    moving = alt.Chart()
    still = choose(table, arm="ridge")
    colours = {NO_SKEW: BASE, SKEWED: TUNED, NOW: BACK, CEILING: REFERENCE}
    if still.empty:
        colours.pop(CEILING)
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(title=None, columns=2, symbolType="stroke", symbolOpacity=1),
    )
    tooltip = [
        alt.Tooltip("series:N", title="what"),
        alt.Tooltip("k:Q", title="exemplars"),
        alt.Tooltip("estimate:Q", title="estimate", format=".3~g"),
        alt.Tooltip("low:Q", title="95% from", format=".3~g"),
        alt.Tooltip("high:Q", title="95% to", format=".3~g"),
    ]

    def series(name: str, where: str) -> alt.Chart:
        return (
            moving.transform_filter(where)
            .transform_calculate(series=f"'{name}'")
            .encode(
                x=alt.X(
                    "k:Q", title=EXEMPLARS, axis=alt.Axis(tickMinStep=1, format="d", grid=False)
                ),
                y=alt.Y(
                    "estimate:Q",
                    title=y,
                    scale=scale,
                    axis=axis,
                ),
                color=colour,
                tooltip=tooltip,
            )
        )

    deltas, gammas = grid(table)
    now = series(NOW, "datum.delta == skew && datum.gamma == scale")
    layers = []
    if not still.empty:
        ceiling = slim(still.assign(series=CEILING), ["series", "k", "estimate", "low", "high"])
        layers.append(
            alt.Chart(ceiling)
            .mark_line(strokeDash=[5, 4], strokeWidth=2)
            .encode(x="k:Q", y="estimate:Q", color=colour, tooltip=tooltip)
        )
    if 1.0 in gammas and 0.0 in deltas:
        fair = series(NO_SKEW, "datum.delta == 0 && datum.gamma == 1")
        layers.append(fair.mark_line(strokeWidth=1.8))
    if 1.0 in gammas:
        skewed = series(SKEWED, "datum.delta == skew && datum.gamma == 1")
        layers.append(skewed.mark_line(strokeWidth=1.8))
    layers += [
        now.mark_area(opacity=0.16).encode(y=alt.Y("low:Q", title=y, scale=scale), y2="high:Q"),
        now.mark_line(strokeWidth=3),
        now.mark_circle(size=42, opacity=1),
    ]
    return alt.layer(*layers, data=data).properties(title=title, width=WIDTH, height=260)
