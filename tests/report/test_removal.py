"""A removal on a terminal and on the page: the verdict, every probe, nothing hostile."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from report.test_page import run
from unskew.purple.removal import CURVES, POSITIONS, VERDICT
from unskew.report import page
from unskew.report.blocks import Shown
from unskew.report.removal import (
    Standing,
    curves_chart,
    head,
    positions_chart,
    removal_table,
    sections,
    standing,
)
from unskew.runs.tables import typed


def tables(witness: str | None = "linear", oracle: str | None = "o") -> dict[str, pd.DataFrame]:
    at = {"model": 0.5, "original": 1.0, "reference": 0.2, "clusters": 60}
    linear = {"probe": "linear", "kind": "linear", "estimate": 0.4, "low": 0.3, "high": 0.5, **at}
    rows: list[dict[str, Any]] = [
        {"probe": "direct", "kind": "direct", "estimate": 0.0, "low": -0.1, "high": 0.1, **at},
        linear,
        {**linear, "seed": 0, "estimate": 0.35, "low": 0.2, "high": 0.45},
        {**linear, "seed": 1, "estimate": 0.45, "low": 0.35, "high": 0.6},
        {"probe": "through \x1b[31mrot13", "kind": "conjugation", "note": "blind: \u202enothing"},
    ]
    curves = [
        {"probe": p, "model": m, key: i, "estimate": 0.1 * i, "low": 0.0, "high": 0.9, "n": 60}
        for p, key in (("relearning forget", "step"), ("linear", "layer"))
        for m in ("original", "unlearned", "oracle")
        for i in range(3)
    ]
    found = {
        "unlearned": "mo\x07del", "verdict": "suppressed", "witness": witness, "oracle": oracle,
        "reason": "linear brings it back", "margin": 0.2, "level": 0.05, "probes": 3,
        "documents": 60, "clusters": 60,
    }  # fmt: skip
    return {
        "removal": typed([found], VERDICT),
        "positions": typed(rows, POSITIONS),
        "curves": typed(curves, CURVES),
    }


def shown(found: dict[str, pd.DataFrame]) -> Shown:
    return Shown("r0", "removal-0", {}, None, True, found, None, head(found), [])


def test_the_terminal_has_the_verdict_and_a_line_per_probe() -> None:
    found = tables()
    said = removal_table(found["removal"], found["positions"])
    lines = said.split("\n")
    assert max(map(len, lines)) <= 80
    assert "suppressed. Linear brings it back." in lines[0]
    assert next(line for line in lines if line.startswith("linear")).split() == [
        "linear", "0.40", "0.20..0.60", "50%", "100%", "20%",
    ]  # fmt: skip
    assert next(line for line in lines if line.startswith("direct")).split()[1:3] == [
        "0.00", "−0.10..0.10"
    ]  # fmt: skip
    assert sum(line.startswith("linear") for line in lines) == 1  # seeds are in the table
    assert "–" in next(line for line in lines if line.startswith("through"))
    assert not {"\x1b", "\x07", "\u202e"} & set(said)
    assert "oracle" in said
    bare = tables(oracle=None)
    assert "control" in removal_table(bare["removal"], bare["positions"])


def test_the_page_has_the_positions_and_the_curves() -> None:
    found = tables()
    parts = sections(shown(found))
    assert len(parts) == 2
    assert "Where it stands" in parts[0]
    assert "0 the oracle" in parts[0]
    assert not {"\x1b", "\x07", "\u202e"} & set("".join(parts))
    top = head(found)
    assert top.sentence.endswith("suppressed")
    assert [tile.value for tile in top.tiles] == ["suppressed", "0.40"]
    assert top.tiles[1].detail == "0.20 to 0.60"
    assert len(head(tables(witness=None)).tiles) == 1
    assert len(sections(shown(found | {"curves": found["curves"][:0]}))) == 1


def test_bounds_are_those_that_the_verdict_asks_of_every_seed() -> None:
    table = tables()["positions"]
    assert standing(table, "linear") == Standing(0.4, 0.2, 0.6)
    table.loc[table["seed"] == 1, "high"] = None  # there is none at that seed
    assert standing(table, "linear") == Standing(0.4, 0.2, None)
    said = removal_table(tables()["removal"], table)
    assert "0.20..–" in next(line for line in said.split("\n") if line.startswith("linear"))
    assert standing(table, "direct") == Standing(0.0, -0.1, 0.1)
    assert standing(table, "nobody") == Standing(None, None, None)
    assert standing(table[table["seed"].notna()], "linear").estimate is None


def test_what_rounds_to_nothing_has_no_sign() -> None:
    found = tables()
    found["positions"][["estimate", "model"]] = -0.001
    cells = removal_table(found["removal"], found["positions"]).split("\n")[3].split()
    assert (cells[1], cells[3]) == ("0.00", "0%")


def test_bars_are_said_to_be_what_they_are() -> None:
    found = tables()
    spec = positions_chart(found["positions"], found["removal"].iloc[0]).to_dict()
    [panel] = spec["concat"]
    tips = {tip["field"]: tip["title"] for tip in panel["layer"][-1]["encoding"]["tooltip"]}
    assert (tips["low"], tips["high"]) == ("at least", "at most")


def test_without_a_position_the_page_says_why(tmp_path: Path) -> None:
    """As of a file of few lines: fewer clusters than a position asks for."""
    found = tables(witness=None) | {"curves": tables()["curves"][:0]}
    found["positions"][["estimate", "low", "high"]] = None
    found["removal"]["reason"] = "fewer than 20 clusters of documents were asked"
    (part,) = sections(shown(found))
    assert "Fewer than 20 clusters of documents were asked." in part
    assert 'class="note"' in part
    assert "data-panel" not in part
    folder = run(tmp_path, found)
    said = page.write([folder], tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Fewer than 20 clusters of documents were asked." in said


def test_a_panel_per_relearning_and_one_for_the_layers() -> None:
    from altair.utils.schemapi import debug_mode

    chart = curves_chart(tables()["curves"])
    with debug_mode(True):
        spec = chart.to_dict()
    assert [panel["title"]["text"] for panel in spec["concat"]] == ["relearning forget", "linear"]
    with pytest.raises(ValueError, match="no rows"):
        curves_chart(tables()["curves"][:0])
