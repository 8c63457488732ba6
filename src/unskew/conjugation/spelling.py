"""Ciphers that spell a text out in other signs: Morse code, the NATO alphabet, base64.

They keep template delimiters (see `delimiters`), line ends, and white space at both ends of each
line (or of each piece of it between delimiters). What has no spelling, and in the inverse what
spells nothing, is refused with `NotAdmissible`.

Morse code knows no case, so a capital has `^` before its code (".-" is "a", "^.-" is "A"); words
are separated by " / ". Sources: ITU-R M.1677-1 for letters, é, digits and punctuation; the codes
of ! & ; _ $ and of à ä ç è ñ ö ü are common use outside of it. NATO: code words of ICAO Annex 10,
volume II ("Alfa", "Juliett"); in capitals ("ALFA") they stand for a capital; other signs are named.
"""

from __future__ import annotations

import base64
import binascii
from abc import abstractmethod
from collections.abc import Callable
from functools import cache

from unskew.conjugation.base import Conjugation, NotAdmissible, Promise
from unskew.conjugation.ciphers import ANY, LINE_END
from unskew.conjugation.delimiters import around, undo


class _Spelling(Conjugation):
    """Applies `spell` to what each line has between its outer white space."""

    def forward(self, text: str) -> str:
        return around(text, lambda piece: _inside_lines(piece, self.spell))

    def inverse(self, text: str) -> str:
        return undo(text, lambda piece: _inside_lines(piece, self.read))

    @abstractmethod
    def spell(self, core: str) -> str:
        """core: part of a line, neither empty nor with white space at an end."""

    @abstractmethod
    def read(self, core: str) -> str:
        """The inverse of `spell`."""


def _inside_lines(text: str, change: Callable[[str], str]) -> str:
    def inside(line: str) -> str:
        core = line.strip()
        if not core:
            return line
        begin = line.index(core)
        return line[:begin] + change(core) + line[begin + len(core) :]

    return "".join(map(inside, LINE_END.split(text)))


class Base64(_Spelling):
    """Base64 of each line's UTF-8. Lone surrogates are encoded like other code points."""

    name = "base64"
    version = 1
    promise = Promise(True, ANY, True, True, False, "lines")

    def spell(self, core: str) -> str:
        return base64.b64encode(core.encode("utf-8", "surrogatepass")).decode("ascii")

    def read(self, core: str) -> str:
        try:
            text = base64.b64decode(core, validate=True).decode("utf-8", "surrogatepass")
        except (binascii.Error, ValueError):
            raise NotAdmissible(self.name, f"{_short(core)} is not base64 of a text") from None
        if self.spell(text) != core:
            raise NotAdmissible(self.name, f"{_short(core)} is not base64 as it is written here")
        return text


class _Signs(_Spelling):
    """Spells sign by sign: signs separated by one space, each space between words by "/"."""

    alphabet: str  # in words, for the message

    @abstractmethod
    def codes(self) -> dict[str, str]:
        """The code of each sign, capitals included; distinct, without white space and "/"."""

    def variants(self) -> dict[str, str]:
        """What else is read as a sign."""
        return {}

    def spell(self, core: str) -> str:
        codes = self.codes()
        unknown = sorted({c for c in core if c not in codes and c != " "})
        if unknown:
            listed = " ".join(f"{c!r}" for c in unknown[:5]) + (" ..." if unknown[5:] else "")
            raise NotAdmissible(self.name, f"has no sign for {listed} (it has {self.alphabet})")
        return " ".join("/" if c == " " else codes[c] for c in core)

    def read(self, core: str) -> str:
        signs = {code: sign for sign, code in self.codes().items()} | self.variants() | {"/": " "}
        try:
            return "".join(signs[code] for code in core.split())
        except KeyError as error:
            raise NotAdmissible(self.name, f"{_short(error.args[0])} is no code of it") from None


class Morse(_Signs):
    """Morse code: "hello world" is ".... . .-.. .-.. --- / .-- --- .-. .-.. -..".

    Not within: anything but the letters a to z, à ä ç è é ñ ö ü, digits, common punctuation and
    single or repeated spaces."""

    name = "morse"
    version = 1
    alphabet = "a-z, àäçèéñöü, 0-9, . , ? ' ! / ( ) & : ; = + - _ \" $ @ and spaces"
    promise = Promise(True, f"texts in {alphabet}", True, True, False, "lines")

    def codes(self) -> dict[str, str]:
        return _morse()


class Nato(_Signs):
    """NATO spelling alphabet: "Hi you" is "HOTEL India / Yankee Oscar Uniform".

    Not within: anything but printable ASCII."""

    name = "nato"
    version = 1
    alphabet = "printable ASCII"
    promise = Promise(True, "texts in printable ASCII", True, True, False, "lines")

    def codes(self) -> dict[str, str]:
        return _nato()

    def variants(self) -> dict[str, str]:
        return _nato_variants()


_MORSE_CODES = """
a .- b -... c -.-. d -.. e . f ..-. g --. h .... i .. j .--- k -.- l .-.. m -- n -. o --- p .--.
q --.- r .-. s ... t - u ..- v ...- w .-- x -..- y -.-- z --..
0 ----- 1 .---- 2 ..--- 3 ...-- 4 ....- 5 ..... 6 -.... 7 --... 8 ---.. 9 ----.
. .-.-.- , --..-- ? ..--.. ' .----. ! -.-.-- / -..-. ( -.--. ) -.--.- & .-... : ---... ; -.-.-.
= -...- + .-.-. - -....- _ ..--.- " .-..-. $ ...-..- @ .--.-.
à .--.- ä .-.- ç -.-.. è .-..- é ..-.. ñ --.-- ö ---. ü ..--
"""

_NATO_WORDS = """
alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa
quebec romeo sierra tango uniform victor whiskey x-ray yankee zulu
"""
_NATO_SIGNS = """
0 zero 1 one 2 two 3 three 4 four 5 five 6 six 7 seven 8 eight 9 nine . stop , comma ? query
! exclamation ' apostrophe " quote - hyphen : colon ; semicolon ( open-bracket ) close-bracket
[ open-square ] close-square { open-brace } close-brace < less > greater / slash \\ backslash | bar
& ampersand @ at = equals + plus $ dollar % percent * asterisk _ underscore # hash ^ caret ~ tilde
` backtick
"""
_NATO_VARIANTS = {"alpha": "a", "juliet": "j", "whisky": "w", "xray": "x", "niner": "9"}


@cache
def _morse() -> dict[str, str]:
    words = _MORSE_CODES.split()
    codes = dict(zip(words[::2], words[1::2], strict=True))
    return codes | {c.upper(): f"^{code}" for c, code in codes.items() if c.isalpha()}


@cache
def _nato() -> dict[str, str]:
    words = _NATO_SIGNS.split()
    signs = dict(zip(words[::2], words[1::2], strict=True))
    letters = {word[0]: word for word in _NATO_WORDS.split()}
    return (
        signs
        | {c: word.capitalize() for c, word in letters.items()}
        | {c.upper(): word.upper() for c, word in letters.items()}
    )


@cache
def _nato_variants() -> dict[str, str]:
    """Spellings in wide use, and small letters, which models write as often."""
    read = {word: c for c, word in _nato().items() if not c.isupper()} | _NATO_VARIANTS
    variants = {word.lower(): c for word, c in read.items()}
    variants |= {word.capitalize(): c for word, c in read.items()}
    return (
        variants | {word.upper(): c.upper() for word, c in _NATO_VARIANTS.items()} | {"X-Ray": "x"}
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
