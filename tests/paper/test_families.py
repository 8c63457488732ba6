"""Families over seeds: gathered from runs and audits, or as the reference results have them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from paper import shelves
from unskew.nursery.claims import AUDITS
from unskew.paper import families
from unskew.paper.claims import answer
from unskew.paper.documents import chosen
from unskew.paper.families import FRESH, SHIP
from unskew.paper.parts import parts
from unskew.paper.shelf import Shelf

MODELS = ("base", "oracle", "instruct")
RESULTS = Path(__file__).parents[2] / "results"


def abilities(fall: float) -> pd.DataFrame:
    rows = [
        (model, "repeat_conflict", language, 0.95 - (fall if model == "instruct" else 0.0))
        for model in MODELS
        for language in ("en", "fr", "es", "qon")
    ]
    return pd.DataFrame(rows, columns=["model", "probe", "language", "estimate"])  # type: ignore[arg-type]


def arms() -> pd.DataFrame:
    rows = [("base", "identity", 0.95), ("tuned", "identity", 0.35)]
    for language in ("fr", "es", "qon"):
        rows += [("base", f"en-{language}", 0.9), ("tuned", f"en-{language}", 0.7)]
    columns = ["arm", "conjugation", "estimate"]
    table = pd.DataFrame(rows, columns=columns)  # type: ignore[arg-type]
    return pd.concat([table.assign(main=True), table.assign(main=False, estimate=0.0)])


def raise_one(
    runs: Path, seed: int, fall: float = 0.6, audited: bool = True, line: families.Line = SHIP
) -> Path:
    """A family of MODELS, and the audits of its pairs, as they would be found."""
    config = families._config(line, seed, MODELS)  # pyright: ignore[reportPrivateUsage]
    path = shelves.run(runs, config, {"abilities": abilities(fall)})
    for one in AUDITS:
        if audited and one.model in MODELS:
            verdict = pd.DataFrame({"task": ["t"], "verdict": [one.right[0]]})
            config = families._audit(path, one)  # pyright: ignore[reportPrivateUsage]
            shelves.run(runs, config, {"verdicts": verdict, "arms": arms()})
    return path


def word(id: str, shelf: Shelf) -> tuple[str, str]:
    (claim,) = chosen([id])
    found = answer(claim, shelf, "small").finding
    return found.word, found.basis


def test_three_families_and_their_audits(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        raise_one(tmp_path, seed)
    shelf = Shelf(tmp_path)
    assert word("icl-lost", shelf) == ("reproduced", "held for 3 of 3 seeds")
    assert word("icl-back", shelf)[0] == "reproduced"
    assert word("icl-suppressed", shelf)[0] == "reproduced"
    assert word("icl-elsewhere", shelf) == ("not reproduced", "held for 0 of 3 seeds")
    assert word("never-taught", shelf)[0] == "inconclusive"  # one of its two oracles
    assert word("code-lost", shelf)[0] == "not run"
    assert word("likelihood", shelf)[0] == "not run"
    (claim,) = chosen(["icl-lost"])
    (where,) = answer(claim, shelf).places
    assert len(where.split(", ")) == 3
    done = parts()["family", "small"].done(shelf)
    assert (any(done), all(done), len(done)) == (True, False, 3 * (1 + len(AUDITS)))


def test_a_family_that_was_not_audited_says_what_it_can(tmp_path: Path) -> None:
    raise_one(tmp_path, 0, audited=False)
    raise_one(tmp_path, 1, fall=0.1, audited=False)
    raise_one(tmp_path, 5, fall=0.1, audited=False)  # of no seed that is asked for
    shelf = Shelf(tmp_path)
    assert word("icl-lost", shelf) == ("not reproduced", "held for 1 of 2 seeds, asks for 3")
    assert word("icl-back", shelf)[0] == "not run"


def test_fresh_worlds_are_read_apart(tmp_path: Path) -> None:
    for seed in (0, 3, 4):  # the doses were chosen in the world of seed 0
        raise_one(tmp_path, seed, line=FRESH)
    shelf = Shelf(tmp_path)
    assert word("icl-lost", shelf)[0] == "not run"
    assert word("icl-lost-fresh", shelf) == ("inconclusive", "held for 2 of 2 seeds, asks for 3")
    raise_one(tmp_path, 5, line=FRESH)
    shelf = Shelf(tmp_path)
    assert word("icl-back-fresh", shelf) == ("reproduced", "held for 3 of 3 seeds")
    assert parts()["fresh", "small"].done(shelf) == [True] * 6


def test_runs_are_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raise_one(Path("runs"), 0)
    monkeypatch.chdir("/")
    assert word("icl-suppressed", Shelf(tmp_path / "runs"))[1].startswith("held for 1 of 1")


def test_another_family_is_no_family_of_the_claims(tmp_path: Path) -> None:
    config = families._config(SHIP, 0, MODELS)  # pyright: ignore[reportPrivateUsage]
    shelves.run(tmp_path, config.model_copy(update={"documents": 20}), {"abilities": abilities(1)})
    assert word("icl-lost", Shelf(tmp_path))[0] == "not run"
    (tmp_path / "results" / "nursery").mkdir(parents=True)
    settings = config.model_copy(update={"documents": 20}).model_dump(mode="json")
    (tmp_path / "results" / "nursery" / "config.json").write_text(
        json.dumps({"seeds": [0], "runs": []} | settings), encoding="utf-8"
    )
    assert word("icl-lost", Shelf(None, tmp_path / "results"))[0] == "not run"


def test_the_reference_family_is_read_by_seed() -> None:
    seeds = json.loads((RESULTS / "nursery" / "config.json").read_text("utf-8"))["seeds"]
    said, basis = word("icl-lost", Shelf(None, RESULTS))
    assert said != "not run"
    assert f" of {len(seeds)} seed" in basis


def test_the_pair_that_ships_is_read_as_a_family_of_one() -> None:
    (claim,) = chosen(["icl-lost"])
    found = answer(claim, Shelf(None, RESULTS), "demo")
    assert found.finding.word == "reproduced"
    assert found.finding.basis == "one training"
    assert found.places[0].endswith("nursery-pair")
