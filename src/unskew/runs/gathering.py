"""The tables of a sweep: what its cells wrote, one below the other, with the axes in front.

Rewritten whole and atomically as cells finish, so that a half-done sweep can be looked at. Columns
begin with `sweep.cell` and a column `axis.<key>` for each axis; names with a dot are no column of
any experiment, so nothing is shadowed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unskew.errors import UserError
from unskew.runs.axes import Cell, Grid
from unskew.runs.folder import RunFolder
from unskew.runs.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from unskew.runs.sweep import Outcome

CELLS, METRICS = "cells", "metrics"
CELL = "sweep.cell"
UNSEEN = 60.0  # seconds that a shared file system may take to show what another machine wrote


class Gathered:
    """The tables of the cells that are done, with the axes in front."""

    def __init__(self, grid: Grid, folder: RunFolder, store: Store) -> None:
        self.grid, self.folder, self.store = grid, folder, store
        self.parts: dict[str, dict[int, pd.DataFrame]] = {}
        self.columns = {f"axis.{axis.key}": _dtype(axis.values) for axis in grid.axes}
        self._written_at, self._took = time.monotonic(), 0.0

    def add(self, cell: Cell, outcome: Outcome) -> Outcome:
        """Take the tables of a cell that is done; the outcome, `failed` if they are not there."""
        if outcome.state != "done" or outcome.run is None:
            return outcome
        try:
            found = self._find(outcome.run)
            tables = {_kept(name): found.read_table(name) for name in found.tables()}
            if records := list(found.records()):
                tables[METRICS] = _records(records)
        except UserError as error:
            return outcome._replace(state="failed", message=" ".join(str(error).split()))
        for name, table in tables.items():
            self.parts.setdefault(name, {})[cell.number] = table
        return outcome

    def _find(self, id: str) -> RunFolder:
        until = time.monotonic() + UNSEEN
        while (found := self.store.find(id)) is None:
            if time.monotonic() > until:
                raise UserError(
                    "the cell says it is done, and its run is not to be seen here",
                    str(self.store.root / id),
                    "every machine of a cluster must see the same runs folder",
                )
            time.sleep(1.0)
        return found

    def write_sometimes(self, outcomes: Mapping[int, Outcome]) -> None:
        """Write, unless that would take more than a small part of the time."""
        if time.monotonic() - self._written_at > max(2.0, 20 * self._took):
            self.write(outcomes)

    def write(self, outcomes: Mapping[int, Outcome]) -> None:
        """Write every table, each atomically."""
        import pandas as pd

        begun = time.monotonic()
        cells = {cell.number: cell for cell in self.grid.cells}
        for name, parts in sorted(self.parts.items()):
            whole = pd.concat([parts[number] for number in sorted(parts)], ignore_index=True)
            numbers = [number for number in sorted(parts) for _ in range(len(parts[number]))]
            front = self._front([cells[number] for number in numbers])
            self.folder.write_table(name, pd.concat([front, _writable(whole)], axis=1))
        self.folder.write_table(CELLS, self._cells(outcomes))
        self._written_at = time.monotonic()
        self._took = self._written_at - begun

    def _cells(self, outcomes: Mapping[int, Outcome]) -> pd.DataFrame:
        import pandas as pd

        found = [outcomes[cell.number] for cell in self.grid.cells]
        columns = {
            "run": pd.Series([one.run for one in found], dtype="str"),
            "state": pd.Series([one.state for one in found], dtype="str"),
            "seconds": pd.Series([one.seconds for one in found], dtype="float64"),
            "message": pd.Series([one.message for one in found], dtype="str"),
        }
        return pd.concat([self._front(self.grid.cells), pd.DataFrame(columns)], axis=1)

    def _front(self, cells: Sequence[Cell]) -> pd.DataFrame:
        import pandas as pd

        front: dict[str, pd.Series] = {
            CELL: pd.Series([cell.number for cell in cells], dtype="Int64")
        }
        for axis, (name, dtype) in zip(self.grid.axes, self.columns.items(), strict=True):
            values = [_said(cell.values[axis.key], dtype) for cell in cells]
            front[name] = pd.Series(values, dtype=dtype)
        return pd.DataFrame(front)


def _kept(name: str) -> str:
    """The name under which the cells' table is gathered: two names are the sweep's own."""
    return f"{name}-of-runs" if name in (CELLS, METRICS) else name


def _dtype(values: Sequence[Any]) -> Any:
    """The type of an axis' column; what is no number and no truth value is text."""
    kinds = {type(value) for value in values if value is not None}
    match kinds:
        case _ if kinds == {bool}:
            return "boolean"
        case _ if kinds == {int}:
            return "Int64"
        case _ if kinds and kinds <= {int, float}:
            return "float64"
        case _:
            return "str"


def _said(value: Any, dtype: Any) -> Any:
    """A value for its column: null is null, a group or a list is its JSON."""
    if value is None or dtype != "str" or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _writable(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that hold numbers in one cell and text in another become text."""
    import pandas as pd

    mixed = {
        name: pd.Series([None if pd.isna(v) else str(v) for v in column], dtype="str")
        for name, column in table.items()
        if column.dtype == object
    }
    return table.assign(**mixed) if mixed else table  # type: ignore[arg-type]


def _records(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The log of a run as a table: numbers are numbers, everything else text."""
    import pandas as pd

    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        number = all(v is None or (isinstance(v, int | float) and v is not True) for v in values)
        dtype = "float64" if number else "str"
        columns[name] = pd.Series([_said(value, dtype) for value in values], dtype=dtype)
    return pd.DataFrame(columns)
