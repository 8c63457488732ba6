"""A family of the nursery on the page: what each model can do, and what a stage costs where.

`sections(run)` gives a grid of abilities per model and, where it was measured, the loss against
nearness to the stage's documents. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import altair as alt

from unskew.report.audit_rows import percent, plain, records
from unskew.report.blocks import Shown, charted, spec_of
from unskew.report.headline import Headline
from unskew.report.markup import Safe
from unskew.report.panels import WIDTH, beside, inside, label, slim
from unskew.report.theme import OTHERS, RAMP, REFERENCE
from unskew.report.words import fixed

if TYPE_CHECKING:
    import pandas as pd

CONDITION = (
    "Held-out documents: of words that training never saw, or of items that it never asked. "
    "These models know the small world that they were raised in, and nothing else."
)
NUMBERS = "Every number is a row of one of these tables. An empty field is null: unknown, not 0."


def head(tables: Mapping[str, pd.DataFrame], headline: str) -> Headline:
    """The family in a sentence, as its run says it."""
    return Headline(plain(headline), [], CONDITION)


def sections(run: Shown) -> list[Safe]:
    """The parts of a family's article, between its head and its tables."""
    table = run.tables["abilities"]
    parts = [
        charted(
            run,
            "abilities",
            "What each model can do",
            "Right answers to held-out documents, by task and language.",
            spec_of(lambda: abilities(table)),
        )
    ]
    if "closeness" in run.tables and len(run.tables["closeness"]):
        points, slopes = run.tables["closeness"], run.tables.get("closeness-slope")
        parts.append(
            charted(
                run,
                "closeness",
                "What is lost, and how near it lies to the stage's documents",
                "The loss of each task in each language against how likely its prompts are under a "
                "model raised on the stage's documents alone. Only where the base is able.",
                spec_of(lambda: closeness(points, slopes)),
            )
        )
    return parts


def abilities(table: pd.DataFrame) -> alt.ConcatChart:
    """A grid of tasks by languages for each model, in percent."""
    languages = [plain(name) for name in dict.fromkeys(table["language"])]
    probes = [plain(name) for name in dict.fromkeys(table["probe"])]
    panels = []
    for model in dict.fromkeys(table["model"]):
        rows = table[table["model"] == model]
        shown = [percent(row["estimate"]) for row in records(rows)]
        columns = ["probe", "language", "shown", "estimate", "low", "high", "n"]
        chart = alt.Chart(slim(rows.assign(shown=shown), columns)).encode(
            x=alt.X("language:N", sort=languages, title=None, axis=alt.Axis(orient="top")),
            y=alt.Y("probe:N", sort=probes, title=None),
            tooltip=[
                alt.Tooltip("probe:N"),
                alt.Tooltip("language:N"),
                alt.Tooltip("estimate:Q", title="right", format=".1%"),
                alt.Tooltip("low:Q", title="95% from", format=".1%"),
                alt.Tooltip("high:Q", title="95% to", format=".1%"),
                alt.Tooltip("n:Q", title="documents"),
            ],
        )
        cells = chart.mark_rect().encode(
            color=alt.value(RAMP[5]),
            # Pale enough that the figure is read on it, on a light page and on a dark one.
            opacity=alt.Opacity(
                "estimate:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.4]), legend=None
            ),
        )
        panels.append(
            alt.layer(cells, inside(chart)).properties(
                title=label(str(model)), width=WIDTH, height=22 * len(probes)
            )
        )
    return beside(panels, columns=2)


def closeness(table: pd.DataFrame, slopes: pd.DataFrame | None) -> alt.ConcatChart:
    """A panel per stage: loss against nearness, with 95% intervals."""
    panels = []
    languages = [plain(name) for name in dict.fromkeys(table["language"])]
    for stage in dict.fromkeys(table["model"]):
        rows = slim(
            table[table["model"] == stage],
            ["probe", "language", "likelihood", "base", "estimate", "low", "high", "n"],
        )
        chart = alt.Chart(rows).encode(
            x=alt.X(
                "likelihood:Q",
                title="log-likelihood under the stage's documents, nats per character",
                scale=alt.Scale(zero=False, nice=True),
            ),
            color=alt.Color(
                "language:N",
                title=None,
                scale=alt.Scale(domain=languages, range=list(OTHERS[: len(languages)])),
            ),
            tooltip=[
                alt.Tooltip("probe:N"),
                alt.Tooltip("language:N"),
                alt.Tooltip("estimate:Q", title="loss", format=".1%"),
                alt.Tooltip("low:Q", title="95% from", format=".1%"),
                alt.Tooltip("high:Q", title="95% to", format=".1%"),
                alt.Tooltip("base:Q", title="base", format=".1%"),
                alt.Tooltip("likelihood:Q", format=".2f"),
            ],
        )
        axis = alt.Axis(format="%")
        y = alt.Y("estimate:Q", title="share of right answers lost", axis=axis)
        bars = chart.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
        zero = alt.Chart(alt.InlineData(values=[{"y": 0}])).mark_rule(
            color=REFERENCE, strokeDash=[2, 3]
        )
        zero = zero.encode(y="y:Q")
        points = chart.mark_circle(size=60, opacity=1).encode(y=y)
        panels.append(
            alt.layer(zero, bars, points).properties(
                title=alt.TitleParams(text=label(str(stage)), subtitle=_slope(slopes, str(stage))),
                width=2 * WIDTH,
                height=300,
            )
        )
    return beside(panels, columns=1)


def _slope(slopes: pd.DataFrame | None, stage: str) -> list[str]:
    """A line over all points, and one inside each language, which older tables do not have."""
    if slopes is None or not (slopes["model"] == stage).any():
        return [" "]
    row = records(slopes[slopes["model"] == stage])[0]
    lines = [f"slope {_of(row, 'estimate', 'low', 'high')}, tasks as clusters"]
    if row.get("within") is not None:
        lines.append(f"inside each language {_of(row, 'within', 'within_low', 'within_high')}")
    return lines


def _of(row: Mapping[str, Any], *names: str) -> str:
    """A slope with its interval, in points; what the table does not say is unknown, not 0."""
    estimate, low, high = (row[name] for name in names)
    if estimate is None:
        return "unknown"
    said = f"{fixed(100 * estimate)} points per nat and character"
    if low is None or high is None:
        return f"{said} (interval unknown)"
    return f"{said} (95% interval {fixed(100 * low)} to {fixed(100 * high)})"
