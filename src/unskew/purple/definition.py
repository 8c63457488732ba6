"""What must not be said: one definition, shared by the judge and the guard.

A definition *reads* a text and looks for its words in the reading. It reads one code point at a
time, each as a short text of its own or as nothing, so that

    read(a + b) == read(a) + read(b)

for all texts. Normal forms of whole texts lack this: there a combining mark changes a letter that
came long before it. Here a text may be cut anywhere, and a stream means what the whole text means.

How much is read alike is a `Tier`; each tier reads what the one before it has read, so a word that
is found at one tier is found at every later one. No tier is complete. The honest route is an
alphabet, the characters that may be said at all, and then the words: docs/GUARD.md says what lies
outside.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property

from unskew.errors import UserError

__all__ = ["ASCII", "LATIN", "Definition", "Forbidden", "Foreign", "Tier", "Violation"]

ASCII = frozenset("\t\n" + "".join(map(chr, range(0x20, 0x7F))))
"""Printable ASCII, tab and newline. No carriage return, backspace or escape: a terminal moves back
for them and writes over what it showed."""

LATIN = (
    ASCII | frozenset(map(chr, range(0xA0, 0x100))) - {"\xad"} | frozenset("ŒœŠšŸŽž‘’‚“”„–—…•€™")
)
"""ASCII, the letters and signs of Western European languages (Latin-1 without the soft hyphen),
typographic quotes and dashes."""


class Tier(IntEnum):
    """What is read alike; each includes all before it."""

    EXACT = 0
    """Each code point is read as itself."""
    CASEFOLD = 1
    """PURPLE, ß as ss (full case folding)."""
    COMPATIBLE = 2
    """Compatibility forms (NFKD of each code point): fullwidth, bold, circled, ligatures. Format
    and control characters, and what else is invisible, are read as nothing."""
    MARKS = 3
    """Combining marks are read as nothing: pürplé."""
    CONFUSABLES = 4
    """Look-alikes of Latin letters in other scripts, by the table in this file: рurрlе."""
    LETTERS = 5
    """Whatever is no letter is read as nothing: p u r p l e, p-u-r-p-l-e; also `spur plenty`."""


@dataclass(frozen=True)
class Forbidden:
    """A forbidden word. at: index of the code point that completes it."""

    word: str
    at: int

    def __str__(self) -> str:
        return f"{self.word!r} is complete at character {self.at}"


@dataclass(frozen=True)
class Foreign:
    """A character outside the alphabet. at: its index in code points."""

    character: str
    at: int

    def __str__(self) -> str:
        return f"U+{ord(self.character):04X}, character {self.at}, is outside the alphabet"


Violation = Forbidden | Foreign


@dataclass(frozen=True)
class Definition:
    """A text satisfies it where every character is in the alphabet and no word is read.

    Surrogates are outside of every alphabet: they are no characters, and an encoder further on
    may join two of them to a letter.

    Attributes:
        words: what is forbidden; read at the same tier as the text. A list is taken, too.
        tier: what is read alike; its number or its name is taken, too.
        alphabet: the characters that may be said; None is all of Unicode.
        whole_words: a word counts only between non-letters. In the reading, no letter or digit may
            come before it; the code point after it must not be read as letters or digits only. So
            a character that is read as nothing ends a word, and does not begin one.

    Raises:
        UserError: nothing is forbidden, there is no such tier, or a word cannot be read at it.
    """

    words: tuple[str, ...] = ("purple",)
    tier: Tier = Tier.CONFUSABLES
    alphabet: frozenset[str] | None = None
    whole_words: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.words, list):
            object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "tier", _tier(self.tier))
        if not isinstance(self.words, tuple) or not all(isinstance(w, str) for w in self.words):
            raise UserError(
                f"the forbidden words are {self.words!r}, not a tuple of texts",
                hint='Write words=("purple",), with the comma.',
            )
        if not self.words and self.alphabet is None:
            raise UserError("nothing is forbidden", hint="Give words, an alphabet, or both.")
        if self.alphabet is not None and not (
            isinstance(self.alphabet, frozenset)
            and all(isinstance(c, str) and len(c) == 1 for c in self.alphabet)
        ):
            raise UserError(
                "the alphabet is not a frozenset of single characters",
                hint='Write alphabet=ASCII, LATIN, or frozenset("abc").',
            )
        if self.whole_words and self.tier >= Tier.LETTERS:
            raise UserError(
                "whole words and Tier.LETTERS exclude each other: of letters only, no spaces are "
                "left to end a word",
                hint="Take whole_words=False, or Tier.CONFUSABLES.",
            )
        for word in self.words:
            self._check(word)

    def _check(self, word: str) -> None:
        reading, where = self.read(word), f"word {word!r} at Tier.{self.tier.name}"
        if not reading:
            raise UserError("is read as nothing", where, "Take an earlier tier, or another word.")
        lost = "".join(c for c in word if c.isalnum() and not self.read(c))
        if lost:
            raise UserError(
                f"is read as {reading!r}, without {lost!r}, and would forbid more than it says",
                where,
                f"Forbid {reading!r} if that is meant, or take an earlier tier.",
            )
        if self.whole_words and not (reading[0].isalnum() and reading[-1].isalnum()):
            raise UserError(
                f"is read as {reading!r}; a whole word begins and ends with a letter or digit",
                where,
                "Take whole_words=False, or Tier.MARKS where the end is an accent.",
            )

    # --- reading --------------------------------------------------------------------------------

    def read(self, text: str) -> str:
        """The text as it is read: each code point by itself."""
        return text.translate(_readings(self.tier))

    def admits(self, character: str) -> bool:
        """Whether this one code point is in the alphabet."""
        if "\ud800" <= character <= "\udfff":
            return False
        return self.alphabet is None or character in self.alphabet

    @cached_property
    def patterns(self) -> dict[str, str]:
        """The readings that are looked for, each with the first of the words that reads so."""
        return {self.read(word): word for word in reversed(self.words)}

    # --- the judge ------------------------------------------------------------------------------

    def allows(self, text: str) -> bool:
        """Whether the text satisfies the definition."""
        return self.violation(text) is None

    def violation(self, text: str) -> Violation | None:
        """What comes first in the text that must not; None where it satisfies the definition.

        Of words that end at the same place of the reading the longest is named, and at the same
        code point a foreign character before any word."""
        at = min((text.index(c) for c in set(text) if not self.admits(c)), default=None)
        foreign = None if at is None else Foreign(text[at], at)
        reading = self.read(text)
        if not any(pattern in reading for pattern in self.patterns):
            return foreign
        origin = [i for i, c in enumerate(text) for _ in self.read(c)]
        ends = [
            (end, -len(pattern), word)
            for pattern, word in self.patterns.items()
            for end in self._ends(pattern, text, reading, origin)
        ]
        found: list[Violation] = [foreign] if foreign else []
        if ends:
            end, _, word = min(ends)
            found.append(Forbidden(word, origin[end - 1]))
        return min(found, key=lambda violation: violation.at, default=None)

    def _ends(self, pattern: str, text: str, reading: str, origin: list[int]) -> Iterator[int]:
        """Where in the reading the pattern's first counting occurrence ends; nothing if none."""
        start = reading.find(pattern)
        while start >= 0:
            end = start + len(pattern)
            if not self.whole_words or (
                not reading[max(start - 1, 0) : start].isalnum()
                and self._ended(end, text, reading, origin)
            ):
                yield end
                return
            start = reading.find(pattern, start + 1)

    def _ended(self, end: int, text: str, reading: str, origin: list[int]) -> bool:
        """Whether a word that ends before reading[end] is ended there."""
        last = origin[end - 1]
        if origin[end : end + 1] == [last]:  # the same code point reads on, as in ﬁ or ½
            return not reading[end].isalnum()
        return not self.read(text[last + 1 : last + 2]).isalnum()


