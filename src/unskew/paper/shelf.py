"""Where tables are found: first the finished runs of the user, then the reference results.

A run is known by its configuration, with all that decides no number left out (device, threads,
where a model lies), so a table of another world is never taken for this one. Every table is checked
against the hash that its run recorded. Reference results lie in `results/` of a checkout; an
installed package has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

import unskew
from unskew.errors import UserError
from unskew.runs.identity import SEMANTICS_VERSION, semantic
from unskew.runs.store import shorten

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Place", "Shelf", "reference", "same"]

T = TypeVar("T")
HINT = "restore the file, or remove the run's folder and make it again"


@dataclass(frozen=True)
class Place:
    """The tables of one thing that was run.

    Attributes:
        path: the folder. config: its configuration.
        made: tables that are computed from others, by name. names: the runs that hold those, where
            `path` is the folder of them all.
    Tables are read once.
    """

    path: Path
    config: dict[str, Any]
    made: dict[str, Callable[[], pd.DataFrame]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def table(self, name: str, columns: Collection[str]) -> pd.DataFrame:
        """A table that has these columns.

        Raises: UserError where it is missing, damaged, changed since its run or lacks a column.
        """
        table = self.once(name, self.made.get(name, lambda: self._read(name)))
        if lacking := [column for column in columns if column not in table.columns]:
            listed = ", ".join(lacking)
            raise UserError(f"the table lacks the column {listed}", self.where(name), HINT)
        return table

    def once(self, name: str, find: Callable[[], T]) -> T:
        """What is computed from these tables, once by its name."""
        if name not in self._kept:
            self._kept[name] = find()
        return self._kept[name]

    def has(self, name: str) -> bool:
        """Whether there is a table of that name, on the disk or computed from others."""
        return name in self.made or self._file(name).exists()

    def where(self, name: str) -> str:
        """The path of a table, as short as it can be said."""
        if name not in self.made:
            return shorten(self._file(name))
        return ", ".join(shorten(self.path / one) for one in self.names or (".",))

    def _file(self, name: str) -> Path:
        return self.path / "tables" / f"{name}.parquet"

    def _read(self, name: str) -> pd.DataFrame:
        import pandas as pd

        file = self._file(name)
        try:
            recorded = _recorded(self.path, f"tables/{name}.parquet")
            if recorded and hashlib.sha256(file.read_bytes()).hexdigest() != recorded:
                raise UserError("damaged: it has changed since its run", shorten(file), HINT)
            return pd.read_parquet(file)
        except FileNotFoundError as error:
            raise UserError("there is no such table", shorten(file), HINT) from error
        except (OSError, ValueError) as error:
            raise UserError("damaged: it is not a Parquet file", shorten(file), HINT) from error


@dataclass(frozen=True)
class Entry:
    """A folder with its configuration, as it was written: {"id", "config", ...}."""

    path: Path
    doc: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration; of what is gathered from many runs, the file itself."""
        found = self.doc.get("config", self.doc)
        return found if isinstance(found, dict) else {}

    def place(self) -> Place:
        """Its tables."""
        return Place(self.path, self.config)


@dataclass(frozen=True)
class Shelf:
    """The folders that are searched.

    Attributes:
        runs: the folder of runs, which need not exist. results: that of reference results. None:
            not looked at.
    """

    runs: Path | None
    results: Path | None = None
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def shelves(self) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
        """What is finished: in `runs`, the newest first; in `results`."""
        own = () if self.runs is None else tuple(_finished(self.runs))
        return own, () if self.results is None else tuple(_gathered(self.results))

    def once(self, part: str, find: Callable[[Shelf], T]) -> T:
        """What `find` finds here, looked up once by its name."""
        if part not in self._known:
            self._known[part] = find(self)
        return self._known[part]

    def places(self, config: BaseModel) -> list[Place]:
        """The finished runs of a configuration, those of the user first."""
        kind = getattr(config, "kind", None)
        return [
            entry.place()
            for shelf in self.shelves
            for entry in shelf
            if entry.config.get("kind") == kind and same(entry.config, config)
        ]


def reference() -> Path | None:
    """`results/` of the checkout that this code runs from; None for an installed package."""
    root = Path(unskew.__file__).resolve().parents[2]
    found = root / "results"
    return found if (root / "src" / "unskew").is_dir() and found.is_dir() else None


def same(stored: dict[str, Any], config: BaseModel) -> bool:
    """Whether a stored configuration decides the same numbers."""
    try:
        other = type(config).model_validate_json(json.dumps(stored), strict=True)
    except ValidationError:
        return False  # of another version, or of another kind
    return semantic(other) == semantic(config)


def _finished(runs: Path) -> Iterator[Entry]:
    if not runs.is_dir():
        return
    found = []
    for path in runs.iterdir():
        manifest, doc = _json(path / "manifest.json"), _json(path / "config.json")
        # Another meaning of the same text is another run.
        if manifest and doc and doc.get("semantics") == SEMANTICS_VERSION:
            found.append((str(manifest.get("finished")), Entry(path, doc)))
    yield from (entry for _, entry in sorted(found, key=lambda one: one[0], reverse=True))


def _gathered(results: Path) -> Iterator[Entry]:
    for file in sorted(results.rglob("config.json")):
        doc = _json(file)
        if doc and doc.get("semantics", SEMANTICS_VERSION) == SEMANTICS_VERSION:
            yield Entry(file.parent, doc)


def _recorded(path: Path, name: str) -> str | None:
    """The SHA-256 of a file in its run's manifest; None where there is none (gathered tables)."""
    if not (path / "manifest.json").exists():
        return None
    try:
        return str(json.loads((path / "manifest.json").read_text("utf-8"))["files"][name]["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        where = shorten(path / "manifest.json")
        raise UserError(f"damaged: it does not list {name}", where, HINT) from error


def _json(file: Path) -> dict[str, Any] | None:
    """What is not there or no JSON object is nobody's run: `unskew runs` tells of it."""
    try:
        doc = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return doc if isinstance(doc, dict) else None
