"""Run folders: whole at every moment, one writer, damage named."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from toys import Mixed, Toy
from unskew.errors import UserError
from unskew.runs.catalogue import list_runs
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.tables import tidy

TABLE = tidy([{"experiment": "e", "arm": "base", "metric": "m", "k": 3, "estimate": 0.5}])


def fill(folder: RunFolder) -> None:
    folder.log({"step": 1, "loss": 0.5})
    folder.write_table("converge", TABLE)
    folder.write_tensors("model", {"w": torch.arange(3.0)}, {"step": "1"})
    folder.write_text("note.txt", "märk\n")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    with RunFolder.open(tmp_path / "runs", Toy(), {"base": "ab"}) as folder:
        fill(folder)
        folder.finish({"headline": "it works"})
    return folder.path


def test_a_run_from_beginning_to_end(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, Toy(), {"base": "ab"}) as folder:
        assert folder.path == tmp_path / run_id(Toy(), {"base": "ab"})
        assert not folder.finished
        fill(folder)
        folder.finish({"headline": "it works"})
        assert folder.finished
    again = RunFolder.read(folder.path)
    assert again.id == folder.id
    assert Toy.model_validate(again.config) == Toy()
    assert again.parents == {"base": "ab"}
    assert again.extra == {"headline": "it works"}
    assert list(again.records()) == [{"step": 1, "loss": 0.5}]
    assert again.tables() == ["converge"]
    pd.testing.assert_frame_equal(again.read_table("converge"), TABLE)
    tensors, metadata = again.read_tensors("model")
    assert torch.equal(tensors["w"], torch.arange(3.0))
    assert metadata == {"step": "1"}
    names = sorted(p.relative_to(folder.path).as_posix() for p in folder.path.rglob("*"))
    assert names == [
        "config.json",
        "environment.json",
        "manifest.json",
        "metrics.jsonl",
        "model.safetensors",
        "note.txt",
        "tables",
        "tables/converge.parquet",
    ]
    assert set(again.manifest()["files"]) == set(names) - {"manifest.json", "tables"}


def test_a_finished_run_is_returned_and_no_longer_written(finished: Path) -> None:
    before = {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()}
    with RunFolder.open(finished.parent, Toy(), {"base": "ab"}) as folder:
        assert folder.finished
        for write in (
            lambda: folder.log({"step": 2}),
            lambda: folder.write_text("more.txt", ""),
            lambda: folder.finish(),
        ):
            with pytest.raises(RuntimeError, match="finished"):
                write()
    with pytest.raises(RuntimeError, match="not open for writing"):
        RunFolder.read(finished).log({"step": 2})
    assert {p: p.read_bytes() for p in finished.rglob("*") if p.is_file()} == before


def test_the_page_may_be_drawn_anew(finished: Path) -> None:
    (finished / "report.html").write_text("<p>")
    RunFolder.read(finished).verify()


@pytest.mark.parametrize(
    "name", ["config.json", "environment.json", "metrics.jsonl", "model.safetensors", "note.txt"]
)
def test_a_changed_file_is_named(finished: Path, name: str) -> None:
    if name == "config.json":  # stays readable, so that the hash and not the parser finds it
        (finished / name).write_text((finished / name).read_text() + " ")
    else:
        with (finished / name).open("r+b") as file:
            file.write(b"#")
    for opening in (
        lambda: RunFolder.read(finished),
        lambda: RunFolder.open(finished.parent, Toy(), {"base": "ab"}),
    ):
        with pytest.raises(UserError, match=f"{name} has changed since the run finished"):
            opening()


def test_missing_files_are_named(finished: Path) -> None:
    (finished / "tables" / "converge.parquet").unlink()
    (finished / "note.txt").unlink()
    with pytest.raises(
        UserError, match=r"note\.txt is missing; tables/converge\.parquet is missing"
    ):
        RunFolder.read(finished)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"id": "toy-000000000000"}', "{}", {"extra": None}, {"extra": ["headline"]},
     {"files": {"config.json": "x"}}, {"files": []}, {"finished": 3}, {"id": "toy-000000000000"}],
)  # fmt: skip
def test_a_damaged_manifest_is_named(finished: Path, text: str | dict[str, object]) -> None:
    path = finished / "manifest.json"
    changed = text if isinstance(text, str) else json.dumps(json.loads(path.read_text()) | text)
    path.write_text(changed)
    with pytest.raises(UserError, match=r"manifest\.json: damaged"):
        RunFolder.read(finished)
    (entry,) = list_runs(finished.parent)  # and the others are listed all the same
    assert (entry.id, entry.state) == (finished.name, "damaged")


def test_a_config_of_another_run_is_named(finished: Path) -> None:
    (finished / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json: damaged"):
        RunFolder.read(finished)


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such run"):
        RunFolder.read(tmp_path / "absent")
    with pytest.raises(UserError, match="this folder holds no run"):
        RunFolder.read(tmp_path)
    with RunFolder.open(tmp_path, Toy()) as folder:
        with pytest.raises(UserError, match="not finished"):
            RunFolder.read(folder.path)
        with pytest.raises(UserError, match="no table 'converge'"):
            folder.read_table("converge")
        with pytest.raises(UserError, match=r"no file model\.safetensors"):
            folder.read_tensors("model")
        assert not folder.has_table("converge")
        assert not folder.has_tensors("model")
        assert folder.tables() == []
        assert list(folder.records()) == []
        (folder.path / "model.safetensors").write_bytes(b"torn")
        with pytest.raises(UserError, match=r"model\.safetensors: damaged"):
            folder.read_tensors("model")
        folder.write_table("converge", TABLE)
        (folder.path / "tables" / "converge.parquet").write_bytes(b"torn")
        with pytest.raises(UserError, match=r"converge\.parquet: damaged"):
            folder.read_table("converge")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, Toy()):
        with pytest.raises(UserError, match=rf"another process \(pid {os.getpid()}\)"):
            RunFolder.open(tmp_path, Toy())
        with RunFolder.open(tmp_path, Toy(steps=11)):
            pass  # another run is no matter
    with RunFolder.open(tmp_path, Toy()) as folder:
        assert not folder.finished
    folder.close()


def test_a_mistake_while_opening_gives_the_lock_back(finished: Path) -> None:
    (finished / "note.txt").write_text("changed")
    for _ in range(2):
        with pytest.raises(UserError, match=r"note\.txt"):
            RunFolder.open(finished.parent, Toy(), {"base": "ab"})


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write here") as caught:
        RunFolder.open(tmp_path / "file", Toy())
    assert "--runs" in str(caught.value)


def test_the_log_is_cut_to_the_checkpoint(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, Toy()) as folder:
        folder.truncate_log(5)  # nothing yet
        folder.log({"event": "begun"})
        for step in (10, 20, 30):
            folder.log({"step": step, "loss": float("nan"), "norms": (1.0, float("inf"))})
        with (folder.path / "metrics.jsonl").open("ab") as file:
            file.write(b'{"step": 40, "lo')
        assert [r.get("step") for r in folder.records()] == [None, 10, 20, 30]
        folder.truncate_log(20)
        folder.log({"step": 21})
        assert list(folder.records()) == [
            {"event": "begun"},
            {"step": 10, "loss": None, "norms": [1.0, None]},
            {"step": 20, "loss": None, "norms": [1.0, None]},
            {"step": 21},
        ]


@pytest.mark.parametrize("line", ["{torn", "3"])
def test_a_log_broken_in_the_middle_is_named(tmp_path: Path, line: str) -> None:
    with RunFolder.open(tmp_path, Toy()) as folder:
        (folder.path / "metrics.jsonl").write_text(f'{{"step": 1}}\n{line}\n{{"step": 2}}\n')
        with pytest.raises(UserError, match=r"metrics.jsonl: damaged: line 2"):
            folder.truncate_log(5)


def test_tensors_that_share_memory_or_are_not_contiguous(tmp_path: Path) -> None:
    stacked = torch.arange(6.0).reshape(2, 3).requires_grad_()
    with RunFolder.open(tmp_path, Toy()) as folder:
        folder.write_tensors("state", {"a": stacked[0], "b": stacked[1], "t": stacked.T})
        read, metadata = folder.read_tensors("state.safetensors")
        assert metadata == {}
        for name, expected in (("a", stacked[0]), ("b", stacked[1]), ("t", stacked.T)):
            assert torch.equal(read[name], expected)
        assert folder.sha256("state") == folder.sha256("state.safetensors")


def files_of(path: Path) -> dict[str, str]:
    found = (p for p in path.rglob("*") if p.is_file())
    return {p.relative_to(path).as_posix(): p.read_text() for p in found}


def test_a_folder_is_written_whole_and_belongs_to_the_run(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        assert list(path.iterdir()) == []
        (path / "weights").mkdir()
        (path / "weights" / "w.bin").write_text("w")
        (path / "README.md").write_text("märk\n")

    with RunFolder.open(tmp_path, Toy()) as folder:
        assert folder.write_folder("model", write) == folder.path / "model"
        assert files_of(folder.path / "model") == {"weights/w.bin": "w", "README.md": "märk\n"}
        folder.finish()
    assert {"model/weights/w.bin", "model/README.md"} < set(folder.manifest()["files"])
    assert (
        folder.sha256("model/weights/w.bin")
        == folder.manifest()["files"]["model/weights/w.bin"]["sha256"]
    )
    (folder.path / "model" / "weights" / "w.bin").write_text("v")
    with pytest.raises(UserError, match=r"model/weights/w\.bin has changed since the run finished"):
        RunFolder.read(folder.path)


def test_a_folder_stands_in_place_of_what_was_there(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, Toy()) as folder:
        folder.write_folder("model", lambda path: (path / "old").write_text("old"))
        folder.write_folder("model", lambda path: (path / "new").write_text("new"))
        assert files_of(folder.path / "model") == {"new": "new"}
        folder.write_folder("models/base", lambda path: (path / "deep").write_text("deep"))
        assert files_of(folder.path / "models") == {"base/deep": "deep"}
        folder.write_folder("empty", lambda path: None)
        assert (folder.path / "empty").is_dir()


@pytest.mark.parametrize("mistake", [OSError, KeyboardInterrupt])
def test_a_folder_that_was_not_written_whole_is_not_there(
    tmp_path: Path, mistake: type[BaseException]
) -> None:
    def write(path: Path) -> None:
        (path / "half").write_text("half")
        raise mistake

    with RunFolder.open(tmp_path, Toy()) as folder:
        with pytest.raises(mistake):
            folder.write_folder("model", write)
        assert not (folder.path / "model").exists()
        folder.write_folder("model", lambda path: (path / "old").write_text("old"))
        with pytest.raises(mistake):
            folder.write_folder("model", write)
        assert files_of(folder.path / "model") == {"old": "old"}
        assert not list(folder.path.rglob(".tmp-*"))
        folder.write_folder("model", lambda path: (path / "new").write_text("new"))
        assert files_of(folder.path / "model") == {"new": "new"}


def test_a_finished_or_foreign_run_takes_no_folder(finished: Path) -> None:
    asked = []
    folder = RunFolder.open(finished.parent, Toy(), {"base": "ab"})
    with folder, pytest.raises(RuntimeError, match="finished"):
        folder.write_folder("model", asked.append)
    with pytest.raises(RuntimeError, match="not open for writing"):
        RunFolder.read(finished).write_folder("model", asked.append)
    assert asked == []


def test_environments_of_all_sessions_are_kept(tmp_path: Path) -> None:
    for _ in range(3):
        RunFolder.open(tmp_path, Toy()).close()
    record = json.loads((tmp_path / run_id(Toy()) / "environment.json").read_text())
    assert len(record["earlier"]) == 2
    assert record["device"] == "cpu"
    assert all("earlier" not in session for session in record["earlier"])


@pytest.mark.parametrize("earlier", [3, "x", {}])
def test_earlier_sessions_that_are_no_list_are_damage(tmp_path: Path, earlier: object) -> None:
    RunFolder.open(tmp_path, Toy()).close()
    (tmp_path / run_id(Toy()) / "environment.json").write_text(json.dumps({"earlier": earlier}))
    with pytest.raises(UserError, match=r"environment\.json: damaged"):
        RunFolder.open(tmp_path, Toy())


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with RunFolder.open(tmp_path, Toy()) as folder:
        folder.log({"step": 1})
        with monkeypatch.context() as full:
            full.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:5]))
            with pytest.raises(OSError, match="No space left") as caught:
                folder.log({"step": 2})
        assert str(caught.value.filename).endswith("metrics.jsonl")
        folder.log({"step": 3})
        assert [record["step"] for record in folder.records()] == [1, 3]


def test_another_configuration_is_another_folder(tmp_path: Path) -> None:
    with (
        RunFolder.open(tmp_path, Toy()) as one,
        RunFolder.open(tmp_path, Toy(prior=Mixed(alpha=0.1))) as two,
    ):
        assert one.path != two.path
