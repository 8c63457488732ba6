"""A conjugation is held to every word of its promise on a text of its domain."""

import re

from unskew.conjugation import Conjugation
from unskew.conjugation.delimiters import SPAN

LINE_ENDS = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


def holds(conjugation: Conjugation, text: str) -> None:
    promise, image = conjugation.promise, conjugation.forward(text)
    if promise.exact:
        assert conjugation.inverse(image) == text
    if promise.newlines:
        assert LINE_ENDS.findall(image) == LINE_ENDS.findall(text)
        blank = [not line.strip() for line in text.splitlines()]
        assert [not line.strip() for line in image.splitlines()] == blank
    if promise.edges:
        assert _edges(image) == _edges(text)
    if promise.numbers:
        assert re.findall(r"\d", image) == re.findall(r"\d", text)
    for cut in _cuts(promise.boundaries, text):
        assert conjugation.forward(text[:cut]) + conjugation.forward(text[cut:]) == image
    # Not a word of the promise, but promised by every cipher and control.
    assert SPAN.findall(image) == SPAN.findall(text)


def _edges(text: str) -> tuple[str, str]:
    core = text.strip()
    begin = text.index(core)
    return (text, "") if not core else (text[:begin], text[begin + len(core) :])


def _cuts(boundaries: str, text: str) -> list[int]:
    """Where the text may be cut, both before and after the white space or line end."""
    match boundaries:
        case "none":
            return []
        case "characters":
            return list(range(len(text) + 1))
        case "lines":
            gaps = LINE_ENDS.finditer(text)
        case _:
            gaps = re.finditer(r"\s", text)
    return sorted({cut for gap in gaps for cut in gap.span()})
