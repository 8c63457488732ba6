"""Redraw the figures of the README, docs/PURPLE.md and docs/NURSERY.md from the reference tables.

python tools/figures.py [RUN]
"""

import sys
from pathlib import Path

import altair as alt
import pandas as pd

from unskew.report import charts, purple, theme
from unskew.report.theme import OTHERS

ROOT = Path(__file__).parents[1]
NAMES = {"en": "English", "fr": "French", "es": "Spanish", "qon": "Onevi"}


def main() -> None:
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "results" / "demo"
    table = pd.read_parquet(run / "tables" / "conjugate.parquet")
    errors, recovery, *_ = charts.conjugate(table, alpha=0.5).concat
    # An opaque ground: the README is read on dark pages too.
    figure = alt.hconcat(errors, recovery).resolve_scale(color="independent")
    figure = figure.properties(background="white", padding=12)
    theme.save(figure, ROOT / "docs" / "figures" / "demo.svg")
    cells = pd.read_parquet(ROOT / "results" / "purple-small" / "dpo" / "tables" / "cells.parquet")
    room = {"left": 48, "right": 12, "top": 12, "bottom": 12}  # names are wider than Vega reckons
    grid = purple.heat(cells).properties(background="white", padding=room)
    theme.save(grid, ROOT / "docs" / "figures" / "purple.svg")
    swept = ROOT / "results" / "nursery-dose" / "steps" / "tables" / "abilities.parquet"
    figure = dose(pd.read_parquet(swept)).properties(background="white", padding=12)
    theme.save(figure, ROOT / "docs" / "figures" / "dose.svg")


def dose(table: pd.DataFrame) -> alt.HConcatChart:
    """What is left of two abilities by steps of instruction tuning, in each language; the base
    stands at 0."""
    table = table.rename(columns={"axis.stages.instruct.training.steps": "steps"})
    base = table[(table["model"] == "base") & (table["steps"] == table["steps"].min())]
    rows = pd.concat([base.assign(steps=0), table[table["model"] == "instruct"]])
    rows = rows.assign(language=rows["language"].map(NAMES))
    languages = list(NAMES.values())
    scale = alt.Scale(domain=languages, range=list(OTHERS[: len(languages)]))
    panels = []
    for probe, title in (("repeat_conflict", "repeat a question"),
                         ("capitalise_conflict", "capitalise a question")):  # fmt: skip
        chart = alt.Chart(rows[rows["probe"] == probe]).encode(
            x=alt.X("steps:Q", title="steps of instruction tuning in English")
        )
        key = alt.Legend(title=None, symbolOpacity=1)
        line = alt.Color("language:N", scale=scale, legend=key)
        share = alt.Y("estimate:Q", title="right answers", axis=alt.Axis(format="%"))
        band = chart.mark_area(opacity=0.15).encode(y="low:Q", y2="high:Q", color=line)
        lines = chart.mark_line(point=True).encode(y=share, color=line)
        panels.append((band + lines).properties(title=title, width=300, height=200))
    return alt.hconcat(*panels)


if __name__ == "__main__":
    main()
