"""Which cells a sweep has: `key=values` texts -> axes -> a grid of validated configurations.

What follows `=` is a list of YAML values whose outer brackets may be left out:

    alpha=0.2,0.5,0.8            three values; the same as alpha=[0.2, 0.5, 0.8]
    seed=0..4                    0, 1, 2, 3, 4: a range of whole numbers holds both ends
    seed=0..4,10                 the same and 10
    prior={kind: continuous}     one value, a group
    gammas=[[1, 2]]              one value, the list [1, 2]
    gammas=[1, 2],[1, 3]         two values, each a list

So `gammas=[1, 2]` means the values 1 and 2: a value that is itself a list and stands alone takes a
second pair of brackets. Cells are numbered from 1; the last axis turns fastest.
"""

import itertools
import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from unskew.errors import UserError
from unskew.runs import mistakes
from unskew.runs.config import load, parse_yaml
from unskew.runs.identity import canonical, semantic

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MOST_CELLS = 10_000
"""More than these are taken for a slip of the finger."""

LISTS = "a value that is itself a list takes a second pair of brackets, as in: {key}=[[1, 2]]"


class Axis(NamedTuple):
    """A key of the configuration and the values it takes, one or more, all different."""

    key: str
    values: tuple[Any, ...]


class Cell(NamedTuple):
    """One configuration of a sweep. `number` counts from 1; `values` are those of the axes."""

    number: int
    values: dict[str, Any]
    config: BaseModel

    @property
    def label(self) -> str:
        """As it would be given to `unskew run`: alpha=0.2 seed=3."""
        return label(self.values)

    @property
    def told(self) -> str:
        """The label as it follows a cell's number; nothing where the sweep has no axes."""
        return f" ({self.label})" if self.values else ""


class Grid(NamedTuple):
    """A preset, the axes, and a validated cell for each combination of their values."""

    preset: str
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]


def label(values: dict[str, Any]) -> str:
    """The values of a cell in one line."""
    return " ".join(f"{key}={_shown(value)}" for key, value in values.items())


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parse(text: str) -> Axis:
    """One `key=values` text; see above for what it means.

    Raises:
        UserError: not of that form, no value, a value given twice, a range that is none.
    """
    key, equals, written = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise UserError("an axis is written key=values", text, "as in: alpha=0.2,0.5 or seed=0..4")
    if not written:
        raise UserError("no value is given", text, f"for null write {key}=null")
    if written.endswith(","):
        raise UserError(
            "it ends in a comma, after which a value lacks", text, LISTS.format(key=key)
        )
    try:
        values = parse_yaml(f"[{written}]")
    except ValueError as error:
        hint = "a text with a comma, bracket or colon in it is written in quotes"
        raise UserError(f"the values are not valid YAML: {error}", text, hint) from None
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]  # the outer brackets were there
    if not values:
        raise UserError("no value is given", text, f"for an empty list write {key}=[[]]")
    values = [one for value in values for one in _range(value, text)]
    seen: set[str] = set()
    for value in values:
        said = json.dumps(value, sort_keys=True)
        if said in seen:
            raise UserError(f"the value {_shown(value)} is given twice", text)
        seen.add(said)
    return Axis(key, tuple(values))


def _range(value: Any, text: str) -> Sequence[Any]:
    """The whole numbers of `a..b`; any other value alone."""
    if not isinstance(value, str) or not re.fullmatch(r"[-+.0-9eE]+\.\.[-+.0-9eE]+", value):
        return [value]
    ends = re.fullmatch(r"([-+]?[0-9]+)\.\.([-+]?[0-9]+)", value)
    if ends is None:
        hint = "give the values one by one, as in: alpha=0.1,0.2"
        raise UserError(f"{value}: a range has two whole numbers", text, hint)
    first, last = int(ends[1]), int(ends[2])
    if first > last:
        raise UserError(f"{value}: this range is empty", text, f"write {last}..{first}")
    _few_enough(last - first + 1)
    return range(first, last + 1)


def _few_enough(count: int) -> None:
    if count > MOST_CELLS:
        raise UserError(
            f"{count:,} cells are more than the {MOST_CELLS:,} that a sweep may have",
            hint="split it into several sweeps",
        )


def grid(
    preset: str, texts: Sequence[str], schema: "TypeAdapter[Any]", fixed: Sequence[str] = ()
) -> Grid:
    """Every combination of the axes' values, each validated as `unskew run` would.

    Args:
        preset: the name of a shipped preset, or the path of a YAML file.
        texts: `key=values`.
        schema: what each configuration must be.
        fixed: `key=value` overrides of every cell that are no axis (the number of threads).

    Raises:
        UserError: a malformed axis, a key swept twice, too many cells, a cell whose configuration
            is wrong (it is named), two cells that are the same run.
    """
    axes = tuple(parse(text) for text in texts)
    keys = [axis.key for axis in axes]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise UserError("this key is swept twice", twice[0], "give all its values at once")
    total = math.prod(len(axis.values) for axis in axes)
    _few_enough(total)
    cells: list[Cell] = []
    known: dict[str, Cell] = {}
    for number, values in enumerate(itertools.product(*(axis.values for axis in axes)), start=1):
        chosen = dict(zip(keys, values, strict=True))
        which = f"cell {number} of {total}"
        cell = Cell(number, chosen, _validated(preset, chosen, fixed, schema, which))
        same = known.setdefault(canonical(semantic(cell.config)), cell)
        if same is not cell:
            raise UserError(
                f"cells {same.number} ({same.label}) and {number} ({cell.label}) are the same run",
                hint="leave out the values that change nothing (threads and device never do)",
            )
        cells.append(cell)
    return Grid(preset, axes, tuple(cells))


def _validated(
    preset: str,
    values: dict[str, Any],
    fixed: Sequence[str],
    schema: "TypeAdapter[Any]",
    which: str,
) -> BaseModel:
    # JSON is YAML that cannot be misread.
    changes = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    try:
        return load(preset, [*changes, *fixed], schema)
    except UserError as error:
        _raise_of_preset(preset, schema, error)
        where = f"{which} ({label(values)})" if values else which
        what = f"{error.where}: {error.what}" if error.where else error.what
        key = next((key for key in values if what.startswith(f"{key}: ")), "key")
        hint = LISTS.format(key=key) if mistakes.LIST in what else error.hint
        raise UserError(what, where, hint) from None


def _raise_of_preset(preset: str, schema: "TypeAdapter[Any]", error: UserError) -> None:
    """Raise what is wrong with the preset itself, which no cell is to blame for."""
    try:
        load(preset, [], schema)
    except UserError as alone:
        if str(alone) == str(error):
            raise alone from None
