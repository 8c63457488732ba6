"""Charts of experiments 6 to 8: their tables in, Altair charts out. Drawn by arm, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.panels import (
    ERROR,
    EXEMPLARS,
    Panel,
    beside,
    curves,
    dots,
    label,
    labelled,
    points,
)
from unskew.report.rows import choose, inside, per_k, settled
from unskew.report.theme import BASE, OTHERS, TUNED
from unskew.report.words import control, spoken

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "excess_continuous": "Error on D_cont, any task",
    "excess_discrete": "Error on D_disc, the few tasks",
    "rise_continuous": "Rise of error on D_cont",
    "rise_discrete": "Rise of error on D_disc",
    "net_recovery": "Net recovery",
}


def diversity(df: pd.DataFrame) -> alt.ConcatChart:
    """Error on D_cont along training, for training sets of few and of many tasks."""
    rows = settled(df)
    found = rows[rows["step"].notna() & rows["estimate"].notna()]
    return beside(
        [
            _by_arm(choose(found, metric=metric), "step", "training step", metric, log=True)
            for metric in dict.fromkeys(found["metric"])
        ],
        columns=1,
    )


def controls(df: pd.DataFrame) -> alt.ConcatChart:
    """Fine-tunings on other data: what each does to both errors, and what scaling gains there."""
    return beside(other_finetunings(df), columns=2)


def other_finetunings(df: pd.DataFrame) -> list[Panel]:
    """The panels of `controls`, from any table that holds its rows."""
    rows = settled(df[df["arm"].str.startswith("control:")])
    rows = rows[rows["estimate"].notna()]
    rows = rows.assign(name=rows["arm"].map(control))
    panels: list[Panel] = []
    rises = choose(rows, metric=["rise_continuous", "rise_discrete"])
    if not rises.empty:
        names = {"rise_continuous": "on D_cont", "rise_discrete": "on D_disc"}
        panels.append(
            dots(
                labelled(rises, series=rises["metric"].map(names), item=rises["name"]),
                {"on D_cont": TUNED, "on D_disc": BASE},
                title="Change of error by fine-tuning on other data",
                x="rise of error",
                marks=(0.0,),
            )
        )
    gains = choose(rows, metric="gain_continuous")
    if not gains.empty:
        arms = list(dict.fromkeys(gains["name"].map(label)))
        panels.append(
            points(
                labelled(gains, series=gains["name"]),
                {arm: OTHERS[i % len(OTHERS)] for i, arm in enumerate(arms)},
                x=alt.X("gamma:O", title="labels multiplied by γ", axis=alt.Axis(labelAngle=0)),
                y="error taken back on D_cont",
                title="What scaling the labels gains there",
                marks=(0.0,),
                joined=True,
            )
        )
    return panels


def length(df: pd.DataFrame) -> alt.ConcatChart:
    """Error at exemplar counts beyond those trained on, by kind of position code."""
    rows = settled(df)
    found = per_k(rows[rows["estimate"].notna()])
    return beside(
        [
            _by_arm(choose(found, metric=metric), "k", EXEMPLARS, metric, log=True)
            for metric in dict.fromkeys(found["metric"])
        ],
        columns=1,
    )


def protection(df: pd.DataFrame) -> alt.ConcatChart:
    """What each way to protect costs and saves: errors on both families by arm."""
    rows = settled(df)
    found = rows[rows["k"].isna() & rows["estimate"].notna()]
    metrics = dict.fromkeys(found["metric"])
    panels = []
    for metric in metrics:
        some = choose(found, metric=metric)
        if some["span"].notna().any():
            some = choose(some, span=inside(some))
        item = some["arm"].where(some["note"].isna(), some["arm"] + " · " + some["note"])
        panels.append(
            dots(
                labelled(some, series="arm", item=item),
                {"arm": TUNED if "continuous" in metric else BASE},
                title=METRICS.get(metric) or metric,
                subtitle=spoken(some["span"].iloc[0]),
                x=ERROR if metric.startswith("excess") else metric,
                legend=False,
            )
        )
    return beside(panels, columns=2)


def _by_arm(table: pd.DataFrame, column: str, axis: str, metric: str, log: bool) -> Panel:
    """One panel of curves over `column`, a colour for each arm in order of appearance."""
    arms = list(dict.fromkeys(table["arm"].map(label)))
    colours = {arm: OTHERS[i % len(OTHERS)] for i, arm in enumerate(arms)}
    table = table[table[column].notna()]
    return curves(
        labelled(table, series=table["arm"]),
        colours,
        title=METRICS.get(metric) or metric,
        x=alt.X(
            f"{column}:Q",
            title=axis,
            axis=alt.Axis(format=",d", tickMinStep=1, tickCount=10, grid=False),
        ),
        y=ERROR if metric.startswith("excess") else metric,
        legend_columns=3,
        log=log,
    )
