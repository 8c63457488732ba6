"""Suffixes that ship: written from a run with where they are from, and sent anew by a grid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from purple.grids import configured, write
from purple.test_grid_models import config, filled
from unskew.errors import UserError
from unskew.purple import grid, shipped
from unskew.purple.grid_attacks import Given
from unskew.purple.grid_config import Model, Purple
from unskew.purple.shipped import SHIPPED, file_of, found_by
from unskew.runs.config import load
from unskew.runs.lines import objects
from unskew.runs.progress import Progress
from unskew.runs.store import Store

KEYS = {
    "suffix", "adapts_to", "subject", "attack", "defence", "weights", "base", "enforcement",
    "seed", "run",
}  # fmt: skip
SEARCH = {"steps": 1, "candidates": 4, "top_k": 4, "length": 2, "seed": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    from purple.subjects import knowing, written

    return str(written(tmp_path_factory.mktemp("model"), knowing()))


def test_what_a_run_found_is_kept_with_where_it_is_from_and_sent_anew(
    model: str, tmp_path: Path
) -> None:
    searched = config(
        model,
        subjects=[{"kind": "model", "name": "base", "model": "mine"}],
        attacks=[
            {"kind": "suffix", "prompts": 1, "gcg": SEARCH},
            {"kind": "adaptive", "prompts": 1, "gcg": SEARCH},
            {"kind": "repeated", "prompts": 1, "gcg": SEARCH, "times": [2]},
        ],
        defences=[
            {"kind": "perplexity"}, {"kind": "refusals", "count": 1},
            {"kind": "paraphrase", "by": {"kind": "synonyms"}},
        ],
    )  # fmt: skip
    run = filled(searched, tmp_path)
    rows = found_by(run)
    table = run.read_table("suffixes")
    assert {row["suffix"] for row in rows} <= set(table["suffix"])
    assert all(row.keys() == KEYS for row in rows)
    assert {tuple(row["adapts_to"]) for row in rows} == {(), ("nll",), ("context",), ("rewrite",)}
    assert {row["attack"] for row in rows} == {"suffix", "adaptive"}
    for row in rows:
        assert (row["run"], row["seed"], row["base"]) == (run.id, 3, "mine")
        assert row["weights"] == run.parents["subject base"]
        assert row["defence"] == {
            (): "none", ("nll",): "perplexity", ("context",): "refusals", ("rewrite",): "synonyms"
        }[tuple(row["adapts_to"])]  # fmt: skip
    file = tmp_path / "kept.jsonl"
    shipped.write(rows, file)
    assert [row for _, _, row in objects(file, "")] == rows
    given = config(
        model,
        subjects=[{"kind": "model", "name": "base", "model": "mine"}],
        attacks=[{"kind": "given", "suffixes": str(file)}],
        defences=[{"kind": "perplexity"}, {"kind": "refusals", "count": 1}, {"kind": "guard"}],
    )
    cells = filled(given, tmp_path).read_table("cells").set_index(["attack", "defence"])
    known = {d: bool(cells.at[("given", d), "adaptive"]) for d in ("none", "perplexity", "guard")}
    assert known == {"none": False, "perplexity": True, "guard": False}
    assert bool(cells.at[("given", "refusals"), "adaptive"])
    assert set(cells.loc["given", "access"]) == {"gradients"}


def test_what_is_no_finished_grid_has_no_suffixes(tmp_path: Path) -> None:
    write(tmp_path)
    store = Store(tmp_path / "runs", shipped=False)
    with (
        store.open(configured(tmp_path)) as folder,
        pytest.raises(UserError, match="no finished grid"),
    ):
        found_by(folder)


def test_of_a_grid_of_several_subjects_each_suffix_has_its_own_weights(
    model: str, tmp_path: Path
) -> None:
    subjects = [{"kind": "model", "name": name, "model": "mine"} for name in ("one", "two")]
    searched = config(
        model, subjects=subjects, attacks=[{"kind": "suffix", "prompts": 1, "gcg": SEARCH}],
        defences=[],
    )  # fmt: skip
    run = filled(searched, tmp_path)
    assert {row["subject"] for row in found_by(run)} == {"one", "two"}
    for row in found_by(run):
        alone = filled(searched.row(searched.named(row["subject"])), tmp_path)
        assert row["weights"] == alone.parents[f"subject {row['subject']}"]
    assert set(run.parents) == {"questions", "subject one", "subject two"}


def test_the_shipped_file_says_where_each_suffix_is_from() -> None:
    rows = [row for _, _, row in objects(file_of(SHIPPED), "")]
    assert rows
    assert all(row.keys() == KEYS for row in rows)
    assert len({(r["subject"], r["suffix"], *r["adapts_to"]) for r in rows}) == len(rows)
    assert [] in [row["adapts_to"] for row in rows]  # some fit wherever nothing is known


def test_the_demo_sends_the_suffixes_that_ship() -> None:
    from pydantic import TypeAdapter

    demo = load("purple-demo", [], TypeAdapter(Purple))
    assert [attack for attack in demo.attacks if isinstance(attack, Given)] == [Given()]
    assert demo.files() == [SHIPPED]
    named = {row["subject"]: row for _, _, row in objects(file_of(SHIPPED), "")}
    subjects = {subject.name: subject for subject in demo.subjects}
    for name, row in named.items():  # they were found on the demo's own subjects
        subject: Any = subjects[name]
        assert row["base"] == (subject.model if isinstance(subject, Model) else subject.base)
        assert row["enforcement"] == subject.enforcement


def test_the_shipped_file_is_part_of_what_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    one = configured(tmp_path, attacks=[{"kind": "given"}])
    first = grid.execute(one, Store(tmp_path / "runs", shipped=False), Progress("quiet"))
    assert f"file {SHIPPED}" in first.parents
    assert str(tmp_path) not in json.dumps(first.config["attacks"])
    other = tmp_path / "other.jsonl"
    other.write_text('{"suffix": " magic"}\n')
    for module in ("unskew.purple.grid_attacks", "unskew.purple.grid_subjects"):
        monkeypatch.setattr(f"{module}.file_of", lambda name: other)
    second = grid.execute(one, Store(tmp_path / "runs", shipped=False), Progress("quiet"))
    assert second.id != first.id
