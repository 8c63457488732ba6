"""Ciphers that write in the letters of the text: leetspeak, rot13, reversals, upper case.

Each keeps template delimiters (see `delimiters`), line ends and white space. The exact ones are so
on any Unicode text; the escape that this takes is part of the writing and described with each. An
inverse here always answers, as a model's answer may be cut off or fall back into plain language;
what is no image of anything is read as far as it goes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from unskew.conjugation.base import Conjugation, Promise
from unskew.conjugation.delimiters import around, undo

ANY = "any Unicode text"

LINE_END = re.compile("([\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])")
"""Whatever ends a line for `str.splitlines`."""


class Leetspeak(Conjugation):
    """Leetspeak, exact: "The answer is 42" is "^7h3 4n5w3r 15 #42".

    The letters a e i o s t are written 4 3 1 0 5 7. A capital has `^` before its digit. A number
    with one of these digits has `#` before it, and another `#` where a letter's digit touches its
    end ("5s" is "#5#5"). Signs `^` and `#` of the text itself are doubled before a digit.
    """

    name = "leetspeak"
    version = 1
    promise = Promise(True, ANY, True, True, False, "words")

    def forward(self, text: str) -> str:
        return around(text, _to_leet)

    def inverse(self, text: str) -> str:
        return undo(text, _from_leet)


class LeetspeakCommon(Conjugation):
    """Leetspeak as people write it, lossy: "7h3 4n5w3r 15 42".

    Inverse, as a best guess: digits alone are a number, digits beside letters are letters, and in a
    word of capitals they are capitals."""

    name = "leetspeak-common"
    version = 1
    promise = Promise(False, ANY, True, True, False, "words")

    def forward(self, text: str) -> str:
        return around(text, lambda piece: piece.translate(_LEET_TABLE))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: re.sub(r"[^\W_]+", _guess_leet, piece))


class Rot13(Conjugation):
    """Each of the letters a to z by the one thirteen further; case kept, other letters too."""

    name = "rot13"
    version = 1
    promise = Promise(True, ANY, True, True, True, "words")

    def forward(self, text: str) -> str:
        return around(text, lambda piece: piece.translate(_ROT13))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: piece.translate(_ROT13))


class WordReversal(Conjugation):
    """The words of each line (or piece of it between delimiters) in reverse order.

    A word is what lies between white space, with its punctuation; the white space stays."""

    name = "word-reversal"
    version = 1
    promise = Promise(True, ANY, True, True, False, "lines")

    def forward(self, text: str) -> str:
        return around(text, _reverse_words)

    def inverse(self, text: str) -> str:
        return undo(text, _reverse_words)


class LetterReversal(Conjugation):
    """The letters of each word in reverse order: "Hello, world 42" is "olleH, dlrow 42".

    A word is a run of letters of any script. A letter is a code point with the combining marks that
    follow it, so accents stay on their letters, composed or not."""

    name = "letter-reversal"
    version = 1
    promise = Promise(True, ANY, True, True, True, "words")

    def forward(self, text: str) -> str:
        return around(text, _reverse_letters)

    def inverse(self, text: str) -> str:
        return undo(text, _reverse_letters)


class Upper(Conjugation):
    """Upper case, lossy.

    Inverse, as a best guess: lower case, but capitals at the beginning of sentences and lines, and
    single letters as they are ("I", "(B)")."""

    name = "upper"
    version = 1
    promise = Promise(False, ANY, True, True, True, "words")

    def forward(self, text: str) -> str:
        return around(text, str.upper)

    def inverse(self, text: str) -> str:
        return undo(text, _sentence_case)


# Leetspeak ----------------------------------------------------------------------------------------

_LEET = dict(zip("aeiost", "431057", strict=True))
_UNLEET = {digit: letter for letter, digit in _LEET.items()}
_LEET_TABLE = str.maketrans(_LEET | {letter.upper(): digit for letter, digit in _LEET.items()})
_UNLEET_TABLE = str.maketrans(_UNLEET)
_WRITTEN_AS_DIGIT = re.compile(r"([\^#]*)([0-9]+|[aeiostAEIOST])")
_READ_FROM_DIGIT = re.compile(r"([\^#]*)([0-9]+)")


def _to_leet(text: str) -> str:
    pieces, end, number_ends = [], 0, -1
    for token in _WRITTEN_AS_DIGIT.finditer(text):
        signs, what = token.groups()
        pieces += [text[end : token.start()], "".join(2 * sign for sign in signs)]
        end = token.end()
        if what.isdigit():
            signed = any(digit in _UNLEET for digit in what)
            pieces.append(f"#{what}" if signed else what)
            number_ends = end if signed else -1
        elif what.isupper():
            pieces.append(f"^{_LEET[what.lower()]}")
        else:
            touching = not signs and token.start() == number_ends
            pieces.append(f"#{_LEET[what]}" if touching else _LEET[what])
    return "".join([*pieces, text[end:]])


def _from_leet(text: str) -> str:
    pieces, end, number_ends = [], 0, -1
    for token in _READ_FROM_DIGIT.finditer(text):
        signs, digits = token.groups()
        stop = signs == "#" and token.start() == number_ends
        pieces.append(text[end : token.start()])
        end = token.end()
        sign = signs[-1:] if len(signs) % 2 and not stop else ""
        doubled = "" if stop else signs.removesuffix(sign)
        whole = doubled[::2] == doubled[1::2] and (sign != "^" or digits[0] in _UNLEET)
        if whole and sign == "#":
            pieces += [doubled[::2], digits]
            number_ends = end
            continue
        letters = digits.translate(_UNLEET_TABLE)
        if not whole:  # no image of anything
            pieces += [signs, letters]
        else:
            pieces += [doubled[::2], letters[0].upper() if sign else letters[0], letters[1:]]
    return "".join([*pieces, text[end:]])


def _guess_leet(word: re.Match[str]) -> str:
    letters = [c for c in word[0] if c.isalpha()]
    if not letters:
        return word[0]
    read = word[0].translate(_UNLEET_TABLE)
    return read.upper() if len(letters) > 1 and all(map(str.isupper, letters)) else read


# The others ---------------------------------------------------------------------------------------


def substitution(pairs: Mapping[str, str]) -> dict[int, str]:
    """A table for `str.translate` from lower-case letters, capitals alike."""
    return str.maketrans(dict(pairs) | {a.upper(): b.upper() for a, b in pairs.items()})


_ABC = "abcdefghijklmnopqrstuvwxyz"
_ROT13 = substitution(dict(zip(_ABC, _ABC[13:] + _ABC[:13], strict=True)))


def _reverse_words(text: str) -> str:
    return "".join(map(_reverse_words_of_line, LINE_END.split(text)))


def _reverse_words_of_line(line: str) -> str:
    pieces = re.split(r"(\S+)", line)  # white space, word, white space, ..., white space
    pieces[1::2] = pieces[1::2][::-1]
    return "".join(pieces)


def _reverse_letters(text: str) -> str:
    if text.isascii():
        return re.sub("[A-Za-z]+", lambda word: word[0][::-1], text)
    pieces: list[str] = []
    word: list[str] = []
    for c in text:
        if c.isalpha():
            word.append(c)
        elif word and unicodedata.category(c)[0] == "M":
            word[-1] += c
        else:
            pieces += [*reversed(word), c]
            word = []
    return "".join([*pieces, *reversed(word)])


_SHOUTED = re.compile(r"(^|[.!?…]\s+)?(\w[\w'’]*)", re.MULTILINE)


def _sentence_case(text: str) -> str:
    return _SHOUTED.sub(lambda m: (m[1] or "") + _calm(m[2], m[1] is not None), text)


def _calm(word: str, first: bool) -> str:
    if len(word) == 1:
        return word
    return word[0] + word[1:].lower() if first else word.lower()