def _tier(told: object) -> Tier:
    """A tier, by itself, its number or its name."""
    if isinstance(told, str) and told.upper() in Tier.__members__:
        return Tier[told.upper()]
    try:
        return Tier(told)
    except ValueError:
        tiers = ", ".join(f"Tier.{tier.name}" for tier in Tier)
        raise UserError(f"there is no tier {told!r}", hint=f"Tiers: {tiers}.") from None


# --- readings of one code point -------------------------------------------------------------------


class _Readings(dict[int, str]):
    """Code point -> reading, for `str.translate`; filled as texts are read."""

    def __init__(self, tier: Tier) -> None:
        super().__init__()
        self.tier = tier

    def __missing__(self, code: int) -> str:
        reading = _reading(chr(code), self.tier)
        if len(self) < 100_000:  # more than any text needs, and bounded against those that try
            self[code] = reading
        return reading


@cache
def _readings(tier: Tier) -> _Readings:
    return _Readings(tier)


def _reading(character: str, tier: Tier) -> str:
    """Each step goes over what the one before has made, code point by code point."""
    text = character
    if tier >= Tier.CASEFOLD:
        text = text.casefold()
    if tier >= Tier.COMPATIBLE:
        text = "".join(map(_compatible, text))
    if tier >= Tier.MARKS:
        text = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
    if tier >= Tier.CONFUSABLES:
        text = "".join(_look_alikes().get(c, c) for c in text)
    if tier >= Tier.LETTERS:
        # Modifier letters (Lm) are signs beside letters, like the apostrophe ʼ.
        text = "".join(c for c in text if c.isalpha() and unicodedata.category(c) != "Lm")
    return text


