"""Sweeps: what runs, what is left behind, and how long it may take."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from toys import AnyToy, Other, Toy
from unskew.errors import UserError
from unskew.runs import sweep as sweeps
from unskew.runs import timing
from unskew.runs.axes import Cell, Grid, grid
from unskew.runs.folder import RunFolder
from unskew.runs.identity import run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store
from unskew.runs.sweep import (
    Ahead,
    Outcome,
    Runner,
    Sweep,
    attempt,
    in_process,
    plan,
    run,
    stacked,
)

SCHEMA: TypeAdapter[Any] = TypeAdapter(AnyToy)


# --- running --------------------------------------------------------------------------------------


def execute(config: Toy | Other, store: Store, progress: Progress) -> RunFolder:
    """A run of toys: some diverge, some are wrong, one is a defect."""
    assert isinstance(config, Toy)
    with store.open(config) as folder:
        if not folder.finished:
            match config.steps:
                case 13:
                    raise UserError("training diverged: the loss is nan at step 1", repr(config))
                case 14:
                    raise UserError("there is no such file", "words.txt")
                case 15:
                    raise ZeroDivisionError("by nothing")
            folder.log({"step": config.steps, "loss": 1 / config.steps, "note": "fine"})
            rows = [{"alpha": 0.5, "k": k, "estimate": config.steps + k} for k in range(2)]
            folder.write_table("results", pd.DataFrame(rows))
            folder.write_table("cells", pd.DataFrame({"n": [config.steps]}))
            folder.finish({"headline": f"{config.steps} steps"})
        return folder


def identify(config: Toy, store: Store) -> str:
    return run_id(config)


class Swept:
    """A sweep of the toy preset in a folder."""

    def __init__(self, preset: str, root: Path, *texts: str) -> None:
        self.grid: Grid = grid(preset, texts, SCHEMA)
        self.root, self.store = root, Store(root, shipped=False)
        self.said: list[str] = []
        self.ran: list[int] = []

    @property
    def path(self) -> Path:
        return self.root / run_id(Sweep.of(self.grid))

    def plan(self) -> sweeps.Plan:
        return plan(self.grid, self.path, self.store, identify)

    def runner(self, cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        with closing(in_process(execute, self.root, self.said.append)(cells)) as inner:
            for cell, outcome in inner:
                self.ran.append(cell.number)
                yield cell, outcome

    def run(self, runner: Runner | None = None) -> dict[int, Outcome]:
        with RunFolder.open(self.root, Sweep.of(self.grid)) as folder, Progress("quiet") as quiet:
            return run(self.plan(), folder, self.store, runner or self.runner, quiet)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.path / "tables" / f"{name}.parquet")


def test_tables_of_all_cells_with_the_axes_in_front(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1,2", "prior={kind: wide},{kind: narrow}")
    outcomes = swept.run()
    assert [one.state for one in outcomes.values()] == ["done"] * 4
    results = swept.table("results")
    front = ["sweep.cell", "axis.steps", "axis.prior"]
    assert list(results) == [*front, "alpha", "k", "estimate"]
    assert list(results["sweep.cell"]) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert list(results["axis.steps"]) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert results["axis.prior"][2] == '{"kind": "narrow"}'
    assert list(results["estimate"]) == [1, 2, 1, 2, 2, 3, 2, 3]
    assert list(swept.table("cells-of-runs")["n"]) == [1, 1, 2, 2]
    metrics = swept.table("metrics")
    assert list(metrics) == [*front, "step", "loss", "note"]
    assert list(metrics["loss"]) == [1, 1, 0.5, 0.5]
    cells = swept.table("cells")
    assert list(cells) == [*front, "run", "state", "seconds", "message"]
    assert list(cells["run"]) == [run_id(cell.config) for cell in swept.grid.cells]
    assert list(cells["message"]) == ["1 steps", "1 steps", "2 steps", "2 steps"]
    folder = RunFolder.read(swept.path)
    assert folder.extra["headline"] == "4 cells: 4 done"
    assert folder.config["axes"][0] == {"key": "steps", "values": [1, 2]}
    assert folder.config["preset"] == "toy.yaml"  # nobody's folder is in it


def test_a_diverged_cell_is_recorded_and_the_sweep_is_finished(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=12,13")
    assert [one.state for one in swept.run().values()] == ["done", "diverged"]
    cells = swept.table("cells")
    assert list(cells["state"]) == ["done", "diverged"]
    assert cells["message"][1] == "training diverged: the loss is nan at step 1"
    assert cells["run"].isna().tolist() == [False, True]
    assert (swept.path / "manifest.json").exists()
    assert swept.plan().to_do == []


def test_a_sweep_without_axes_has_no_empty_brackets(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs")
    (outcome,) = swept.run().values()
    (cell,) = swept.grid.cells
    assert sweeps._line(cell, outcome, 1).startswith("cell 1 of 1: done")


def test_failed_cells_are_tried_again(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=12..15")
    assert [one.state for one in swept.run().values()] == ["done", "diverged", "failed", "failed"]
    messages = list(swept.table("cells")["message"])
    assert messages[2:] == [
        "words.txt: there is no such file",
        "a defect: ZeroDivisionError: by nothing",
    ]
    assert "ZeroDivisionError" in (swept.path / "defects" / "cell-4.txt").read_text()
    assert not (swept.path / "manifest.json").exists()
    assert swept.ran == [1, 2, 3, 4]
    swept.run()
    assert swept.ran == [1, 2, 3, 4, 3, 4]
    # Of a cell that works in the end no traceback is kept.
    swept.run(lambda cells: ((cell, Outcome("failed", message="no room")) for cell in cells))
    assert not (swept.path / "defects" / "cell-4.txt").exists()


def test_what_is_interrupted_continues(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1..5")

    def interrupted(cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        for cell, outcome in swept.runner(cells):
            if cell.number == 3:
                raise KeyboardInterrupt
            yield cell, outcome

    with pytest.raises(KeyboardInterrupt):
        swept.run(interrupted)
    assert list(swept.table("cells")["state"]) == ["done", "done", "to do", "to do", "to do"]
    planned = swept.plan()
    assert [cell.number for cell in planned.to_do] == [4, 5]  # the third had been done
    swept.ran.clear()
    swept.run()
    assert swept.ran == [4, 5]
    whole = Swept(preset, tmp_path / "other", "steps=1..5")
    whole.run()
    for name in ("results", "metrics", "cells-of-runs"):
        pd.testing.assert_frame_equal(swept.table(name), whole.table(name))
    pd.testing.assert_frame_equal(
        swept.table("cells").drop(columns="seconds"), whole.table("cells").drop(columns="seconds")
    )


def test_tables_are_there_as_cells_finish(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1..3")
    now, states = [time.monotonic()], []
    monkeypatch.setattr("unskew.runs.gathering.time.monotonic", lambda: now[0])

    def slow(cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        for cell, outcome in swept.runner(cells):
            states.append(list(swept.table("cells")["state"]))
            now[0] += 10.0
            yield cell, outcome

    swept.run(slow)
    assert states == [["to do"] * 3, ["done", "to do", "to do"], ["done", "done", "to do"]]


def test_cells_may_end_in_any_order(preset: str, tmp_path: Path) -> None:
    forth, back = (Swept(preset, tmp_path / name, "steps=1..4") for name in ("forth", "back"))
    forth.run()
    back.run(lambda cells: back.runner(list(reversed(cells))))
    assert back.ran == [4, 3, 2, 1]
    pd.testing.assert_frame_equal(forth.table("results"), back.table("results"))


def test_a_run_that_another_process_writes_is_put_off(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1..3")
    other = RunFolder.open(swept.root, swept.grid.cells[0].config)
    assert attempt(swept.grid.cells[0].config, execute, swept.root).state == "busy"
    # Its clock alone: other threads of the suite sleep, too.
    clock = SimpleNamespace(sleep=lambda _: other.close(), monotonic=time.monotonic)
    monkeypatch.setattr(sweeps, "time", clock)
    assert {one.state for one in swept.run().values()} == {"done"}
    assert swept.ran == [2, 3, 1]
    assert len(swept.said) == 1
    assert swept.said[0].startswith("put off: ")


def test_a_cell_whose_run_is_damaged_fails_and_says_so(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1,2")
    swept.run()
    run = swept.root / run_id(swept.grid.cells[1].config)
    (run / "tables" / "results.parquet").write_bytes(b"")
    again = Swept(preset, tmp_path / "runs", "steps=1..2")
    (again.path / "manifest.json").unlink()
    assert [one.state for one in again.run().values()] == ["done", "failed"]
    assert "damaged" in again.table("cells")["message"][1]


def test_a_run_that_cannot_be_seen_here_fails(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a cluster whose machines do not share the runs folder."""
    monkeypatch.setattr("unskew.runs.gathering.UNSEEN", 0.0)
    swept, elsewhere = Swept(preset, tmp_path / "runs", "steps=1"), tmp_path / "elsewhere"
    outcomes = swept.run(in_process(execute, elsewhere, swept.said.append))
    assert outcomes[1].state == "failed"
    assert "must see the same runs folder" in (outcomes[1].message or "")


