"""Charts of the controls and of experiments 6 to 8: their tables in, Altair charts out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.panels import (
    ERROR,
    Panel,
    beside,
    curves,
    dots,
    label,
    labelled,
    line_at,
    points,
)
from unskew.report.plane import protections
from unskew.report.rows import choose, inside, per_k, pooled, settled
from unskew.report.theme import BASE, OTHERS, REFERENCE, TUNED, shades
from unskew.report.words import control, protected, spoken

if TYPE_CHECKING:
    import pandas as pd


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


def diversity(df: pd.DataFrame) -> alt.ConcatChart:
    """Error and distance to ridge along training on few, on many and on all tasks; and when each
    training first answers like ridge."""
    rows = settled(df)
    arms = list(dict.fromkeys(arm for arm in rows["arm"] if arm != "ridge"))
    pools = [arm for arm in arms if arm != "continuous"]
    colours = {_pool(arm): shade for arm, shade in zip(pools, shades(len(pools)), strict=True)}
    colours |= {_pool("continuous"): TUNED, _pool("ridge"): REFERENCE}
    along = alt.X(
        "step:Q",
        title="training step (log scale)",
        scale=alt.Scale(type="symlog", constant=10, nice=False),
        axis=alt.Axis(values=[0, 10, 100, 1000, 10_000, 100_000], format=",d", grid=False),
    )
    titles = {
        "excess_continuous": ("Error on D_cont, any task", ERROR),
        "distance_to_ridge": ("Distance of the answers to ridge's", "squared distance"),
    }
    panels: list[Panel] = []
    for metric, (title, unit) in titles.items():
        found = choose(rows, metric=metric)
        found = found[found["estimate"].notna() & found["step"].notna()]
        if not found.empty:
            panels.append(
                curves(
                    labelled(found, series=found["arm"].map(_pool)),
                    colours,
                    title=title,
                    x=along,
                    y=unit,
                    dashed="ridge",
                    log=True,
                )
            )
    reached = choose(rows, metric="steps_to_ridge")
    reached = reached[reached["estimate"].notna()]
    if not reached.empty:
        panels.append(
            dots(
                labelled(reached, series="first", item=reached["arm"].map(_pool)),
                {"first": TUNED},
                title="First measured step at which it answers like ridge",
                subtitle="left out: trainings that never do",
                x="training step",
                legend=False,
            )
        )
    return beside(panels, columns=2)


def _pool(arm: str) -> str:
    """What a training of experiment 6 was on: "discrete-256" -> "256 tasks"."""
    kind, _, count = arm.partition("-")
    if kind == "discrete" and count:
        return label(f"{count} tasks")
    return {"continuous": "D_cont, all tasks", "ridge": "ridge"}.get(arm, label(arm))


POSITIONS = {
    "learned": "learned positions",
    "learned-random-offset": "learned, random offset",
    "rotary": "rotary positions",
    "ridge": "ridge, the optimum",
}


def length(df: pd.DataFrame) -> alt.ConcatChart:
    """Error at exemplar counts beyond those trained on, by kind of positions; and as a multiple
    of the optimum, within and beyond."""
    rows = settled(df)
    found = per_k(choose(rows, metric="excess_continuous"))
    found = found[found["estimate"].notna()]
    arms = [arm for arm in dict.fromkeys(rows["arm"]) if arm != "ridge"]
    names = {arm: POSITIONS.get(arm, label(arm)) for arm in [*arms, "ridge"]}
    colours = {names[arm]: OTHERS[i % (len(OTHERS) - 1)] for i, arm in enumerate(arms)}
    colours[names["ridge"]] = REFERENCE
    panels: list[Panel] = []
    ratios = pooled(choose(rows, metric="ratio_to_ridge"))
    trained = inside(ratios[ratios["span"].str.startswith("0..", na=False)])
    if not found.empty:
        chart = curves(
            labelled(found, series=found["arm"].map(names)),
            colours,
            title="Error on D_cont, any task",
            y=ERROR,
            dashed="ridge",
            log=True,
            subtitle=f"right of the line: beyond the {trained[3:]} exemplars trained with"
            if trained
            else None,
        )
        if trained and isinstance(chart, alt.LayerChart):
            chart = chart + line_at(float(trained[3:]), horizontal=False)
        panels.append(chart)
    ratios = ratios[ratios["estimate"].notna()]
    if not ratios.empty:
        panels.append(
            dots(
                labelled(
                    ratios,
                    series=ratios["span"].map(lambda span: str(span).replace("..", " to ")),
                    item=ratios["arm"].map(names),
                ),
                {
                    label(str(span).replace("..", " to ")): colour
                    for span, colour in zip(dict.fromkeys(ratios["span"]), OTHERS, strict=False)
                },
                title="Error as a multiple of the optimum",
                subtitle="by exemplars in the prompt; 1 is the optimum",
                x="ratio to ridge",
                marks=(1.0,),
            )
        )
    return beside(panels, columns=1)


def protection(df: pd.DataFrame) -> alt.ConcatChart:
    """What each way to protect costs on the fine-tuning tasks and saves on all others."""
    rows = settled(df)
    found = pooled(rows[rows["estimate"].notna()])
    panels: list[Panel] = []
    span = inside(found)
    if span is not None:
        found = choose(found, span=span)
        plane = protections(found)
        if plane is not None:
            panels.append(plane)
    titles = {
        "rise_continuous": ("Change of error on D_cont, any task", TUNED),
        "rise_discrete": ("Change of error on D_disc, the few tasks", BASE),
    }
    for metric, (title, colour) in titles.items():
        some = choose(found, metric=metric)
        if not some.empty:
            panels.append(
                dots(
                    labelled(some, series="arm", item=some["arm"].map(protected)),
                    {"arm": colour},
                    title=title,
                    subtitle=f"against the base model, {spoken(span)}",
                    x="change of error",
                    marks=(0.0,),
                    legend=False,
                )
            )
    return beside(panels, columns=2, lead=True)
