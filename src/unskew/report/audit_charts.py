"""The chart of one audited task: its four arms, and every conjugation and control beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.audit_rows import IDENTITY, Task, conjugations, line, through
from unskew.report.panels import WIDTH, Panel, beside, dots, label, labelled, line_at, slim
from unskew.report.theme import BACK, BASE, TUNED

if TYPE_CHECKING:
    import pandas as pd

# base + s in a lighter blue: the same model as base, asked in another way.
COLOURS = {"base": BASE, "tuned": TUNED, "base + s": "#4480be", "tuned + s": BACK}


def four_arms(arms: pd.DataFrame, task: Task) -> alt.ConcatChart:
    """Panels of a task from the rows of its main metric; ValueError where there are none.

    First base, tuned, base + s and tuned + s for the chosen conjugation with their two-sided 95%
    intervals, then base and tuned under every conjugation and control.
    """
    rows = arms[(arms["task"] == task.name) & arms["estimate"].notna()]
    if rows.empty:
        raise ValueError("the table has no rows to draw")
    s = through(rows, task)
    chosen = rows[rows["conjugation"].isin([IDENTITY, s])]
    suffix = chosen["conjugation"].map(lambda name: "" if name == IDENTITY else " + s")
    chosen = chosen.assign(item=chosen["arm"] + suffix)
    metric = line(rows["metric"].iloc[0])
    roles = conjugations(rows, task.name)
    # About as high as the panel beside it.
    height = min(300, max(190, 34 * len(roles) + 54))
    panels: list[Panel] = [_four(chosen, task, metric, s, height)]
    if roles:
        names = {IDENTITY: "plain"} | {
            name: f"{line(name)} (control)" if role == "control" else line(name)
            for name, role in roles.items()
        }
        places = {name: place for place, name in enumerate(names)}
        every = rows[rows["conjugation"].isin(list(names))]
        every = every.sort_values("conjugation", key=lambda c: c.map(places), kind="stable")
        data = labelled(every, series=every["arm"], item=every["conjugation"].map(names))
        panels.append(
            dots(
                data,
                {"base": BASE, "tuned": TUNED},
                title="Every conjugation and control",
                subtitle="a control should not bring the tuned one back",
                x=metric,
                marks=() if task.chance is None else (task.chance,),
                order=[label(name) for name in names.values()],
                percent=True,
                domain=(0.0, 1.0) if _share(every) else None,
            )
        )
    return beside(panels, columns=2)


def _four(rows: pd.DataFrame, task: Task, metric: str, s: str | None, height: int) -> Panel:
    present = {name: c for name, c in COLOURS.items() if (rows["item"] == name).any()}
    scale = alt.Scale(domain=[0, 1]) if _share(rows) else alt.Scale(zero=False, nice=True)
    axis = alt.Axis(tickCount=5, format="%")
    title = f"{metric}, with its 95% interval"
    chart = alt.Chart().encode(
        x=alt.X("estimate:Q", title=title, axis=axis, scale=scale),
        y=alt.Y("item:N", title=None, sort=list(present), axis=alt.Axis(grid=False)),
        color=alt.Color(
            "item:N",
            scale=alt.Scale(domain=list(present), range=list(present.values())),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip("item:N", title="arm"),
            alt.Tooltip("estimate:Q", title="score", format=".1%"),
            alt.Tooltip("low:Q", title="95% from", format=".1%"),
            alt.Tooltip("high:Q", title="95% to", format=".1%"),
            alt.Tooltip("n:Q", title="documents"),
        ],
    )
    layers: list[alt.Chart] = []
    if task.chance is not None:
        layers.append(line_at(task.chance, horizontal=False))
    layers += [
        chart.mark_rule(strokeWidth=2.2, opacity=0.75).encode(
            x=alt.X("low:Q", title=title, axis=axis, scale=scale), x2="high:Q"
        ),
        chart.mark_circle(size=90, opacity=1),
        chart.mark_text(dy=-13, fontWeight=600).encode(text=alt.Text("estimate:Q", format=".0%")),
    ]
    parts = [] if s is None else [f"s: {line(s)}"]
    if task.chance is not None:
        parts.append("dotted: chance")
    return alt.layer(*layers, data=slim(rows, ["item", "estimate", "low", "high", "n"])).properties(
        title=alt.TitleParams(text="The four arms", subtitle=label("; ".join(parts)) or " "),
        width=WIDTH,
        height=height,
    )


def _share(rows: pd.DataFrame) -> bool:
    """Whether all scores are shares: then every task has the same axis and can be compared."""
    values = [float(v) for c in ("estimate", "low", "high") for v in rows[c].dropna()]
    return min(values) >= 0 and max(values) <= 1
