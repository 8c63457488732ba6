"""Run the cells of a sweep and gather what they found into one table of each name.

    grid(...)              which cells there are (axes.py)
    plan(...)              which of them are done, and how long the rest may take
    a Runner               how a list of cells is run: one by one here, or by Ray (cluster.py)
    run(...)               hands the cells to a runner, writes the tables as cells finish

A cell is an ordinary run with its own folder: `unskew run` with the same settings finds it, and a
cell that was stopped continues from its checkpoint. The sweep is a run too, `runs/sweep-<12 hex>`:

    tables/cells.parquet     a row for each cell: its values, run, state, seconds, message
    tables/metrics.parquet   the logs of all cells
    tables/<name>.parquet    every table that the cells wrote

Gathered tables begin with `sweep.cell` and a column `axis.<key>` for each axis. The manifest is
written when every cell is done or diverged; a cell that failed is tried again by the same command.

A runner decides only where and in what order cells run. `stacked` is one that has models of
one shape trained together ahead of the cells, which find them.
"""

import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from unskew.errors import UserError
from unskew.runs.axes import Cell, Grid
from unskew.runs.config import Frozen
from unskew.runs.folder import RunFolder
from unskew.runs.gathering import CELL, CELLS, Gathered
from unskew.runs.identity import EXECUTION, run_id
from unskew.runs.progress import Progress
from unskew.runs.store import Store

State = Literal["to do", "done", "diverged", "failed"]
PAUSE = 2.0  # seconds until a cell whose run another process is writing is tried again

Execute = Callable[[Any, Store, Progress], RunFolder]
"""Runs one configuration, or continues it, or returns the finished run: what `unskew run` calls.
A function of a module, so that other processes can import it."""


class SweptAxis(Frozen):
    """An axis, as the sweep's own configuration keeps it."""

    key: str
    values: tuple[Any, ...]


class Sweep(Frozen):
    """The configuration of a sweep. Its cells are named by the hash of all their settings, so that
    a changed default in the code is another sweep, as it is another run."""

    kind: Literal["sweep"] = "sweep"
    preset: str = Field(json_schema_extra=EXECUTION, description="file name only, of a file")
    axes: tuple[SweptAxis, ...]
    cells: tuple[str, ...]

    @classmethod
    def of(cls, grid: Grid) -> "Sweep":
        return cls(
            preset=Path(grid.preset).name,
            axes=tuple(SweptAxis(key=axis.key, values=axis.values) for axis in grid.axes),
            cells=tuple(run_id(cell.config) for cell in grid.cells),
        )


class Outcome(NamedTuple):
    """What came of a cell.

    Attributes:
        state: `busy` where another process is writing a run that the cell needs.
        run: the id of the finished run.
        seconds: that this attempt took; None where it was done before.
        message: the run's headline, or what went wrong.
        trace: the traceback of a defect of ours.
    """

    state: Literal["to do", "done", "diverged", "failed", "busy"]
    run: str | None = None
    seconds: float | None = None
    message: str | None = None
    trace: str | None = None


TO_DO = Outcome("to do")

Runner = Callable[[Sequence[Cell]], Generator[tuple[Cell, Outcome]]]
"""Runs cells and yields each with its outcome (never busy) as it ends, in any order. Closing the
iterator stops what is running; it then continues from its checkpoint another time."""


def attempt(config: BaseModel, execute: Execute, root: Path) -> Outcome:
    """Run one configuration in the runs folder `root`; whatever goes wrong is an outcome.

    Raises:
        KeyboardInterrupt: interrupted, everything saved.
    """
    begun = time.monotonic()
    try:
        with Progress("quiet") as progress:
            folder = execute(config, Store(root), progress)
        outcome = Outcome("done", folder.id, message=folder.extra.get("headline"))
    except UserError as error:
        outcome = _of_error(error)
    except Exception as error:
        what = f"a defect: {type(error).__name__}: {error}"
        outcome = Outcome("failed", message=what, trace=traceback.format_exc())
    return outcome._replace(seconds=time.monotonic() - begun)


def _of_error(error: UserError) -> Outcome:
    # By their words, which tests of the loop and of the lock pin down.
    if error.what.startswith("training diverged"):
        return Outcome("diverged", message=error.what)  # `where` is the whole configuration
    what = f"{error.where}: {error.what}" if error.where else error.what
    busy = error.what.startswith("another process") and "is writing this run" in error.what
    return Outcome("busy" if busy else "failed", message=what)


