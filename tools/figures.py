"""Redraw the figures of the README and of docs/PURPLE.md from the reference tables.

python tools/figures.py [RUN]
"""

import sys
from pathlib import Path

import altair as alt
import pandas as pd

from unskew.report import charts, purple, theme

ROOT = Path(__file__).parents[1]


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


if __name__ == "__main__":
    main()
