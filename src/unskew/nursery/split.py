"""The split: which words training may see and which are held out, a function of a seed alone.

Held out are a share of the nouns of each kind, of colours and other adjectives, of verbs of each
frame and of names of each kind, so that both sides can say every kind of sentence. No two words
of the lexicon share a written form in any language (its tests see to that), so no text of one side
has a content word of the other. Function words, numbers, times and categories (animal, fruit, ...)
belong to both sides.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from unskew.errors import UserError
from unskew.nursery.languages import Language
from unskew.nursery.lexicon import (
    CATEGORY,
    Adjective,
    Agreeing,
    Forms,
    FrenchVerb,
    Lexicon,
    Name,
    Noun,
    Time,
    Verb,
    Word,
    plain,
)
from unskew.nursery.onevi import ADJECTIVE_ENDINGS, TENSES, VERB_ENDINGS

__all__ = ["Split", "forms", "split"]


class Split(NamedTuple):
    """Two lexicons: `seen` for training, `held` for evaluation."""

    seen: Lexicon
    held: Lexicon


def forms(word: Word, language: Language) -> frozenset[str]:
    """Every form in which a word can be written in a language, in lower case; a time, whole."""
    if language == "qon":
        return frozenset(form.lower() for form in _onevi_forms(word))
    entry = getattr(word, language)
    match entry:
        case str():
            found = [entry]
        case Forms(singular, plural):
            found = [singular, plural or singular]
        case Agreeing():
            found = [entry.m, entry.f, entry.m_plural, entry.f_plural, entry.vowel or entry.m]
        case FrenchVerb():
            agreeing = ("", "e", "s", "es") if entry.with_etre else ("",)
            found = [*entry[:5], *(entry.participle + ending for ending in agreeing)]
        case _:
            found = list(entry)
    return frozenset(plain(form).lower() for form in found)


def split(lexicon: Lexicon, seed: int, share: float = 0.2) -> Split:
    """Hold out `share` of each stratum, rounded, and one word at least.

    At least one word of each stratum is left to be seen.

    Raises:
        UserError: share not strictly between 0 and 1.
    """
    if not 0 < share < 1:
        raise UserError(f"share {share} of words held out must lie between 0 and 1")
    strata: dict[tuple[str, ...], list[Word]] = {}
    for word in lexicon:
        stratum = _stratum(word)
        if stratum is not None:
            strata.setdefault(stratum, []).append(word)
    held: set[Word] = set()
    for words in strata.values():
        size = min(max(1, round(share * len(words))), len(words) - 1)
        held.update(sorted(words, key=lambda word: _order(seed, word))[:size])
    common = {word for word in lexicon if _stratum(word) is None}
    return Split(_only(lexicon, set(lexicon) - held), _only(lexicon, held | common))


def _stratum(word: Word) -> tuple[str, ...] | None:
    """What a word can be exchanged for; None for what belongs to both sides."""
    match word:
        case Noun(kind):
            return None if kind == CATEGORY else ("noun", kind, "mass" if word.mass else "count")
        case Adjective():
            return ("adjective", "colour" if word.colour else str("person" in word.kinds))
        case Verb():
            return ("verb", "goal" if word.goal else "transitive" if word.objects else "other")
        case Name(kind, gender):
            return ("name", kind, gender or "")
        case Time():
            return None


def _onevi_forms(word: Word) -> list[str]:
    match word:
        case Noun(kind, qon=root):
            numbers = ("",) if word.mass or kind == CATEGORY else ("", "ru")
            return [root + number + the for number in numbers for the in ("", "n")]
        case Adjective(qon=root):
            return [root + ending for ending in ADJECTIVE_ENDINGS.values()]
        case Verb(qon=root):
            return [root + t + ending for t in TENSES.values() for ending in VERB_ENDINGS.values()]
        case Name(qon=whole) | Time(qon=whole):
            return [whole]


def _order(seed: int, word: Word) -> bytes:
    # By a hash of the root, which no two words share: a new word does not shuffle the others.
    return hashlib.sha256(json.dumps(["nursery split", seed, word.qon]).encode()).digest()


def _only(lexicon: Lexicon, words: set[Word]) -> Lexicon:
    return Lexicon(
        nouns=tuple(w for w in lexicon.nouns if w in words),
        adjectives=tuple(w for w in lexicon.adjectives if w in words),
        verbs=tuple(w for w in lexicon.verbs if w in words),
        names=tuple(w for w in lexicon.names if w in words),
        times=tuple(w for w in lexicon.times if w in words),
    )