def in_process(execute: Execute, root: Path, say: Callable[[str], None]) -> Runner:
    """A runner that runs cells one after another, here. `say`: why it waits, if it must."""

    def run(cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        waiting, refused, told = deque(cells), 0, False
        while waiting:
            cell = waiting.popleft()
            outcome = attempt(cell.config, execute, root)
            if outcome.state == "busy":
                waiting.append(cell)
                if not told:
                    say(f"put off: {outcome.message}")
                refused, told = refused + 1, True
                if refused >= len(waiting):
                    time.sleep(PAUSE)
            else:
                refused = 0
                yield cell, outcome

    return run


class Ahead(NamedTuple):
    """What was trained for a cell before it ran: the seconds of it, and why a training diverged."""

    seconds: float = 0.0
    error: UserError | None = None


def stacked(
    train: Callable[[Sequence[Any]], Iterator[Mapping[int, Ahead]]],
    execute: Execute,
    root: Path,
    say: Callable[[str], None],
) -> Runner:
    """A runner as `in_process` that has `train` train ahead of the cells.

    A cell whose training diverged there is not run: it would diverge again. The others find what
    was trained, and are charged the time of it.

    Args:
        train: yields places of configurations, group by group, as it has trained for them.
    """

    def run(cells: Sequence[Cell]) -> Generator[tuple[Cell, Outcome]]:
        busy: dict[int, float] = {}
        for group in train([cell.config for cell in cells]):
            for place, (seconds, error) in group.items():
                cell = cells[place]
                outcome = _of_error(error) if error else attempt(cell.config, execute, root)
                if outcome.state == "busy":
                    busy[cell.number] = seconds
                else:
                    yield cell, _charged(outcome, seconds)
        late = [cell for cell in cells if cell.number in busy]
        with closing(in_process(execute, root, say)(late)) as running:
            for cell, outcome in running:
                yield cell, _charged(outcome, busy[cell.number])

    return run


def _charged(outcome: Outcome, seconds: float) -> Outcome:
    return outcome._replace(seconds=(outcome.seconds or 0.0) + seconds)


class Plan(NamedTuple):
    """What is known before anything runs.

    Attributes:
        outcomes: cell number -> what is known of it.
        seconds: the median time of `basis` finished runs that differ from the cells in the axes'
            keys only; None where there is none.
    """

    grid: Grid
    outcomes: dict[int, Outcome]
    seconds: float | None
    basis: int

    @property
    def to_do(self) -> list[Cell]:
        """The cells that are neither done nor diverged."""
        over = ("done", "diverged")
        return [cell for cell in self.grid.cells if self.outcomes[cell.number].state not in over]

    def count(self, state: State) -> int:
        """How many cells are in that state."""
        return sum(outcome.state == state for outcome in self.outcomes.values())


def plan(
    grid: Grid, folder: Path, store: Store, identify: Callable[[Any, Store], str | None]
) -> Plan:
    """What of the grid is done.

    Args:
        folder: the sweep's folder, which may not be there yet.
        identify: a configuration's run id, or None where that hangs on weights not yet trained.

    Raises:
        UserError: the sweep's table of cells is damaged.
    """
    from unskew.runs import timing

    earlier = recorded(folder)
    outcomes = {}
    for cell in grid.cells:
        before = earlier.get(cell.number, TO_DO)
        try:
            id = identify(cell.config, store)
            run = None if id is None else store.find(id)
        except UserError:
            run = None  # damaged: running the cell says so
        if run is not None:
            message = run.extra.get("headline")
            outcomes[cell.number] = Outcome("done", run.id, before.seconds, message)
        else:
            outcomes[cell.number] = before if before.state == "diverged" else TO_DO
    times = timing.finished(store.root, grid)
    return Plan(grid, outcomes, timing.median(times), len(times))


def recorded(folder: Path) -> dict[int, Outcome]:
    """What earlier sessions wrote of each cell, by its number; empty where there is no table.

    Raises:
        UserError: the table is damaged.
    """
    path = folder / "tables" / f"{CELLS}.parquet"
    if not path.exists():
        return {}
    import pandas as pd

    try:
        table = pd.read_parquet(path)
        rows = table[[CELL, "run", "state", "seconds", "message"]].to_dict("records")
    except (OSError, ValueError, KeyError) as error:
        hint = "remove it and give the command again; finished cells are found"
        raise UserError("damaged: it is not a table of cells", str(path), hint) from error
    values: list[dict[Any, Any]] = [
        {key: None if pd.isna(value) else value for key, value in row.items()} for row in rows
    ]
    return {v[CELL]: Outcome(v["state"], v["run"], v["seconds"], v["message"]) for v in values}


def run(
    plan: Plan, folder: RunFolder, store: Store, runner: Runner, progress: Progress
) -> dict[int, Outcome]:
    """Run what is to do, gather all of it into `folder`, and say what came of each cell.

    Raises:
        KeyboardInterrupt: interrupted, everything saved; the same call continues.
    """
    outcomes = dict(plan.outcomes)
    gathered = Gathered(plan.grid, folder, store)
    try:
        for cell in plan.grid.cells:
            if outcomes[cell.number].state == "done":
                outcomes[cell.number] = gathered.add(cell, outcomes[cell.number])
        gathered.write(outcomes)
        total, to_do = len(plan.grid.cells), plan.to_do
        with (
            progress.task("cells", total, total - len(to_do)) as task,
            closing(runner(to_do)) as running,
        ):
            for cell, outcome in running:
                outcomes[cell.number] = outcome = gathered.add(cell, outcome)
                defect = f"defects/cell-{cell.number}.txt"
                if outcome.trace is not None:
                    folder.write_text(defect, outcome.trace)
                else:
                    (folder.path / defect).unlink(missing_ok=True)  # of an earlier session
                progress.say(_line(cell, outcome, total))
                task.advance(1)
                gathered.write_sometimes(outcomes)
    finally:
        gathered.write(outcomes)
    if all(outcome.state in ("done", "diverged") for outcome in outcomes.values()):
        folder.finish({"headline": summary(outcomes)})
    return outcomes


def _line(cell: Cell, outcome: Outcome, total: int) -> str:
    said = f"cell {cell.number} of {total}{cell.told}: {outcome.state}"
    if outcome.seconds is not None:
        said += f" in {outcome.seconds:.1f} s"
    return said if outcome.state == "done" or not outcome.message else f"{said}: {outcome.message}"


def summary(outcomes: Mapping[int, Outcome]) -> str:
    """The states of the cells in a sentence."""
    states = [outcome.state for outcome in outcomes.values()]
    order = ("done", "diverged", "failed", "to do")
    parts = [f"{states.count(state)} {state}" for state in order if state in states]
    return f"{len(states)} cell{'s' if len(states) != 1 else ''}: {', '.join(parts)}"