def _compatible(character: str) -> str:
    """NFKD, which brings capitals back, and case folding; without what is invisible."""
    text = unicodedata.normalize("NFKD", character).casefold()
    return "".join(c for c in text if not _is_invisible(c))


def _is_invisible(character: str) -> bool:
    if character in "\t\n\v\f\r\x85":
        return False
    return unicodedata.category(character) in ("Cf", "Cc") or any(
        low <= ord(character) <= high for low, high in _INVISIBLE
    )


# Default-ignorable code points that are in neither category: joiners, Hangul fillers, variation
# selectors, and the reserved ones; and the blank of Braille, which has no dots.
_INVISIBLE = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065),
    (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)  # fmt: skip

# Look-alikes after case folding, NFKD and without marks: Latin beyond ASCII, Cyrillic, Greek,
# Armenian, Coptic, Cherokee, Canadian syllabics, Lisu, a few signs. After case folding, so capitals
# are read as their small letters are: Greek Η is read n, as η is, and not h.
_TABLE = """
a аαɑɐᴀⱥⲁᎪᗅꓮ    b вьβɓƀƃʙᏏᏴᗷꓐ      c сᴄƈȼⲥᏟꓚ          d ԁɗđɖðᴅᎠᏧᗞꓓ
e еєεɛəǝɘɇҽᴇⲉⴹ℮ꬲᎬꓰ  f ƒꜰϝքꞙᖴꓝ  g ɡɢɠǥցԍᏀᏳꓖ      h һհнћħɦʜⱨⲏᎻᏂᕼꓧ
i іιıɪɨɩꙇⲓᎥ      j јϳɉʝᴊᎫᒍꓙ        k кκқƙⱪᴋĸⲕᏦꓗ      l ӏłʟɭƚⱡɫɬլⵏǀ∣Ꮮᒪꓡꓲ
m мɱᴍⲙᎷᗰꓟ      n пηոռɴŋɲɳƞⲛꓠ      o оοσօøɵөᴏᴑⲟⵔჿꓳ   p рρƥᵽᵱᶈᴘᴩꝑꝓꝕƿþҏϼ⍴ⲣᏢᑭꓑ
q ԛգզʠɋꝗ        r гґяʀɍɼɽɾɹʁᴦᴙꝛᵲᵳꭇꭈⲅᎡᏒᖇꓣ  s ѕʂȿꜱƽᏚᏕꓢ  t тτŧƭƫʈⱦᴛⲧᎢꓔ
u υμսиʉʊʋᴜᵾꭎꭒ∪ሀᑌꓴ  v νѵᴠⱱᏙᐯꓦ∨  w ѡԝաωɯᴡⱳᏔᎳꓪ    x хχҳꭓⲭ×ᕁ᙭ꓫ
y уγүұყʏɏƴⲩᎩᎽꓬ   z ζᴢʐƶȥɀⱬⲍᏃꓜ     ae æӕ  oe œ  oo ꝏ
"""
# Whole alphabets that Unicode does not decompose: negative circled, negative squared, regional.
_ALPHABETS = (0x1F150, 0x1F170, 0x1F1E6)


@cache
def _look_alikes() -> dict[str, str]:
    cells = _TABLE.split()
    table = {c: latin for latin, signs in zip(cells[::2], cells[1::2], strict=True) for c in signs}
    for first in _ALPHABETS:
        table |= {chr(first + i): chr(ord("a") + i) for i in range(26)}
    return table
