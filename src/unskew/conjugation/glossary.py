"""The idea: what a translator must leave alone is not shown to it.

Labels ("Input:"), format words, template delimiters and, if asked, numbers are cut out of a line
before translation and put back after it. At the edges of a line, delimiters and labels are simply
set aside; inside, a placeholder such as `[1]` stands for them. A placeholder that comes back not
exactly once, or one that nobody sent, means that the text is refused: never a silent loss.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.delimiters import SPAN
from unskew.errors import UserError

# A whole number or decimal that is no part of a word; its sign belongs to it at a word's edge.
NUMBER = r"(?:(?<!\w)[-−])?(?<!\w)\d+(?:[.,]\d+)*(?![^\W_])"
# Every character at which str.splitlines breaks, CR LF as one.
LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")

# Brackets and digits only: without letters nothing can be re-cased or declined.
_MARK = re.compile(r"\[\s*([0-9]{1,6})\s*\]")


class Masked(NamedTuple):
    """A line as the translator sees it (`core`) and what was taken out of it.

    Attributes:
        before, after: the edges set aside: white space, labels, delimiters.
        core: the text between them, with placeholders.
        kept: (id of the placeholder, what it stands for), in the order of the text.
    """

    before: str
    core: str
    after: str
    kept: tuple[tuple[int, str], ...]

    @property
    def speaks(self) -> bool:
        """Whether there is a letter to translate at all."""
        return any(character.isalpha() for character in self.core)


@dataclass(frozen=True)
class Glossary:
    """The words and spans that a translator must leave alone; template delimiters always are.

    Args:
        keep: labels and words, matched as they are written, at word boundaries, the longest first.
        numbers: whether numbers are kept too. Models often translate better when they see them.

    Raises:
        UserError: an empty word, one with white space at its edges or a line break in it.
    """

    keep: tuple[str, ...] = ()
    numbers: bool = False

    def __post_init__(self) -> None:
        for word in self.keep:
            if not word or word != word.strip() or LINE_BREAK.search(word):
                raise UserError(
                    f"{word!r} cannot be kept: give words without white space at the edges",
                    "glossary",
                )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = "|".join(_bounded(word) for word in sorted(self.keep, key=len, reverse=True))
        parts = [f"(?P<delimiter>{SPAN.pattern})"]
        parts += [f"(?P<word>{words})"] if words else []
        parts += [f"(?P<number>{NUMBER})"] if self.numbers else []
        return re.compile("|".join(parts))

    def mask(self, line: str) -> Masked:
        """What is to be translated of one line. `restore(mask(line).core, ...)` gives it back."""
        spans = list(self._pattern.finditer(line))
        low, high = 0, len(line)
        while True:
            low += len(line[low:high]) - len(line[low:high].lstrip())
            if not (spans and spans[0].start() == low and _aside(spans[0])):
                break
            low = spans.pop(0).end()
        while True:
            high -= len(line[low:high]) - len(line[low:high].rstrip())
            if not (spans and spans[-1].end() == high and _aside(spans[-1])):
                break
            high = spans.pop().start()
        taken = {int(digits) for digits in _MARK.findall(line)}
        free = (n for n in range(1, len(taken) + len(spans) + 1) if n not in taken)
        kept: list[tuple[int, str]] = []
        pieces: list[str] = []
        at = low
        for span, mark in zip(spans, free, strict=False):
            kept.append((mark, span.group()))
            pieces += [line[at : span.start()], f"[{mark}]"]
            at = span.end()
        core = "".join([*pieces, line[at:high]])
        return Masked(line[:low], core, line[high:], tuple(kept))

    def restore(self, translated: str, masked: Masked, name: str) -> str:
        """The translated line with everything back in its place; `name` is who refuses.

        Raises:
            NotAdmissible: a placeholder is lost, doubled or made up; or, where numbers are kept,
                digits inside words (B2) that changed, or a number of the translator's own.
        """
        kept = dict(masked.kept)
        found = Counter(int(digits) for digits in _MARK.findall(translated))
        # A [3] of the text itself is text, and may get lost as any word may.
        native = Counter(int(digits) for digits in _MARK.findall(masked.core))
        for mark, word in kept.items():
            if found[mark] != 1:
                what = "lost" if found[mark] == 0 else "doubled"
                raise NotAdmissible(name, f"the translator {what} the placeholder of {word!r}")
        for mark, count in found.items():
            if count > native[mark]:
                raise NotAdmissible(name, f"the translator made up the placeholder [{mark}]")
        if self.numbers and _digits(translated) != _digits(masked.core):
            raise NotAdmissible(name, "the translator changed digits of the text")
        core = _MARK.sub(lambda m: kept.get(int(m.group(1)), m.group()), translated)
        return masked.before + core + masked.after


def _bounded(word: str) -> str:
    """The word as a pattern that does not match inside a longer word."""
    left = r"(?<!\w)" if _wordlike(word[0]) else ""
    right = r"(?!\w)" if _wordlike(word[-1]) else ""
    return f"{left}{re.escape(word)}{right}"


def _wordlike(character: str) -> bool:
    return re.match(r"\w", character) is not None


def _digits(text: str) -> list[str]:
    """The digits outside of placeholders, in any order."""
    return sorted(re.findall(r"\d+", _MARK.sub("", text)))


def _aside(span: re.Match[str]) -> bool:
    """Delimiters, and labels, which end in a sign. A name or number belongs to its sentence, and
    the translator should see that something stands there."""
    return span.lastgroup == "delimiter" or (
        span.lastgroup == "word" and not _wordlike(span.group()[-1])
    )
