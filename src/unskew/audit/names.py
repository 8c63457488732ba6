"""Conjugations by name, as an audit knows them: the library's, and `en-fr` for a book of phrases:
those of the shipped tasks, and those in the phrases.jsonl of included folders."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from unskew.conjugation.base import Conjugation
from unskew.conjugation.books import PhraseBook, parallel
from unskew.conjugation.names import parse
from unskew.errors import UserError

AskFor = Callable[[str], Callable[[Sequence[str]], list[str]]]

PHRASES = "phrases.jsonl"


def conjugation(
    name: str, ask_for: AskFor | None = None, include: Sequence[Path] = ()
) -> Conjugation:
    """The conjugation of that name; `a@b` is b first, then a.

    Args:
        ask_for: gives translators that ask a model (`llm:`, `self:`) their model.
        include: folders of tasks, whose phrases the books of `en-fr` and the like hold too.

    Raises: UserError for an unknown name, with the nearest one.
    """
    files = tuple(folder / PHRASES for folder in include if (folder / PHRASES).is_file())

    def book(name: str) -> Conjugation | None:
        match = re.fullmatch(r"([a-z]{2,3})-([a-z]{2,3})", name)
        return _book(match[1], match[2], files) if match else None

    return parse(name, ask_for, book)


@cache
def _book(source: str, target: str, files: tuple[Path, ...]) -> PhraseBook:
    from unskew.audit.tasks import phrases

    entries: list[tuple[str, str]] = []
    places: list[str] = []
    try:
        entries += phrases(source, target)
    except UserError:
        if not files:
            raise
    places += [f"entry {i}" for i in range(1, len(entries) + 1)]
    for file in files:
        more, lines = parallel(file, source, target)
        entries += more
        places += [f"{file.name}, {line}" for line in lines]
    return PhraseBook(entries, source, target, f"{source}-{target}", places)
