"""Files with a line of JSON each: a user's objects, and answers that are kept as they arrive."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from unskew.errors import AbsentError, UserError


class Line(NamedTuple):
    """A line of a JSONL file: its number, from 1, its place in words, its object."""

    number: int
    where: str
    row: dict[str, Any]


def objects(path: Path | Traversable, form: str) -> list[Line]:
    """The objects of a JSONL file, in order; empty lines are left out.

    Args:
        form: what a line looks like, for messages.

    Raises: UserError with file and line: not there, not UTF-8, not JSON, not an object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AbsentError("there is no such file", str(path), form) from None
    except (OSError, UnicodeDecodeError) as error:
        what = "not a text in UTF-8" if isinstance(error, UnicodeDecodeError) else "cannot be read"
        raise UserError(what, str(path), form) from None
    found = []
    # JSON may hold what `splitlines` takes for the end of a line, such as U+2028.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"not JSON: {error}", where, form) from None
        if not isinstance(row, dict):
            raise UserError("not an object", where, form)
        found.append(Line(number, where, row))
    return found


def kept(path: Path, width: int | None = None) -> dict[str, list[Any]]:
    """The lists of a file, by their first entry; {} where there is no file. What a kill tore off is
    cut away, so that more can be appended.

    Args:
        width: entries after the first that each list must have; None: any number.

    Raises: UserError for a whole line that is no such list.
    """
    if not path.exists():
        return {}
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    found = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            key, *rest = json.loads(line)
            if width is not None and len(rest) != width:
                raise ValueError(f"{len(rest)} entries, not {width}")
        except (ValueError, TypeError) as error:
            hint = "remove the file: what it held is asked anew"
            raise UserError(f"damaged: line {number} is no answer", str(path), hint) from error
        found[key] = rest
    return found
