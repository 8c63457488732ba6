"""Simple code-like text, with words of a language as names and its sentences as comments."""

from __future__ import annotations

from unskew.nursery.documents import Document, Piece
from unskew.nursery.items import Copy, WordList, asked
from unskew.nursery.languages import Language, say
from unskew.nursery.meanings import Sum
from unskew.nursery.scribe import Scribe

__all__ = ["code"]


def code(scribe: Scribe, language: Language) -> Document:
    """A few lines: values, a sum, a list, a function or a comparison, with what they come to."""
    draw = scribe.draw
    names = _names(scribe, language, 4)
    a, b, c, d = names
    while True:
        x, y = (1 + int(draw.rng.random() * 20) for _ in range(2))
        if scribe.world.sum_held(Sum(x, y)) == scribe.held:
            break
    pieces = []
    if draw.chance(0.6):
        pieces.append(Piece(f"# {say(scribe.statement(), language)}\n"))
    match int(draw.rng.random() * 5):
        case 0:
            pieces += [
                Piece(f"{a} = {x}\n{b} = {a} + {y}\nprint({b})\n#"),
                Piece(f" {x + y}", answer=True),
            ]
        case 1:
            i = int(draw.rng.random() * 4)
            pieces += [
                Piece(f'{a} = ["{a}", "{b}", "{c}", "{d}"]\nprint({a}[{i}])\n#'),
                Piece(f" {names[i]}", answer=True),
            ]
        case 2:
            pieces += [
                Piece(f"{a} = lambda {b}: {b} + {x}\nprint({a}({y}))\n#"),
                Piece(f" {x + y}", answer=True),
            ]
        case 3:
            z = x if draw.chance(0.5) else y
            pieces += [
                Piece(f"{a} = {x}\n{b} = {z}\nprint({a} == {b})\n#"),
                Piece(f" {x == z}", answer=True),
            ]
        case _:
            pieces += [
                Piece(f'{a} = {{"{b}": {x}, "{c}": {y}}}\nprint({a}["{c}"])\n#'),
                Piece(f" {y}", answer=True),
            ]
    return Document("code", tuple(pieces))


def _names(scribe: Scribe, language: Language, size: int) -> list[str]:
    nouns = scribe.draw.words.nouns
    found: list[str] = []
    while len(found) < size:
        text = asked(Copy("reverse", WordList((scribe.draw.pick(nouns),))), language)
        name = text.replace(" ", "_").replace("-", "_").replace("'", "_")
        if name not in found:
            found.append(name)
    return found
