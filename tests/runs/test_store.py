"""Finished runs are found, in the working directory and in the package; damage is listed."""

from pathlib import Path

import pytest

from toys import Toy, Wide
from unskew.errors import UserError
from unskew.runs import store as store_module
from unskew.runs.catalogue import list_runs
from unskew.runs.identity import run_id
from unskew.runs.store import Store, named


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "shipped"
    monkeypatch.setattr(store_module, "shipped_root", lambda: root)
    return root


def test_found_once_finished(tmp_path: Path, shipped: Path) -> None:
    store = Store(tmp_path / "runs")
    assert store.find(run_id(Toy())) is None
    with store.open(Toy()) as folder:
        assert store.find(folder.id) is None
        folder.finish({"n": 1})
    found = store.find(folder.id)
    assert found is not None
    assert found.extra == {"n": 1}
    with store.open(Toy()) as again:
        assert again.finished


def test_shipped_runs_count_as_finished(tmp_path: Path, shipped: Path) -> None:
    with Store(shipped, shipped=False).open(Toy()) as folder:
        folder.finish()
    with Store(tmp_path / "runs").open(Toy()) as found:
        assert found.finished
        assert found.path.parent == shipped
    assert not (tmp_path / "runs").exists()
    assert Store(tmp_path / "runs", shipped=False).find(folder.id) is None
    with Store(tmp_path / "runs", shipped=False).open(Toy()) as own:
        assert not own.finished
        own.finish({"mine": True})
    found = Store(tmp_path / "runs").find(folder.id)
    assert found is not None
    assert found.extra == {"mine": True}


def test_a_damaged_run_is_not_guessed_around(tmp_path: Path, shipped: Path) -> None:
    store = Store(tmp_path)
    with store.open(Toy()) as folder:
        folder.finish()
    (folder.path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: damaged"):
        store.find(folder.id)
    with pytest.raises(UserError, match=r"config\.json: damaged"):
        store.open(Toy())


def test_a_run_under_the_name_of_another_is_not_that_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.open(Toy()) as mine:
        mine.finish({"headline": "10 steps"})
    other = run_id(Toy(steps=11))
    mine.path.rename(tmp_path / other)
    with pytest.raises(UserError, match=f"this is the run {mine.id}"):
        store.open(Toy(steps=11))
    # What is listed is what commands find it by.
    (tmp_path / other).rename(tmp_path / "mine")
    (entry,) = list_runs(tmp_path)
    assert (entry.id, entry.kind, entry.headline) == ("mine", "toy", f"{mine.id}: 10 steps")
    assert named(entry.id, tmp_path).id == mine.id


def test_the_list_of_runs(tmp_path: Path, shipped: Path) -> None:
    assert list_runs(tmp_path / "absent") == []
    store = Store(tmp_path / "runs")
    with store.open(Toy()) as done:
        done.finish({"headline": "61% comes back"})
    with store.open(Toy(steps=11)) as damaged:
        damaged.write_text("note.txt", "a")
        damaged.finish()
    (damaged.path / "note.txt").write_text("b")
    (tmp_path / "runs" / "stray.txt").write_text("")
    (tmp_path / "runs" / "wide-0123456789ab").mkdir()
    (tmp_path / "runs" / ".tmp-x").mkdir()
    (tmp_path / "runs" / ".tmp-x" / "config.json").write_text("{}")
    with store.open(Wide()) as begun:
        listed = {entry.id: entry for entry in list_runs(tmp_path / "runs")}
    assert len(listed) == 4
    assert listed[done.id].state == "finished"
    assert listed[done.id].kind == "toy"
    assert listed[done.id].headline == "61% comes back"
    assert listed[done.id].when is not None
    assert listed[damaged.id].state == "damaged"
    assert "note.txt has changed" in str(listed[damaged.id].headline)
    assert listed[begun.id].state == "unfinished"
    assert listed[begun.id].when is not None
    assert listed["wide-0123456789ab"].when is None


def test_what_names_no_run_is_told_for_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="this is a file, and no folder of a run"):
        named(str(tmp_path / "file"), tmp_path)
    with pytest.raises(UserError, match="there is no run 'absent'") as caught:
        named("absent", Path("my runs"))
    assert caught.value.hint == "`unskew runs --runs 'my runs'` lists the runs"
