"""The thesis' claims, read from scripted grids and benches; those that ship, as their runs said."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from paper import shelves
from unskew.errors import UserError
from unskew.paper.claims import answer
from unskew.paper.definition import grid, removal, removed
from unskew.paper.documents import chosen
from unskew.paper.parts import parts
from unskew.paper.shelf import Place, Shelf
from unskew.report.audit_rows import records

RESULTS = Path(__file__).parents[2] / "results"
HELD = {"perplexity": ("perplexity", "windowed perplexity"), "paraphrase": ("synonyms",)}


def place(table: pd.DataFrame) -> Place:
    return Place(Path("x"), {}, {"cells": lambda: table})


def test_in_a_world_as_the_thesis_has_it_all_is_reproduced() -> None:
    world = place(shelves.cells())
    for enforcement in ("dpo", "adversarial"):
        assert grid("dpo-passes", enforcement)(world).word == "reproduced"
        falls = grid("dpo-falls", enforcement)(world)
        assert (falls.word, falls.found) == ("reproduced", "10% (8% to 12%)")
        assert falls.note == "attack: adaptive"
    for defences in HELD.values():
        assert grid("adaptive-takes", "dpo", defences)(world).word == "reproduced"
    guard = grid("guard-holds")(world)
    assert guard.found == (
        "0 of 1,600 let through; 12 say it when carried back through a cipher, which it does not "
        "read"
    )


@pytest.mark.parametrize(
    ("taken", "word"),
    [
        ({"taken": 0.1, "taken_low": 0.05, "taken_high": 0.15}, "not reproduced"),
        ({"taken": 0.2, "taken_low": 0.1, "taken_high": 0.3}, "inconclusive"),
        ({"taken": None, "taken_low": None, "taken_high": None}, "inconclusive"),
    ],
)
def test_one_filter_that_stands_is_enough(taken: dict[str, Any], word: str) -> None:
    found = grid("adaptive-takes", "dpo", HELD["perplexity"])(
        place(shelves.cells(windowed_perplexity=taken))
    )
    assert found.word == word
    assert found.found.startswith("perplexity: 90 points (85 to 95)")


def test_what_the_grid_has_not_is_not_run() -> None:
    cells = shelves.cells()
    world = place(cells[(cells["enforcement"] == "dpo") & (cells["defence"] != "guard")])
    assert grid("dpo-falls", "adversarial")(world).word == "not run"
    assert grid("adaptive-takes", "dpo", ("smoothing",))(world).word == "not run"
    assert grid("guard-holds")(world).word == "not run"


def test_a_guard_that_leaks_fails() -> None:
    cells = shelves.cells()
    cells.loc[cells.index[-1], "let_through"] = 1
    assert grid("guard-holds")(place(cells)).word == "not reproduced"


def test_a_grid_is_found_by_its_settings_and_must_be_whole(tmp_path: Path) -> None:
    shelves.run(tmp_path, shelves.grid(), {"cells": shelves.cells()})
    (claim,) = chosen(["dpo-falls"])
    found = answer(claim, Shelf(tmp_path))
    assert (found.finding.word, found.scale) == ("reproduced", "demo")
    assert found.places[0].endswith("tables/cells.parquet")
    other = tmp_path / "other"
    shelves.run(other, shelves.grid("purple-demo", "limit=3"), {"cells": shelves.cells()})
    assert answer(claim, Shelf(other)).finding.word == "not run"
    lacking = tmp_path / "lacking"
    shelves.run(lacking, shelves.grid(), {"cells": shelves.cells().drop(columns="taken")})
    with pytest.raises(UserError, match="lacks the column taken"):
        answer(claim, Shelf(lacking))


def test_rows_that_were_filled_alone_are_read_as_one_grid(tmp_path: Path) -> None:
    whole, cells = shelves.grid("purple-small"), shelves.cells()
    rows = {name: whole.row(whole.named(name)) for name in ("dpo", "adversarial")}
    claims = chosen(["dpo-falls", "adversarial-falls", "guard-holds"])

    def found(runs: Path) -> list[str]:
        return [answer(claim, Shelf(runs)).finding.found for claim in claims]

    for name, config in rows.items():
        of = {"cells": cells[cells["subject"] == name].reset_index(drop=True)}
        for runs in (tmp_path / name, tmp_path / "both"):
            shelves.run(runs, config, of)
    fallen, guarded = "10% (8% to 12%)", "0 of 800 let through"
    assert found(tmp_path / "dpo")[:2] == [fallen, ""]
    assert found(tmp_path / "adversarial")[:2] == ["", fallen]
    assert found(tmp_path / "dpo")[2].startswith(guarded)
    both = found(tmp_path / "both")
    assert both[:2] == [fallen, fallen]
    assert both[2].startswith("0 of 1,600 let through")
    # A row of other settings is none of this grid's.
    other = rows["dpo"].model_copy(update={"limit": 3})
    shelves.run(tmp_path / "other", other, {"cells": cells})
    assert found(tmp_path / "other") == ["", "", ""]
    # What remains to be made is the rows that are not there.
    part = parts()["grid", "small"]
    assert part.done(Shelf(tmp_path / "both")) == [False, False, True, True]


def test_the_claims_of_the_reference_grid_are_those_that_its_run_wrote() -> None:
    folder = RESULTS / "purple-demo"
    written = records(pd.read_parquet(folder / "tables" / "claims.parquet"))
    words = {"held": "reproduced", "did not hold": "not reproduced"}
    for row in written:
        defences = (row["defence"],) if row["claim"] == "adaptive-takes" else ()
        found = grid(row["claim"], "dpo", defences)(Place(folder, {}))
        assert found.word == words.get(row["verdict"], row["verdict"])
        assert found.estimate == row["figure"]


def bench(verdict: str, witness: str | None, **position: float | None) -> Place:
    found = {"verdict": [verdict], "witness": [witness], "reason": ["why"], "clusters": [72],
             "level": [0.05], "probes": [10]}  # fmt: skip
    row = {"probe": "through en-es", "seed": None, "estimate": 0.9, "low": 0.8, "high": 1.0}
    seeds = [{"seed": 0, "low": 0.7, "high": 0.9}, {"seed": 1, "low": 0.85, "high": 1.1}]
    rows = [row | position, *(row | {"estimate": 0.1} | seed for seed in seeds)]
    tables = {"removal": pd.DataFrame(found), "positions": pd.DataFrame(rows)}
    return Place(Path("x"), {}, {name: lambda t=t: t for name, t in tables.items()})


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ("suppressed", "reproduced"),
        ("removed", "not reproduced"),
        ("inconclusive", "inconclusive"),
    ],
)
def test_what_the_bench_says(verdict: str, word: str) -> None:
    found = removal(bench(verdict, "through en-es"))
    assert (found.word, found.found) == (word, "0.90 (0.70 to 1.10), through en-es")
    assert found.basis == "72 clusters of documents; bounds one-sided at 0.5% each"
    assert (found.low, found.high) == (0.7, 1.1), "of every seed, as the verdict says it"
    below = removal(bench(verdict, "through en-es", estimate=-0.001, low=-0.2))
    assert below.found == "0.00 (−0.20 to 1.10), through en-es"
    assert removal(bench(verdict, None)).found == verdict
    null = removal(bench(verdict, "through en-es", low=None))
    assert (null.word, null.found, null.low) == (word, verdict, None)


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ("removed", "reproduced"),
        ("suppressed", "not reproduced"),
        ("inconclusive", "inconclusive"),
    ],
)
def test_what_the_bench_says_of_what_was_never_taught(verdict: str, word: str) -> None:
    """The probe that is told is the one that may be furthest from the oracle, witness or not."""
    found = removed(bench(verdict, "through en-es"))
    assert (found.word, found.found) == (word, "0.90 (0.70 to 1.10), through en-es")
    blind = removed(bench(verdict, "through en-es", low=None, high=None))
    assert blind.word == word
    assert "through en-es" not in blind.found


def test_the_reference_benches_are_read_as_one_claim() -> None:
    (claim,) = chosen(["not-removed"])
    found = answer(claim, Shelf(None, RESULTS))
    assert len(found.places) == 3
    assert all(name in found.finding.found for name in ("refuse", "locked", "erased"))
