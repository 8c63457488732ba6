"""Answers that are kept as they arrive, a line of JSON each: what an earlier session left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unskew.errors import UserError


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
