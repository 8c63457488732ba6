"""Runs are known by their configuration; a table that is not what its run wrote is refused."""

import json
import shutil
from pathlib import Path

import pytest

from paper import shelves
from report.worlds import tables
from unskew.errors import UserError
from unskew.paper.shelf import Place, Shelf, reference, same
from unskew.runs.tables import COLUMNS


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    shelves.run(tmp_path / "runs", shelves.study(), tables())
    return tmp_path / "runs"


def only(runs: Path) -> Place:
    (place,) = Shelf(runs).places(shelves.study())
    return place


def test_what_decides_no_number_does_not_tell_runs_apart(runs: Path) -> None:
    assert only(runs).path.parent == runs
    assert Shelf(runs).places(shelves.study("threads=2"))
    assert not Shelf(runs).places(shelves.study("sigma=0.4"))
    assert not Shelf(runs).places(shelves.study("evaluation.floor=0.1"))
    assert not Shelf(None).places(shelves.study())
    assert not Shelf(runs / "nowhere").places(shelves.study())


def test_unfinished_runs_and_other_folders_are_nobodys(runs: Path) -> None:
    (runs / "notes").mkdir()
    (runs / "half").mkdir()
    (runs / "half" / "config.json").write_text("{", encoding="utf-8")
    (runs / "half" / "manifest.json").write_text("{}", encoding="utf-8")
    (runs / "file").write_text("", encoding="utf-8")
    only(runs)
    (only(runs).path / "manifest.json").unlink()
    assert Shelf(runs).places(shelves.study()) == []


def test_the_users_runs_come_before_the_results(runs: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(only(runs).path, results / "demo")
    found = Shelf(runs, results).places(shelves.study())
    assert [place.path.parent.name for place in found] == ["runs", "results"]


def test_another_meaning_of_the_same_text_is_another_run(runs: Path) -> None:
    file = only(runs).path / "config.json"
    doc = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(doc | {"semantics": doc["semantics"] + 1}), encoding="utf-8")
    assert Shelf(runs).places(shelves.study()) == []
    assert Shelf(None, runs).places(shelves.study()) == []


def test_a_damaged_table_is_named(runs: Path) -> None:
    place = only(runs)
    file = place.path / "tables" / "converge.parquet"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(UserError, match="changed since its run") as error:
        place.table("converge", COLUMNS)
    assert "converge.parquet" in str(error.value.where)
    file.unlink()
    with pytest.raises(UserError, match="no such table"):
        place.table("converge", COLUMNS)


def test_gathered_tables_have_no_manifest_and_may_be_damaged_too(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "claims.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(UserError, match="not a Parquet file"):
        Place(tmp_path, {}).table("claims", ())
    (tmp_path / "manifest.json").write_text('{"files": {}}', encoding="utf-8")
    with pytest.raises(UserError, match="does not list"):
        Place(tmp_path, {}).table("claims", ())


def test_a_lacking_column_is_named(tmp_path: Path) -> None:
    changed = {name: table.drop(columns=["low"]) for name, table in tables().items()}
    shelves.run(tmp_path, shelves.study(), changed)
    with pytest.raises(UserError, match="lacks the column low"):
        only(tmp_path).table("converge", COLUMNS)


def test_a_checkout_has_results_and_a_package_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import unskew

    assert reference() == Path(__file__).resolve().parents[2] / "results"
    monkeypatch.setattr(unskew, "__file__", str(tmp_path / "site-packages/unskew/__init__.py"))
    assert reference() is None


def test_configurations_of_another_version_are_not_the_same() -> None:
    config = shelves.study()
    assert same(config.model_dump(mode="json"), config)
    assert not same(config.model_dump(mode="json") | {"new": 1}, config)
    assert not same({}, config)