def test_a_damaged_table_of_cells_is_named(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=13..14")
    swept.run()
    (swept.path / "tables" / "cells.parquet").write_bytes(b"x")
    with pytest.raises(UserError, match="not a table of cells"):
        swept.plan()


def test_trained_ahead_cells_are_charged_and_what_diverged_there_is_not_run(
    preset: str, tmp_path: Path
) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1..3")
    asked: list[Sequence[Any]] = []

    def train(configs: Sequence[Any]) -> Iterator[dict[int, Ahead]]:
        asked.append(configs)
        diverged = UserError("training diverged: the loss is nan at step 7", repr(configs[1]))
        yield {2: Ahead()}
        assert ran == [3], "what the first group needs is there: it runs"
        yield {0: Ahead(1000.0), 1: Ahead(2000.0, diverged)}

    ran, noted = noting()
    outcomes = swept.run(stacked(train, noted, swept.root, swept.said.append))
    assert asked == [[cell.config for cell in swept.grid.cells]]
    assert [one.state for one in outcomes.values()] == ["done", "diverged", "done"]
    assert outcomes[2].message == "training diverged: the loss is nan at step 7"
    assert ran == [3, 1]
    seconds = list(swept.table("cells")["seconds"])
    assert 1000 < seconds[0] < 1500
    assert seconds[1] == 2000
    assert 0 <= seconds[2] < 500


def test_a_cell_that_another_process_runs_is_put_off_until_all_groups_were_run(
    preset: str, tmp_path: Path
) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1..3")
    ran, noted = noting()

    def train(configs: Sequence[Any]) -> Iterator[dict[int, Ahead]]:
        with swept.store.open(configs[0]):
            yield {0: Ahead(1000.0), 1: Ahead()}
        yield {2: Ahead()}

    outcomes = swept.run(stacked(train, noted, swept.root, swept.said.append))
    assert [one.state for one in outcomes.values()] == ["done"] * 3
    assert ran == [1, 2, 3, 1]
    assert swept.table("cells")["seconds"][0] > 1000


def noting() -> tuple[list[int], sweeps.Execute]:
    """`execute`, and the steps of what it was given."""
    ran: list[int] = []

    def noted(config: Toy, store: Store, progress: Progress) -> RunFolder:
        ran.append(config.steps)
        return execute(config, store, progress)

    return ran, noted


# --- how long it may take -------------------------------------------------------------------------


def test_time_is_estimated_from_finished_runs_that_differ_in_the_axes_only(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(f"2030-01-01T00:{minute:02}:00Z" for minute in (0, 2, 3, 7, 8, 59))
    monkeypatch.setattr("unskew.runs.environment.utc_now", lambda: next(clock))
    store = Store(tmp_path / "runs", shipped=False)
    with Progress("quiet") as quiet:
        for config in (Toy(steps=1), Toy(steps=2), Toy(steps=1, label="other")):
            execute(config, store, quiet)
    monkeypatch.undo()
    swept = Swept(preset, store.root, "steps=2..5")
    assert sorted(timing.finished(store.root, swept.grid)) == [120, 240]
    assert (swept.plan().seconds, swept.plan().basis) == (180, 2)
    assert Swept(preset, store.root, "prior.alpha=0.1,0.2").plan().seconds is None


def test_a_run_of_several_sessions_says_nothing_of_its_time(preset: str, tmp_path: Path) -> None:
    swept = Swept(preset, tmp_path / "runs", "steps=1,2")
    RunFolder.open(swept.root, swept.grid.cells[0].config).close()  # an earlier session
    swept.run()
    assert swept.plan().basis == 1


def test_a_run_whose_model_was_trained_with_others_took_its_share(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(f"2030-01-01T00:{minute:02}:00Z" for minute in (0, 16))
    monkeypatch.setattr("unskew.runs.environment.utc_now", lambda: next(clock))
    swept = Swept(preset, tmp_path / "runs", "steps=1,2")
    with swept.store.open(swept.grid.cells[0].config) as folder:
        folder.finish({"together": 8})
    assert timing.finished(swept.root, swept.grid) == [120]
