"""Charts: every row drawn with its interval, null left out, nothing computed."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from report.worlds import EXEMPLARS, around, conjugate, converge, table, where_it_hurts
from unskew.errors import UserError
from unskew.report import charts, further, sliders, theme
from unskew.report.rows import at_alpha
from unskew.report.sections import sections
from unskew.runs.tables import tidy

DRAW = {section.name: section.draw for section in sections()}


@lru_cache
def drawn(name: str) -> dict[str, Any]:
    """The chart of an experiment's whole table; that the table is left as it was, on the way."""
    df = table(name)
    spec = DRAW[name](df, 0.5).to_dict()
    assert df.equals(table(name))
    return spec


def records(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All data rows of a chart."""
    return [row for data in spec["datasets"].values() for row in _rows(data)]


def _rows(data: Any) -> list[dict[str, Any]]:
    return json.loads(data) if isinstance(data, str) else data


def marks(node: Any) -> list[dict[str, Any]]:
    """All unit specs of a chart."""
    if isinstance(node, list):
        return [found for item in node for found in marks(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if "mark" in node else []
    return here + [found for key in ("concat", "layer") for found in marks(node.get(key, []))]


@pytest.mark.parametrize("name", DRAW)
def test_each_chart_draws_intervals(name: str) -> None:
    spec = drawn(name)
    assert spec["concat"]
    for panel in spec["concat"]:
        assert panel["title"]
        bounds = [
            unit
            for unit in marks(panel)
            if any(
                str(channel.get("field", "")).startswith("high")
                for channel in unit["encoding"].values()
                if isinstance(channel, dict)
            )
        ]
        assert bounds, f"{name}: a panel shows no interval"


@pytest.mark.parametrize("name", DRAW)
def test_estimates_are_the_tables_own(name: str) -> None:
    df = table(name)
    known = {float(f"{v:.7g}") for v in df["estimate"].dropna()}
    fields = ("estimate", "estimate_continuous", "estimate_discrete")
    shown = {
        row[field] for row in records(drawn(name)) for field in fields if row.get(field) is not None
    }
    assert shown
    assert shown <= known


@pytest.mark.parametrize("name", DRAW)
def test_a_table_without_rows_is_said_not_drawn(name: str) -> None:
    with pytest.raises(ValueError, match="no "):
        DRAW[name](table(name).iloc[:0], 0.5)


def test_null_is_left_out_never_zero() -> None:
    df = table("conjugate", recovery=None)
    spec = charts.conjugate(df).to_dict()
    titles = [panel["title"]["text"] for panel in spec["concat"]]
    assert "Net recovery" not in titles
    some = df.copy()
    here = (some["metric"] == "excess_continuous") & (some["k"] == 2)
    some.loc[here, ["estimate", "low", "high"]] = None
    at_two = [r for r in records(charts.conjugate(some).to_dict()) if r.get("k") == 2]
    assert {r["estimate"] for r in at_two if "estimate" in r} == {None}


def test_a_bound_that_is_not_positive_turns_a_log_axis_linear() -> None:
    df = table("converge")
    scale = charts.converge(df).to_dict()["concat"][0]["layer"][0]["encoding"]["y"]
    assert scale["scale"]["type"] == "log"
    df.loc[(df["metric"] == "excess_continuous") & (df["k"] == 12), "low"] = -0.01
    scale = charts.converge(df).to_dict()["concat"][0]["layer"][0]["encoding"]["y"]
    assert scale["scale"].get("type") is None
    assert "log" not in scale["title"]


def test_deciles_at_a_few_counts_only() -> None:
    spec = charts.where_it_hurts(table("where-it-hurts")).to_dict()
    titles = [panel["title"]["text"] for panel in spec["concat"]]
    assert titles[0] == "After 1 exemplar"
    assert f"After {EXEMPLARS} exemplars" in titles
    assert len(titles) == 5
    few = tidy({"experiment": "e", **row} for row in where_it_hurts() if row.get("k", 1) <= 2)
    titles = [p["title"]["text"] for p in charts.where_it_hurts(few).to_dict()["concat"]]
    assert titles[:2] == ["After 1 exemplar", "After 2 exemplars"]


def test_alphas_are_kept_apart() -> None:
    rows = [{"experiment": "conjugate", **row} for row in conjugate()]
    other = [{**row, "alpha": 0.2, **around(9.9, 0.1)} for row in rows]
    both = tidy([*rows, *other])
    errors = charts.conjugate(both, alpha=0.5).to_dict()["concat"][0]
    assert "9.9" not in json.dumps(errors)
    spec = charts.conjugate(both, alpha=0.5).to_dict()
    titles = [panel["title"]["text"] for panel in spec["concat"]]
    assert "Net recovery by the base model's share of D_disc" in titles
    assert set(at_alpha(both, 0.2)["alpha"].dropna()) == {0.2}
    assert set(at_alpha(both, None)["alpha"].dropna()) == {0.5}


def test_bars_beyond_any_share_are_cut_and_it_is_said() -> None:
    def recovery(half: float) -> dict[str, Any]:
        panels = charts.conjugate(table("conjugate", recovery=(0.6, half))).to_dict()["concat"]
        [panel] = [p for p in panels if p["title"]["text"] == "Net recovery"]
        return panel

    wild, calm = recovery(40.0), recovery(0.1)
    assert "go on" in wild["title"]["subtitle"]
    assert "go on" not in calm["title"]["subtitle"]
    rule, dot = wild["layer"][-2:]
    assert rule["encoding"]["y"]["scale"]["domain"] == [-1.0, 2.0]
    assert rule["mark"]["clip"] is dot["mark"]["clip"] is True


def test_controls_are_those_tested_to_recover_nothing() -> None:
    spec = charts.conjugate(table("conjugate")).to_dict()
    panels = {panel["title"]["text"]: panel for panel in spec["concat"]}
    data = panels["Controls: these should recover nothing"]["data"]["name"]
    shown = {row["item"] for row in _rows(spec["datasets"][data])}
    assert shown == {"labels × −1", "labels × 0.5", "rotated inputs", "reordered exemplars"}
    assert "Change of error by fine-tuning on other data" in panels


def test_protections_are_told_apart_and_named() -> None:
    spec = further.protection(table("protection")).to_dict()
    colour = spec["concat"][0]["layer"][0]["encoding"]["color"]["scale"]
    assert len(set(colour["range"])) == len(colour["domain"]) == 8
    items = {row["item"] for row in records(spec) if "item" in row}
    assert {"replay, 0.1", "conjugate, γ = 2", "unprotected", "base model"} <= items
    rises = [row for row in records(spec) if row.get("series") == "arm"]
    assert "base model" not in {row["item"] for row in rises}


def test_a_training_that_never_finds_ridge_is_left_out_not_zero() -> None:
    spec = further.diversity(table("diversity")).to_dict()
    first = spec["concat"][-1]
    assert first["title"]["subtitle"] == "left out: trainings that never do"
    shown = {row["item"] for row in _rows(spec["datasets"][first["data"]["name"]])}
    assert shown == {"256 tasks", "4096 tasks", "D_cont, all tasks"}


def test_the_training_length_is_marked() -> None:
    panel = further.length(table("length")).to_dict()["concat"][0]
    assert panel["title"]["subtitle"] == "right of the line: beyond the 12 exemplars trained with"
    assert panel["layer"][-1]["encoding"]["x"]["datum"] == 12


def test_ratios_only_where_trained() -> None:
    spec = charts.converge(table("converge")).to_dict()
    data = spec["concat"][-1]["data"]["name"]
    ratios = [row["estimate"] for row in _rows(spec["datasets"][data])]
    assert len(ratios) == 8
    assert max(ratios) < 2


def test_rows_for_training_seeds_go_before_single_seeds() -> None:
    rows = [{"experiment": "converge", **row} for row in converge()]
    across = [{**row, "conditional_on": "training seeds", **around(5.0, 0.5)} for row in rows]
    shown = records(charts.converge(tidy([*rows, *across])).to_dict())
    assert {row["estimate"] for row in shown if "estimate" in row} == {5.0}


def test_every_colour_has_its_dark_twin() -> None:
    roles = [theme.BASE, theme.TUNED, theme.BACK, theme.OBSERVER, theme.REFERENCE]
    used = {*roles, theme.INK, *theme.RAMP, *theme.OTHERS}
    assert used == set(theme.DARK_OF)
    assert len(set(theme.DARK_OF.values())) == len(theme.DARK_OF)
    assert len(set(roles)) == len(roles)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_roles_stand_out_from_the_page_in_both_themes() -> None:
    for role in (theme.BASE, theme.TUNED, theme.BACK, theme.OBSERVER, theme.REFERENCE):
        on_white = 1.05 / (_luminance(role) + 0.05)
        on_dark = (_luminance(theme.DARK_OF[role]) + 0.05) / (_luminance("#1a1e25") + 0.05)
        assert on_white >= 4.5
        assert on_dark >= 4.5


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_charts_are_saved(tmp_path: Path, suffix: str) -> None:
    chart = further.protection(table("protection"))
    path = theme.save(chart, tmp_path / f"chart.{suffix}")
    starts = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG"}
    assert path.read_bytes().startswith(starts[suffix])


def test_saving_elsewhere_is_a_users_mistake(tmp_path: Path) -> None:
    chart = further.protection(table("protection"))
    with pytest.raises(UserError, match=r"'\.gif'"):
        theme.save(chart, tmp_path / "chart.gif")
    with pytest.raises(UserError, match="cannot write"):
        theme.save(chart, tmp_path / "nowhere" / "chart.svg")


def test_the_observers_sliders_begin_inside_the_grid() -> None:
    df = table("observer", deltas=(0.0, 1.0, 7.0), gammas=(1.0, 3.0))
    assert sliders.grid(df) == ([0.0, 1.0, 7.0], [1.0, 3.0])
    assert sliders.start(df) == (7.0, 1.0)
    spec = sliders.observer(df).to_dict()
    params = {p["name"]: p for p in spec["params"]}
    assert params["skew"]["value"] == 7.0
    assert params["skew"]["bind"]["options"] == [0.0, 1.0, 7.0]
    bare = sliders.observer(df, skew=1.0, scale=3.0, bind=False).to_dict()
    assert [(p["name"], p["value"]) for p in bare["params"]] == [("skew", 1.0), ("scale", 3.0)]
    assert len(bare["concat"]) == 2
