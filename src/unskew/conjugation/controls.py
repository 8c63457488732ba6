"""Controls: changes of a prompt that should bring no ability back, run beside every conjugation.

A paraphrase changes words and stays in the language. A wrapper makes the prompt longer. An unknown
cipher makes it strange as ciphers do, but no model has learnt it. A gain under one of these is not
owed to a change of language or cipher.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache, lru_cache

from unskew.conjugation.base import Conjugation, Promise
from unskew.conjugation.ciphers import ANY, substitution
from unskew.conjugation.delimiters import SPAN, around, undo
from unskew.conjugation.synonyms import ALONE, PAIRS
from unskew.errors import UserError

LANGUAGES = tuple(PAIRS)


class Paraphrase(Conjugation):
    """Swaps words of one meaning (big and large), in lower case, Capitalised and UPPER case.

    Its own inverse. The table holds pairs of six languages; `paraphrase:en` has the English ones
    only, and some more that look like words of another language. A text without any of these words
    stays as it is.

    Args:
        language: one of `LANGUAGES`; None for all of them.
    """

    version = 1
    promise = Promise(True, ANY, True, True, True, "words")

    def __init__(self, language: str | None = None) -> None:
        if language is not None and language not in PAIRS:
            raise ValueError(f"no pairs for {language!r}; languages: {', '.join(LANGUAGES)}")
        self.name = "paraphrase" if language is None else f"paraphrase:{language}"
        self.language = language

    def forward(self, text: str) -> str:
        return around(text, self._swap)

    def inverse(self, text: str) -> str:
        return undo(text, self._swap)

    def _swap(self, text: str) -> str:
        swaps = _swaps(self.language)
        return re.sub(r"\w+", lambda word: swaps.get(word[0], word[0]), text)


@cache
def _swaps(language: str | None) -> dict[str, str]:
    """Every word, in each of its three cases, and its partner in the same case; an involution."""
    tables = PAIRS.values() if language is None else (PAIRS[language], ALONE.get(language, ""))
    swaps: dict[str, str] = {}
    for pair in ",".join(tables).replace("\n", " ").split(","):
        for a, b in zip(*map(_cases, pair.split()), strict=True):
            swaps[a], swaps[b] = b, a
    return swaps


def _cases(word: str) -> tuple[str, str, str]:
    return word, word[0].upper() + word[1:], word.upper()


NEUTRAL = (
    "The morning was calm and the light came in through the window. A few clouds moved slowly over "
    "the hills. Somebody had left a newspaper on the bench near the station. The trees along the "
    "river were green, and the water was clear. A bus went by and stopped at the corner. In the "
    "afternoon the wind turned to the north. The shops closed at the usual hour, and the lamps in "
    "the square were lit one after another."
)
SHORTEST, LONGEST = 20, 1_000_000


class Wrapper(Conjugation):
    """Neutral English text of about `length` characters before the prompt, in its first line.

    It is put after white space and template delimiters that the text begins with, so the text keeps
    its edges; a text of nothing else stays as it is. The inverse takes the neutral text away where
    a text begins with it (after the same), and leaves any other text as it is. So
    inverse(forward(x)) == x for any x whatever, and an answer that does not repeat the neutral text
    comes back unchanged.

    Args:
        length: characters, 20 to 1,000,000. What is written ends with a whole word at or before.
    """

    version = 1
    promise = Promise(True, ANY, True, True, True, "none")

    def __init__(self, length: int = 200) -> None:
        if not SHORTEST <= length <= LONGEST:
            raise UserError(
                f"the length must be {SHORTEST} to {LONGEST} characters, got {length}",
                where=f"wrapper:{length}",
            )
        self.name = "wrapper" if length == 200 else f"wrapper:{length}"
        self.length = length
        self.words = f"{_neutral(length)} "

    def forward(self, text: str) -> str:
        begin = _beginning(text)
        if begin == len(text):
            return text
        return text[:begin] + self.words + text[begin:]

    def inverse(self, text: str) -> str:
        begin = _beginning(text)
        return text[:begin] + text[begin:].removeprefix(self.words)


_BEGINNING = re.compile(rf"(?:\s|{SPAN.pattern})*")


def _beginning(text: str) -> int:
    found = _BEGINNING.match(text)
    return found.end() if found else 0


@lru_cache(maxsize=64)
def _neutral(length: int) -> str:
    repeated = " ".join([NEUTRAL] * (length // len(NEUTRAL) + 1))
    whole = f"{repeated} "[:length].rpartition(" ")[0]
    return whole.rstrip(".,") + "."


class UnknownCipher(Conjugation):
    """Each letter by another, by a table drawn from the seed, that no model can have met.

    The letters a to z change among themselves, none stays; the accented letters of the western and
    central European languages likewise. Case is kept, and so is every other character.

    Args:
        seed: 0 or more; chooses the table.
    """

    version = 1
    promise = Promise(True, ANY, True, True, True, "words")

    def __init__(self, seed: int = 0) -> None:
        self.name = "unknown-cipher" if seed == 0 else f"unknown-cipher:{seed}"
        self.seed = seed

    def forward(self, text: str) -> str:
        return around(text, lambda piece: piece.translate(_tables(self.seed)[0]))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: piece.translate(_tables(self.seed)[1]))


_PLAIN = "abcdefghijklmnopqrstuvwxyz"
_ACCENTED = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýőűœąćęłńśźżčďěňřšťůž"


@lru_cache(maxsize=64)
def _tables(seed: int) -> tuple[dict[int, str], dict[int, str]]:
    """The table and its inverse, for `str.translate`."""
    there = dict(zip(_PLAIN, _shuffled(_PLAIN, seed), strict=True))
    there |= zip(_ACCENTED, _shuffled(_ACCENTED, seed), strict=True)
    return substitution(there), substitution({b: a for a, b in there.items()})


def _shuffled(letters: str, seed: int) -> str:
    """The letters in an order in which none is at its own place. By hashes, which do not depend on
    the version of Python."""
    for attempt in range(1000):
        order = sorted(
            letters, key=lambda c: hashlib.sha256(f"{seed} {attempt} {c}".encode()).digest()
        )
        if all(a != b for a, b in zip(letters, order, strict=True)):
            return "".join(order)
    raise AssertionError("one order in three has no letter in place")
