"""Conjugations by name, as an audit knows them: the library's, and `en-fr` for the shipped book.

Translators that ask a model (`llm:`, `self:`) get it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from unskew.conjugation.base import Conjugation

ASKED = ("book:", "mt:", "llm:", "self:")
AskFor = Callable[[str], Callable[[Sequence[str]], list[str]]]


def conjugation(name: str, ask_for: AskFor | None = None) -> Conjugation:
    """The conjugation of that name; `a@b` is a after b.

    Raises: UserError for an unknown name, with the nearest one.
    """
    if name.startswith(ASKED):
        from unskew.conjugation.translation import parse_translator

        return parse_translator(name, ask_for)
    if match := re.fullmatch(r"([a-z]{2})-([a-z]{2})", name):
        from unskew.audit.tasks import phrases
        from unskew.conjugation.books import PhraseBook

        return PhraseBook(phrases(match[1], match[2]), match[1], match[2], name)
    outer, at, inner = name.partition("@")
    if at:
        return conjugation(outer, ask_for) @ conjugation(inner, ask_for)
    from unskew.conjugation.names import parse

    return parse(name)
