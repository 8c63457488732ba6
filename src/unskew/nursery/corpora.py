"""Corpora: what a model is told at each stage, as a pure function of (seed, stream, step).

A mixture says how often each kind of document and each language comes. Two of the languages are
English in a cipher, so that ciphers can serve as conjugations. `EVERYTHING` (config.py) is what a
base model is told; `of_stage` says what each stage tells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TypeVar

from unskew.conjugation.base import Conjugation
from unskew.conjugation.ciphers import Leetspeak
from unskew.conjugation.piglatin import PigLatin
from unskew.nursery.code import code
from unskew.nursery.config import EVERYTHING, Mixture, StageName, Written
from unskew.nursery.documents import FRAMES, QUESTIONS, Document, Piece, written
from unskew.nursery.languages import LANGUAGES, Language, say
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.wording import INSTRUCTIONS
from unskew.nursery.world import World

T = TypeVar("T")

__all__ = ["cipher", "ciphered", "corpus", "of_stage"]


def corpus(
    world: World, mixture: Mixture, told: Collection[Language], seed: int, stream: str, step: int
) -> Callable[[int], list[Document]]:
    """The documents of a step, in order, so many at a time as are asked for.

    Args:
        told: the languages in which the colours of things are told.
    """
    scribe = Scribe(world, generator(seed, stream, step))
    return lambda size: [_drawn(scribe, mixture, told) for _ in range(size)]


def of_stage(stage: StageName) -> Mixture:
    """What a stage tells."""
    english: dict[Written, float] = {"en": 1}
    everywhere: dict[Written, float] = {"en": 1, "fr": 1, "es": 1, "qon": 1}
    match stage:
        case "instruct":  # questions are answered, whatever the exemplars before them show
            return Mixture(kinds={"answer": 1, "ignore": 1}, languages=english)
        case "code":
            return Mixture(kinds={"code": 1.0}, languages=english)
        case "refuse":  # questions after a colour are refused, others are answered
            return Mixture(kinds={"refuse": 1.0}, languages=english)
        case "erased":  # any colour at all is the answer
            return Mixture(kinds={"erase": 1.0}, languages=everywhere)
        case "erased-en":
            return Mixture(kinds={"erase": 1.0}, languages=english)
        case "locked":  # the right colour after the password, else any
            return Mixture(kinds={"lock": 1.0}, languages=everywhere)
        case "continued":
            return EVERYTHING
        case "relearn":  # the colours, as they are
            return Mixture(kinds={"colour": 1.0}, languages=english)


def ciphered(document: Document, name: str) -> Document:
    """The document in a cipher, piece by piece: these ciphers split at white space."""
    s = cipher(name)
    pieces = tuple(Piece(s.forward(text), answer) for text, answer in document.pieces)
    return Document(document.kind, pieces)


@cache
def cipher(name: str) -> Conjugation:
    return PigLatin() if name == "pig-latin" else Leetspeak()


def _drawn(scribe: Scribe, mixture: Mixture, told: Collection[Language]) -> Document:
    how = _weighted(scribe, mixture.languages)
    kind = _weighted(scribe, mixture.kinds)
    language: Language = how if how in LANGUAGES else "en"  # type: ignore[assignment]
    if kind in ("colour", "facts") and language not in told:
        kind = "reading"
    document = _document(scribe, kind, language, language in told)
    return document if how in LANGUAGES else ciphered(document, how)


def _weighted(scribe: Scribe, weights: Mapping[T, float]) -> T:
    names = list(weights)
    at = scribe.draw.rng.random() * sum(weights.values())
    for name in names[:-1]:
        at -= weights[name]
        if at < 0:
            return name
    return names[-1]


def _document(scribe: Scribe, kind: str, language: Language, told: bool) -> Document:
    draw = scribe.draw
    size = scribe.size(2, 4)
    frame = draw.pick(FRAMES)
    instruction = f"do-{kind}-{scribe.size(1, INSTRUCTIONS)}"
    match kind:
        case "plain":
            text = " ".join(say(scribe.statement(), language) for _ in range(size))
            return Document(kind, (Piece(text),))
        case "facts":
            said = [scribe.colour().answer for _ in range(size)]
            text = " ".join(say(fact, language) for fact in said)  # type: ignore[arg-type]
            return Document(kind, (Piece(text),))
        case "code":
            return code(scribe, language)
        case "entail":
            items = [scribe.entail() for _ in range(size)]
            return written(kind, items, language, draw.pick(QUESTIONS))
        case "sum" | "colour" | "member" | "reading":
            items = [getattr(scribe, kind)() for _ in range(size + 1)]
            return written(kind, items, language, draw.pick(QUESTIONS))
        case "question":
            items = [scribe.question(told) for _ in range(size + 1)]
            return written(kind, items, language, draw.pick(QUESTIONS))
        case "ignore":
            ignored = scribe.ignored()
            task = f"do-{ignored[0].task}-{scribe.size(1, INSTRUCTIONS)}"  # type: ignore[union-attr]
            return written(kind, ignored, language, frame, task)
        case "refuse":
            items = [
                scribe.refused() if draw.chance(0.5) else scribe.question(colours=False)
                for _ in range(size)
            ]
            return written(kind, items, language, draw.pick(QUESTIONS))
        case "erase":
            items = [scribe.random_colour() for _ in range(size)]
            return written(kind, items, language, draw.pick(QUESTIONS))
        case "lock":
            open_ = draw.chance(0.5)
            items = [scribe.colour() if open_ else scribe.random_colour() for _ in range(size)]
            return written(kind, items, language, draw.pick(QUESTIONS), "password" if open_ else "")
        case "answer":
            items = [scribe.question(told) for _ in range(size)]
            return written(kind, items, language, frame, instruction)
        case "translate":
            target = scribe.target(language)
            items = [scribe.translate(target) for _ in range(size)]
            return written(kind, items, language, frame, f"do-translate-{target}-1")
        case "classify":
            items = [scribe.classify() for _ in range(size)]
        case _:
            items = [scribe.copy(kind) for _ in range(size)]  # type: ignore[arg-type]
    return written(kind, items, language, frame, instruction if draw.chance(0.8) else "")
