"""What a task says of itself under `metadata.unskew`, checked before any model is asked.

A mistake here gives no error later: a field that no document has would make every document a source
of its own, and bounds too narrow. So would a misspelt name in place of `cluster`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from unskew.errors import UserError
from unskew.runs.mistakes import nearest

KEY = "metadata.unskew"
NAMES = ("main", "chance", "cluster", "judged", "language")
"""What it may say. The language is said for a reader; nothing here depends on it."""


class Declared(NamedTuple):
    """main: the metric of the verdict. chance: the score of guessing. cluster: the field of a
    document that names its source. beginning: only the beginning of an answer is judged."""

    main: str | None = None
    chance: float | None = None
    cluster: str | None = None
    beginning: bool = False


def read(metadata: Any, where: str) -> Declared:
    """What `unskew` in a task's metadata says. Null is the same as left out.

    Raises: UserError for a name that nothing is known by, or where a value is none that it can be.
    """
    said = (metadata.get("unskew") if isinstance(metadata, Mapping) else None) or {}
    if not isinstance(said, Mapping):
        raise UserError(f"{KEY} holds names and values, not {said!r}", where)
    if unknown := [str(name) for name in said if name not in NAMES]:
        what = f"{KEY} says {unknown[0]!r}, which is nothing it can say{nearest(unknown[0], NAMES)}"
        raise UserError(what, where, f"its names: {', '.join(NAMES)}")
    for name in ("main", "cluster"):
        if not isinstance(said.get(name), str | None):
            raise UserError(f"{KEY}.{name} is a name, not {said[name]!r}", where)
    judged = said.get("judged") or "whole"
    if judged not in ("whole", "beginning"):
        raise UserError(f"{KEY}.judged is 'whole' or 'beginning', not {judged!r}", where)
    chance = _chance(said.get("chance"), where)
    return Declared(said.get("main"), chance, said.get("cluster"), judged == "beginning")


def _chance(said: Any, where: str) -> float | None:
    if said is None:
        return None
    number = isinstance(said, int | float) and not isinstance(said, bool)
    if number and 0.0 <= said < 1.0:
        return float(said)
    what = f"{KEY}.chance, the score of guessing, is a number in [0, 1), not {said!r}"
    raise UserError(what, where, "scores are shares of 1: 0.25, not 25" if number else None)


def guessing(options: Sequence[int]) -> float:
    """The expected score of guessing, of the number of options that each document has."""
    return sum(1.0 / count for count in options) / len(options)


def check_sources(field: str | None, documents: Iterable[tuple[int, Any]], where: str) -> None:
    """Check that the documents (number, document) have the field that names their source.

    Null in some documents is allowed: such a document shares its source with no other. Where the
    field is null in all, or missing in any, nothing says which documents belong together.

    Raises: UserError that names the field, the first document without it, and the fields it has.
    """
    if field is None:
        return
    empty, found = False, False
    for number, document in documents:
        fields = list(document) if isinstance(document, Mapping) else []
        if field not in fields:
            raise UserError(
                f"{KEY}.cluster is {field!r}, which document {number} does not have"
                f"{nearest(field, fields)}",
                where=where,
                hint=f"its fields: {', '.join(fields) or 'none'}",
            )
        null = document[field] is None
        empty, found = empty or null, found or not null
    if empty and not found:
        raise UserError(f"{KEY}.cluster is {field!r}, which is null in every document", where)


def source_of(field: str | None, document: Any, number: int) -> str:
    """The source of a document; without one, a name that no other document has."""
    if field is None:
        return str(number)
    name = document.get(field) if isinstance(document, Mapping) else None
    # A bare number may be the name of a real source.
    return f"(document {number})" if name is None else str(name)
