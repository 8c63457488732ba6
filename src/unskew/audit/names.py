"""Conjugations by name, as an audit knows them: the library's, and `en-fr` for the shipped book."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from unskew.conjugation.base import Conjugation
from unskew.conjugation.books import PhraseBook
from unskew.conjugation.names import parse

AskFor = Callable[[str], Callable[[Sequence[str]], list[str]]]


def conjugation(name: str, ask_for: AskFor | None = None) -> Conjugation:
    """The conjugation of that name; `a@b` is b first, then a.

    Args:
        ask_for: gives translators that ask a model (`llm:`, `self:`) their model.

    Raises: UserError for an unknown name, with the nearest one.
    """
    return parse(name, ask_for, _shipped)


def _shipped(name: str) -> Conjugation | None:
    match = re.fullmatch(r"([a-z]{2})-([a-z]{2})", name)
    return _book(match[1], match[2]) if match else None


@cache
def _book(source: str, target: str) -> PhraseBook:
    """The phrases of the tasks that ship."""
    from unskew.audit.tasks import phrases

    return PhraseBook(phrases(source, target), source, target, f"{source}-{target}")
