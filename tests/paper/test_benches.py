"""The bench's runs on the nursery's models, found by settings and by whose models they are."""

import json
from pathlib import Path

import pandas as pd
import pytest
from pydantic import TypeAdapter

from paper import shelves
from unskew.cli_removal import OF_NURSERY
from unskew.paper import benches
from unskew.paper.claims import answer
from unskew.paper.documents import chosen
from unskew.paper.shelf import Shelf
from unskew.purple.removal_config import Removal
from unskew.runs.config import resolve

RESULTS = Path(__file__).parents[2] / "results"


def test_a_bench_with_another_margin_is_another_bench() -> None:
    config = json.loads((RESULTS / "removal" / "locked" / "config.json").read_text("utf-8"))
    bench = benches._is_bench  # pyright: ignore[reportPrivateUsage]
    assert bench(config["config"])
    assert not bench(config["config"] | {"margin": 0.01})
    assert not bench(config["config"] | {"oracle": None})
    assert not bench({"kind": "audit"})


def examined(runs: Path, model: Path, oracle: Path, base: str = "nursery:base") -> None:
    """A finished run of the bench that called a model removed."""
    doc = {
        "kind": "removal", "base": base, "unlearned": str(model), "oracle": str(oracle),
        "data": {"kind": "nursery", "folder": "nursery:probes"}, "where": {},
        "conjugations": list(OF_NURSERY["conjugations"]),
    }  # fmt: skip
    slower = [f"relearning.optimiser.lr={OF_NURSERY['lr']}"]
    rows = {"probe": ["direct", "linear"], "seed": [None, None], "estimate": [0.0, 0.04]}
    said = {"verdict": "removed", "witness": None, "reason": "r", "clusters": 72, "level": 0.05}
    tables = {
        "removal": pd.DataFrame([said | {"probes": 10}]),
        "positions": pd.DataFrame(rows | {"low": [-0.1, -0.06], "high": [0.1, 0.14]}),
    }
    shelves.run(runs, resolve(doc, slower, TypeAdapter(Removal), "removal"), tables)


def oracle(runs: Path, seed: int) -> Path:
    config = benches._oracle(seed)  # pyright: ignore[reportPrivateUsage]
    return shelves.run(runs, config, {}) / "oracle"


def test_a_second_oracle_is_known_by_its_family(tmp_path: Path) -> None:
    first, second = oracle(tmp_path, 0), oracle(tmp_path, 1)
    (claim,) = chosen(["second-oracle"])
    examined(tmp_path, first, second)  # the other way round
    examined(tmp_path, second, first, base="nursery:instruct")
    examined(tmp_path, tmp_path / "elsewhere" / "oracle", first)
    assert answer(claim, Shelf(tmp_path)).finding.word == "not run"
    examined(tmp_path, second, first)
    found = answer(claim, Shelf(tmp_path))
    assert (found.finding.word, found.scale) == ("reproduced", "small")
    assert found.finding.found == "0.04 (−0.06 to 0.14), linear"
    assert found.part is not None
    assert found.part.done(Shelf(tmp_path)) == [True]


@pytest.mark.parametrize("stage", ["refuse", "locked", "erased"])
def test_the_reference_benches_are_found_by_their_folders(stage: str) -> None:
    (place,) = benches.benches(Shelf(None, RESULTS))[stage]
    assert place.path == RESULTS / "removal" / stage
