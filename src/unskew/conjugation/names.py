"""Conjugations by the words of the command line.

`pig-latin` is a cipher, `wrapper:80` a control with its setting, `book:FILE.jsonl:en-fr` a
translation, `a@b` their composition: b first, then a. A translation is written whole, languages
last, and may hold `@` itself: `llm:MODEL@http://host/v1:en-fr`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from unskew.conjugation.base import Conjugation, Identity, Promise
from unskew.conjugation.ciphers import (
    Leetspeak,
    LeetspeakCommon,
    LetterReversal,
    Rot13,
    Upper,
    WordReversal,
)
from unskew.conjugation.controls import LANGUAGES, Paraphrase, UnknownCipher, Wrapper
from unskew.conjugation.piglatin import PigLatin, PigLatinCommon
from unskew.conjugation.spelling import Base64, Morse, Nato
from unskew.errors import UserError

_SIMPLE: tuple[type[Conjugation], ...] = (
    PigLatin,
    PigLatinCommon,
    Leetspeak,
    LeetspeakCommon,
    Rot13,
    WordReversal,
    LetterReversal,
    Upper,
    Morse,
    Nato,
    Base64,
    Identity,
)
TRANSLATIONS = {
    "en-fr": "by the phrases of our tasks (en, fr, es, nl, hu, de); in audits, of --include, too",
    "book:FILE.jsonl:en-fr": "by phrases of your own",
    "mt:ID_OR_FOLDER:en-fr": "by a translation model",
    "llm:MODEL@BASE_URL:en-fr": "by a language model behind an OpenAI-compatible server",
    "self:en-fr": "by the audited base model itself",
}
"""The forms of translations, for messages and help; en-fr stands for any two languages."""
_PREFIXES = ("book:", "mt:", "llm:", "self:")
_PREFIXED = tuple(form for form in TRANSLATIONS if form.startswith(_PREFIXES))
# Up to the first pair of languages that ends the text or the part before "@".
_TRANSLATION = re.compile(
    r"(?:self|(?:book|mt|llm):.+?):[A-Za-z]{2,3}(?:_[A-Za-z]{4})?-[A-Za-z]{2,3}(?:_[A-Za-z]{4})?"
    r"(?=@|$)"
)


class Entry(NamedTuple):
    """What the list of conjugations says of one."""

    name: str
    description: str
    promise: Promise


def parse(
    text: str,
    ask_for: Callable | None = None,
    more: Callable[[str], Conjugation | None] | None = None,
) -> Conjugation:
    """The conjugation of that name, or composition of names.

    Args:
        text: as on the command line.
        ask_for: for translations by a language model: from a reference of a model to a function
            that asks it (see `unskew.conjugation.translation.parse_translator`).
        more: books by their languages alone (`en-fr`), asked for first; None where it knows no
            such name.

    Raises:
        UserError: there is no such conjugation, or its setting is none.
    """
    parts = []
    for part in _parts(text):
        found = (more and more(part)) or _one(part, ask_for)
        if found is None:
            raise _unknown(part, text, TRANSLATIONS if more else _PREFIXED)
        parts.append(found)
    composed = parts.pop()
    while parts:
        composed = parts.pop() @ composed
    return composed


def catalogue() -> list[Entry]:
    """The ciphers and controls, each with a line of description and its promise."""
    made = [*(kind() for kind in _SIMPLE), Paraphrase(), Wrapper(), UnknownCipher()]
    return [Entry(each.name, _description(type(each)), each.promise) for each in made]


def _parts(text: str) -> list[str]:
    """The names between "@", where a translation is one name."""
    parts, rest = [], text
    while True:
        if rest.startswith(_PREFIXES):
            found = _TRANSLATION.match(rest)
            # Without its languages it is wrong from there on; its parser says so.
            part = found[0] if found else rest
        else:
            part = rest.partition("@")[0]
        parts.append(part)
        if part == rest:
            return parts
        rest = rest[len(part) + 1 :]


def _one(name: str, ask_for: Callable | None) -> Conjugation | None:
    """The conjugation of a name that is no composition; None where there is none."""
    if name.startswith(_PREFIXES):
        from unskew.conjugation.translation import parse_translator

        return parse_translator(name, ask_for)
    word, colon, setting = name.partition(":")
    if not colon:
        for kind in _SIMPLE:
            if kind.name == name:
                return kind()
    match word:
        case "wrapper":
            return Wrapper(_number(name, setting)) if colon else Wrapper()
        case "unknown-cipher":
            return UnknownCipher(_number(name, setting)) if colon else UnknownCipher()
        case "paraphrase" if not colon or setting in LANGUAGES:
            return Paraphrase(setting) if colon else Paraphrase()
        case "paraphrase":
            raise UserError(
                f"there are no pairs of words for {setting!r}",
                where=name,
                hint=f"languages: {', '.join(LANGUAGES)}",
            )
    return None


def _unknown(name: str, whole: str, translations: Iterable[str]) -> UserError:
    names = [entry.name for entry in catalogue()]
    if not name:
        what = f"there is a name missing in {whole!r}" if whole else "the name is empty"
    elif name.partition(":")[0] in names:
        what = f"{name.partition(':')[0]} has no settings"
    else:
        close = difflib.get_close_matches(name, names, n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        what = f"there is no conjugation {name!r}{guess}"
    where = whole if whole != name else None
    return UserError(what, where, f"conjugations: {', '.join([*names, *translations])}")


def _number(name: str, setting: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", setting):
        raise UserError(f"needs a whole number after the colon, got {setting!r}", where=name)
    return int(setting)


def _description(kind: type) -> str:
    """The first sentence of the docstring."""
    text = " ".join((kind.__doc__ or "").split())
    return re.split(r"(?<=[.:])\s(?=[A-Z])|(?<=\.)$", text)[0]
