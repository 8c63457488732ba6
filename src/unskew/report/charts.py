"""One function per experiment: tidy table in, Altair chart out. No statistics in here.

Every chart shows the table's own estimates with their 95% intervals, and works in a notebook as
it is: `converge(run.read_table("converge"))`. Charts of several panels are concatenations whose
`usermeta.columns` says how many panels stand side by side where there is room; the page lays
them out to the width of the screen. A table without the rows a panel needs leaves the panel
out; without any, ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.further import diversity, length, other_finetunings, protection
from unskew.report.panels import (
    ERROR,
    EXEMPLARS,
    beside,
    curves,
    dots,
    labelled,
    points,
    stacked,
)
from unskew.report.plane import tradeoff
from unskew.report.rows import at_alpha, choose, first, inside, per_k, plain, pooled, settled
from unskew.report.theme import BACK, BASE, OBSERVER, OTHERS, REFERENCE, TUNED, shades
from unskew.report.words import STORIES, control, scale, spoken, story

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "conjugate",
    "converge",
    "diversity",
    "length",
    "protection",
    "task_inference",
    "tradeoff",
    "where_it_hurts",
]

FAMILIES = {"continuous": "on D_cont, any task", "discrete": "on D_disc, the few tasks"}


def converge(df: pd.DataFrame) -> alt.ConcatChart:
    """Excess error by exemplar count against the Bayes optimum, and the ratio of the two."""
    panels = []
    rows = settled(df)
    alphas = sorted(rows["alpha"].dropna().unique())
    colours = dict(zip((f"{a:g}" for a in alphas), shades(len(alphas)), strict=True))
    for family, where in FAMILIES.items():
        found = per_k(choose(rows, metric=f"excess_{family}", arm=["base", "bayes"]))
        if found.empty:
            continue
        data = labelled(found, series=found["alpha"].map("{:g}".format))
        panels.append(
            curves(
                data,
                colours,
                title=f"Error {where}",
                y=ERROR,
                legend="trained with share α of D_disc",
                dashed="bayes",
                subtitle="dots: transformer; dashes: Bayes optimum",
                log=True,
            )
        )
    ratios = rows[rows["metric"].str.startswith("ratio_to_bayes_")]
    # Only on prompts like those trained on: elsewhere there is no optimum to reach.
    untrained = choose(ratios, metric="ratio_to_bayes_continuous", alpha=1.0).index
    untrained = untrained.union(choose(ratios, metric="ratio_to_bayes_discrete", alpha=0.0).index)
    ratios = pooled(ratios[ratios["estimate"].notna()].drop(index=untrained, errors="ignore"))
    if not ratios.empty:
        names = ratios["metric"].str.removeprefix("ratio_to_bayes_")
        data = labelled(
            ratios,
            series=names.map({"continuous": "on D_cont", "discrete": "on D_disc"}),
            item=ratios["alpha"].map("α = {:g}".format),
        )
        panels.append(
            dots(
                data,
                {"on D_cont": BASE, "on D_disc": TUNED},
                title="Error as a multiple of the Bayes optimum",
                subtitle="on prompts like those trained on; the claim allows 1.1",
                x="ratio, averaged over all exemplar counts",
                marks=(1.0, 1.1),
            )
        )
    return beside(panels, columns=2)


def where_it_hurts(df: pd.DataFrame, alpha: float | None = None) -> alt.ConcatChart:
    """Rise of error by likelihood decile, observed and predicted, and the slope between them."""
    panels = []
    rows = settled(at_alpha(df, alpha))
    rises = choose(rows, metric="rise_continuous", arm=["tuned", "observer"])
    rises = rises[rises["bin"].notna() & rises["k"].notna()]
    counts = sorted(int(k) for k in rises["k"].unique())
    if len(counts) > 4:
        # A few counts say it: the first, where inference is open, and the last.
        last = len(counts) - 1
        counts = [counts[i] for i in sorted({0, round(last * 0.18), round(last * 0.45), last})]
    names = {"tuned": "observed", "observer": "predicted from the skew"}
    colours = {"observed": TUNED, "predicted from the skew": OBSERVER}
    for k in counts:
        found = choose(rises, k=k)
        panels.append(
            points(
                labelled(found, series=found["arm"].map(names)),
                colours,
                x=alt.X(
                    "bin:O",
                    title="least → most like a fine-tuning prompt (deciles)",
                    axis=alt.Axis(labelAngle=0, labelExpr="datum.value + 1"),
                ),
                y="rise of error",
                title=f"After {k} exemplar{'s' if k != 1 else ''}",
            )
        )
    slopes = per_k(choose(rows, metric="slope"))
    slopes = slopes[slopes["estimate"].notna()]
    if not slopes.empty:
        panels.append(
            points(
                labelled(slopes, series="slope"),
                {"slope": TUNED},
                x=alt.X("k:O", title=EXEMPLARS, axis=alt.Axis(labelAngle=0)),
                y="slope",
                title="Slope of observed on predicted rise",
                subtitle="1: rises exactly as the skew predicts; 0: no relation",
                marks=(0.0, 1.0),
                legend=False,
            )
        )
    return beside(panels, columns=2)


def task_inference(df: pd.DataFrame, alpha: float | None = None) -> alt.ConcatChart:
    """Weight on the fine-tuning tasks, fitted skew, its rivals, and the split of the rise."""
    panels = []
    rows = settled(at_alpha(df, alpha))
    weights = per_k(plain(choose(rows, metric="g", arm=["base", "tuned", "bayes"])))
    names = {"base": "base", "tuned": "fine-tuned", "bayes": "Bayes optimum"}
    colours = {"base": BASE, "fine-tuned": TUNED, "Bayes optimum": REFERENCE}
    if not weights.empty:
        panels.append(
            curves(
                labelled(weights, series=weights["arm"].map(names)),
                colours,
                title="Weight on the fine-tuning tasks, g",
                subtitle="0: answers like ridge; 1: answers like one of the few tasks",
                y="g",
                dashed="bayes",
            )
        )
    skews = per_k(choose(rows, metric="skew", arm=["base", "tuned"]))
    if skews["estimate"].notna().any():
        panels.append(
            points(
                labelled(skews, series=skews["arm"].map(names)),
                colours,
                x=alt.X("k:O", title=EXEMPLARS, axis=alt.Axis(labelAngle=0)),
                y="nats",
                title="Skew that explains the answers best",
                subtitle="0: the prior it was trained with; left out where none fits",
                marks=(0.0,),
                joined=True,
            )
        )
    stories = choose(rows, metric="held_out_error")
    stories = stories[stories["gamma"].notna() & stories["estimate"].notna()]
    if not stories.empty:
        series = stories["arm"].map(story)
        present = [s for s in [*STORIES.values(), *sorted(set(series))] if (series == s).any()]
        palette = dict(
            zip(dict.fromkeys(present), (OBSERVER, *OTHERS[:3], *OTHERS[4:]), strict=False)
        )
        panels.append(
            points(
                labelled(stories, series=series),
                palette,
                x=alt.X("gamma:O", title="labels multiplied by γ", axis=alt.Axis(labelAngle=0)),
                y="squared distance to the model's answers",
                title="Which story foretells the scaled prompts?",
                subtitle="fitted on plain prompts only; lower is better",
                joined=True,
            )
        )
    parts = pooled(choose(rows, metric=list(PARTS)))
    parts = parts[parts["estimate"].notna()]
    if not parts.empty:
        parts = choose(parts, span=inside(parts))
        panels.append(
            dots(
                labelled(parts, series="part", item=parts["metric"].map(PARTS)),
                {"part": TUNED},
                title="What the rise of error is made of",
                subtitle=spoken(parts["span"].iloc[0]),
                x="error",
                marks=(0.0,),
                order=list(PARTS.values()),
                legend=False,
            )
        )
    return beside(panels, columns=2)


PARTS = {
    "total_rise": "whole rise",
    "inference_part": "from task inference",
    "ability_part": "from the abilities",
}


def conjugate(df: pd.DataFrame, alpha: float | None = None) -> alt.ConcatChart:
    """Error with plain and with scaled labels, recovery by count, by gamma, and the controls."""
    panels = []
    rows = settled(at_alpha(df, alpha))
    chosen = first(choose(rows, metric="gamma_chosen"))
    gamma = chosen.estimate if chosen is not None and chosen.known else None
    errors = choose(rows, metric="excess_continuous")
    plain_rows = plain(choose(errors, arm=["base", "tuned", "ridge"]))
    parts = [("base", plain_rows[plain_rows["arm"] == "base"], BASE)]
    parts.append(("fine-tuned", plain_rows[plain_rows["arm"] == "tuned"], TUNED))
    if gamma is not None:
        name = f"fine-tuned, labels × {scale(gamma)}"
        parts.append((name, choose(errors, arm="tuned", gamma=gamma), BACK))
    parts.append(("ridge, the best possible", plain_rows[plain_rows["arm"] == "ridge"], REFERENCE))
    parts = [(name, found, colour) for name, found, colour in parts if not found.empty]
    if parts:
        panels.append(
            curves(
                stacked([labelled(per_k(found), series=name) for name, found, _ in parts]),
                {name: colour for name, _, colour in parts},
                title="Error on other tasks",
                y=ERROR,
                dashed="ridge",
                legend_columns=2,
                log=True,
            )
        )
    recovery = choose(per_k(choose(rows, metric="net_recovery")), arm=["tuned", "observer"])
    recovery = recovery[recovery["estimate"].notna()]
    if not recovery.empty:
        names = {"tuned": "fine-tuned model", "observer": "ideal observer of the same skew"}
        panels.append(
            points(
                labelled(recovery, series=recovery["arm"].map(names)),
                {"fine-tuned model": BACK, "ideal observer of the same skew": OBSERVER},
                x=alt.X("k:O", title=EXEMPLARS, axis=alt.Axis(labelAngle=0)),
                y="share of the rise that comes back",
                title="Net recovery",
                subtitle="1: all of it; left out where the rise may be 0",
                within=(-1.0, 2.0),
                marks=(0.0, 1.0),
                percent=True,
            )
        )
    by_gamma = pooled(choose(errors, arm=["base", "tuned", "observer"]))
    by_gamma = by_gamma[by_gamma["gamma"] > 0]
    if by_gamma["gamma"].nunique() > 1:
        by_gamma = choose(by_gamma, span=inside(by_gamma))
        names = {
            "base": "base",
            "tuned": "fine-tuned",
            "observer": "ideal observer of the same skew",
        }
        panels.append(
            points(
                labelled(by_gamma, series=by_gamma["arm"].map(names)),
                {"base": BASE, "fine-tuned": TUNED, names["observer"]: OBSERVER},
                x=alt.X("gamma:O", title="labels multiplied by γ", axis=alt.Axis(labelAngle=0)),
                y=ERROR,
                title="Every label scale",
                subtitle=spoken(by_gamma["span"].iloc[0]),
                joined=True,
            )
        )
    by_alpha = pooled(choose(settled(df), metric="net_recovery", arm="tuned"))
    by_alpha = by_alpha[by_alpha["estimate"].notna()]
    if by_alpha["alpha"].nunique() > 1:
        by_alpha = choose(by_alpha, span=inside(by_alpha))
        panels.append(
            dots(
                labelled(by_alpha, series="α", item=by_alpha["alpha"].map("α = {:g}".format)),
                {"α": BACK},
                title="Net recovery by the base model's share of D_disc",
                subtitle=spoken(by_alpha["span"].iloc[0]),
                x="net recovery",
                marks=(0.0,),
                legend=False,
                percent=True,
            )
        )
    controls = rows[rows["arm"].str.startswith("control:") & rows["metric"].eq("net_recovery")]
    # Those with a test that they recover nothing; other fine-tunings have panels of their own.
    tested = choose(rows, metric="contrast_null")["arm"]
    controls = pooled(controls[controls["estimate"].notna() & controls["arm"].isin(tested)])
    if not controls.empty:
        panels.append(
            dots(
                labelled(controls, series="control", item=controls["arm"].map(control)),
                {"control": REFERENCE},
                title="Controls: these should recover nothing",
                x="net recovery",
                marks=(0.0,),
                legend=False,
                percent=True,
            )
        )
    return beside([*panels, *other_finetunings(df)], columns=2)
