"""A family on the page: what each model can do, and the slopes in words."""

import json
from typing import Any

import pandas as pd

from unskew.report.nursery import abilities, closeness

POINT = {
    "probe": "sum", "language": "en", "likelihood": -1.0, "base": 1.0, "estimate": 0.5, "low": 0.4,
    "high": 0.6, "n": 60, "model": "instruct",
}  # fmt: skip


def subtitle(**slope: float | None) -> list[str]:
    slopes = pd.DataFrame([{"model": "instruct", **slope}], dtype=object)
    [panel] = closeness(pd.DataFrame([POINT]), slopes).to_dict()["concat"]
    return panel["title"]["subtitle"]


def test_a_slope_is_said_with_its_interval() -> None:
    inside = {"within": -0.03, "within_low": -0.08, "within_high": -0.001}
    assert subtitle(estimate=0.02, low=-0.001, high=0.05, **inside) == [
        "slope 2 points per nat and character (95% interval 0 to 5), tasks as clusters",
        "inside each language −3 points per nat and character (95% interval −8 to 0)",
    ]


def test_a_slope_that_is_not_known_is_no_number() -> None:
    assert subtitle(estimate=0.02, low=None, high=None, within=None) == [
        "slope 2 points per nat and character (interval unknown), tasks as clusters"
    ]
    assert subtitle(estimate=None, low=None, high=None) == ["slope unknown, tasks as clusters"]


def test_what_was_not_measured_is_a_dash() -> None:
    rows: list[dict[str, Any]] = [POINT, POINT | {"language": "fr", "estimate": None}]
    table = pd.DataFrame(rows).astype({"estimate": "float64"})
    data = abilities(table).to_dict()["datasets"].values()
    shown = [row["shown"] for found in data for row in json.loads(str(found))]
    assert shown == ["50%", "–"]
