"""The plane of the two errors: what fine-tuning buys on one family, it pays on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from unskew.report.panels import WIDTH, Panel, beside, label, slim
from unskew.report.rows import choose, pooled, settled
from unskew.report.theme import BACK, BASE, OBSERVER, OTHERS, REFERENCE, TUNED
from unskew.report.words import protected

if TYPE_CHECKING:
    import pandas as pd

FAMILIES = ("continuous", "discrete")
X_TITLE = "error on D_disc, the tasks fine-tuned on"
Y_TITLE = "error on D_cont, all other tasks"


def tradeoff(df: pd.DataFrame) -> alt.ConcatChart:
    """Error on D_cont against D_disc: base models, the path of fine-tuning, the ideal curves."""
    keys = ["arm", "alpha", "step", "delta"]
    rows = pooled(settled(df))
    sides = []
    for family in FAMILIES:
        side = choose(rows, metric=f"excess_{family}")[[*keys, "estimate", "low", "high"]]
        side = side.drop_duplicates(keys)
        sides.append(side.rename(columns={c: f"{c}_{family}" for c in ("estimate", "low", "high")}))
    both = sides[0].merge(sides[1], on=keys)
    both = both[both["estimate_continuous"].notna() & both["estimate_discrete"].notna()]
    if both.empty:
        raise ValueError("no trade-off rows with both errors")
    # A path begins at its base model: step 0 belongs to both.
    path = both[both["arm"].isin(["tuned", "base"]) & both["step"].notna()]
    path = path[path["alpha"].isin(path.loc[path["arm"] == "tuned", "alpha"])]
    both = both.assign(label=both["alpha"].map("α {:g}".format))
    names = {
        "base": "base models",
        "tuned": "while being fine-tuned",
        "bayes": "Bayes optimum, any α",
        "observer": "ideal observer, any skew",
    }
    colours = {"base": BASE, "tuned": TUNED, "bayes": REFERENCE, "observer": OBSERVER}
    present = [arm for arm in names if (both["arm"] == arm).any()]
    colour = alt.Color(
        "series:N",
        scale=alt.Scale(domain=[names[a] for a in present], range=[colours[a] for a in present]),
        legend=alt.Legend(title=None, columns=2, symbolType="circle"),
    )
    x = alt.X(
        "estimate_discrete:Q",
        title=X_TITLE,
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=7),
    )
    y = alt.Y(
        "estimate_continuous:Q",
        title=Y_TITLE,
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=7),
    )
    shown = [*keys, *(f"{c}_{f}" for f in FAMILIES for c in ("estimate", "low", "high"))]
    tooltip = [
        alt.Tooltip("series:N", title="what"),
        alt.Tooltip("alpha:Q", title="α"),
        alt.Tooltip("step:Q", title="step of fine-tuning"),
        alt.Tooltip("delta:Q", title="skew, nats"),
        *(alt.Tooltip(f"estimate_{f}:Q", format=".3f", title=f"error D_{f[:4]}") for f in FAMILIES),
    ]

    def layer(rows: pd.DataFrame, series: pd.Series) -> alt.Chart:
        return alt.Chart(slim(rows.assign(series=series), [*shown, "series"])).encode(
            x=x, y=y, color=colour, tooltip=tooltip
        )

    layers: list[alt.Chart] = []
    for arm, dash in (("bayes", [5, 4]), ("observer", [1, 3])):
        ideal = both[both["arm"] == arm]
        if not ideal.empty:
            order = "alpha:Q" if arm == "bayes" else "delta:Q"
            layers.append(
                layer(ideal, ideal["arm"].map(names))
                .mark_line(strokeDash=dash, strokeWidth=2, strokeCap="round")
                .encode(order=alt.Order(order))
            )
    if not path.empty:
        layers.append(
            layer(path, path["arm"].map(lambda _: names["tuned"]))
            .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=26))
            .encode(order=alt.Order("step:Q"), detail="alpha:N")
        )
    for arm in ("tuned", "base"):
        some = both[(both["arm"] == arm)]
        if some.empty:
            continue
        bars = layer(some, some["arm"].map(names))
        layers += [
            bars.mark_rule(opacity=0.5).encode(y="low_continuous:Q", y2="high_continuous:Q"),
            bars.mark_rule(opacity=0.5).encode(x="low_discrete:Q", x2="high_discrete:Q"),
        ]
    bases = both[both["arm"] == "base"]
    if not bases.empty:
        layers.append(layer(bases, bases["arm"].map(names)).mark_circle(size=90, opacity=1))
        layers.append(
            alt.Chart(slim(bases, ["estimate_discrete", "estimate_continuous", "label"]))
            .mark_text(align="left", dx=9, dy=-8)
            .encode(x=x, y=y, text="label:N")
        )
    return beside(
        [
            alt.layer(*layers).properties(
                height=380, title="Error on other tasks against error on the fine-tuning tasks"
            )
        ],
        columns=1,
    )


KINDS = {
    "base": ("base model", BASE),
    "tuned": ("fine-tuned, unprotected", TUNED),
    "conjugate": ("conjugate prompting", BACK),
    "replay": ("replay", OTHERS[4]),
    "anchor": ("penalty towards the base", OTHERS[5]),
    "low-rank": ("low rank", OTHERS[6]),
    "interpolation": ("interpolated weights", OBSERVER),
    "bayes": ("Bayes optimum", REFERENCE),
}


def protections(rows: pd.DataFrame) -> Panel | None:
    """Each way to protect in the plane of the two errors; None without both errors of any arm.

    rows: excess_continuous and excess_discrete of one span. Arms are `<kind>` or
    `<kind>:<strength>`; those of one kind share a colour and are joined in order of strength.
    """
    columns = ["estimate", "low", "high"]
    sides = []
    for family in FAMILIES:
        side = choose(rows, metric=f"excess_{family}")[["arm", *columns]].drop_duplicates("arm")
        sides.append(side.rename(columns={c: f"{c}_{family}" for c in columns}))
    both = sides[0].merge(sides[1], on="arm")
    if both.empty:
        return None
    kinds = both["arm"].str.partition(":")[0]
    names = kinds.map(lambda kind: KINDS.get(kind, (label(kind), REFERENCE))[0])
    both = both.assign(
        series=names, item=both["arm"].map(protected).map(label), place=range(len(both))
    )
    colours = dict.fromkeys(names, REFERENCE) | dict(KINDS.values())
    present = {
        name: colours[name] for name in [*dict(KINDS.values()), *names] if (names == name).any()
    }
    fields = [f"{c}_{f}" for f in FAMILIES for c in columns]
    chart = alt.Chart().encode(
        x=alt.X(
            "estimate_discrete:Q",
            title=X_TITLE,
            scale=alt.Scale(zero=False, nice=True),
            axis=alt.Axis(tickCount=7),
        ),
        y=alt.Y("estimate_continuous:Q", title=Y_TITLE, scale=alt.Scale(zero=False, nice=True)),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=list(present), range=list(present.values())),
            legend=alt.Legend(title=None, columns=2, symbolType="circle", symbolOpacity=1),
        ),
        tooltip=[
            alt.Tooltip("item:N", title="what"),
            *(
                alt.Tooltip(f"estimate_{f}:Q", format=".3f", title=f"error D_{f[:4]}")
                for f in FAMILIES
            ),
        ],
    )
    layers = [
        chart.mark_line(strokeWidth=1.6, opacity=0.6).encode(order=alt.Order("place:Q")),
        chart.mark_rule(opacity=0.45).encode(y="low_continuous:Q", y2="high_continuous:Q"),
        chart.mark_rule(opacity=0.45).encode(x="low_discrete:Q", x2="high_discrete:Q"),
        chart.mark_circle(size=80, opacity=1),
    ]
    data = slim(both, ["arm", "series", "item", "place", *fields])
    return alt.layer(*layers, data=data).properties(
        height=380,
        width=WIDTH,
        title=alt.TitleParams(
            "Error on other tasks against error on the fine-tuning tasks",
            subtitle="down and to the left is better",
        ),
    )
