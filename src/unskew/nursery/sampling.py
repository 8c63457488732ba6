"""Meanings as a pure function of (lexicon, seed, stream, step).

There is no state: step 1234 of a resumed run is the step 1234 of one that was never stopped.
Streams with different names, and different steps, draw from generators keyed by a hash of all
three. Only `random.Random.random` is used, whose numbers the standard library promises to keep
from version to version.

What is drawn makes sense as far as kinds go (one drinks drinks, a lorry is no fruit); memberships
are true, or negated and false, and where people would differ nothing is said.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from unskew.errors import UserError
from unskew.nursery.lexicon import CATEGORY, Adjective, Lexicon, Name, Noun, Tense
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Determiner,
    Equation,
    Located,
    Meaning,
    Membership,
    NounPhrase,
    Place,
    Question,
    Relation,
    Statement,
    Sum,
    WhereIs,
    Whether,
    belongs,
)

__all__ = ["KINDS", "Draw", "generator", "meanings"]

T = TypeVar("T")

KINDS: tuple[type[Statement | Question], ...] = (
    Clause,
    Described,
    Located,
    Membership,
    Equation,
    ColourOf,
    WhereIs,
    Sum,
    Whether,
)
_TENSES: tuple[Tense, ...] = ("present", "past", "future")
_SURE: tuple[Determiner, ...] = ("the", "this", "my")
_MOVABLE = ("person", "animal", "fruit", "vegetable", "garment", "tool", "instrument", "thing")
_NEAR: tuple[Relation, ...] = ("near", "behind", "in front of", "next to")


def meanings(
    lexicon: Lexicon,
    seed: int,
    stream: str,
    step: int,
    size: int,
    kinds: Sequence[type[Statement | Question]] = KINDS,
) -> tuple[Meaning, ...]:
    """`size` sentences of the given kinds, each kind as often as it is listed. The first of a
    larger batch are those of a smaller one.

    Raises:
        UserError: step or size negative, no kinds, or a lexicon that lacks words for a kind.
    """
    if step < 0 or size < 0 or not kinds:
        raise UserError(f"step {step} and size {size} must not be negative, and a kind is needed")
    draw = Draw(lexicon, generator(seed, stream, step))
    return tuple(draw.meaning(draw.pick(kinds)) for _ in range(size))


def generator(seed: int, stream: str, step: int) -> random.Random:
    """The generator of an address: a pure function of it, apart from every other."""
    name = json.dumps(["nursery", seed, stream, step]).encode()
    return random.Random(int.from_bytes(hashlib.sha256(name).digest(), "big"))


class Draw:
    """One generator and the words it draws from.

    Args:
        uncoloured: nouns of which no colour is ever said: what the world says of theirs is taught
            elsewhere, and must not be contradicted.
    """

    def __init__(
        self, words: Lexicon, rng: random.Random, uncoloured: Collection[Noun] = frozenset()
    ) -> None:
        self.words, self.rng, self.uncoloured = words, rng, uncoloured

    def pick(self, among: Sequence[T]) -> T:
        if not among:
            raise UserError("the lexicon lacks words for one of the kinds of sentences")
        return among[int(self.rng.random() * len(among))]

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def meaning(self, kind: type) -> Meaning:
        draws: dict[type, Callable[[], Meaning]] = {
            Clause: self.clause,
            Described: self.described,
            Located: self.located,
            Membership: self.membership,
            Equation: lambda: Equation(self.sum()),
            ColourOf: lambda: ColourOf(self.phrase(self.coloured(), sure=True, bare=True)),
            WhereIs: lambda: WhereIs(self.subject(_MOVABLE, sure=True)),
            Sum: self.sum,
            Whether: self.whether,
        }
        return draws[kind]()

    # --- words and phrases ----------------------------------------------------------------------

    def noun(self, kinds: Sequence[str], but: Collection[Noun] = frozenset()) -> Noun:
        """A kind first, then one of its nouns: large kinds do not crowd out the small."""
        nouns = [noun for noun in self.words.nouns if noun not in but] if but else self.words.nouns
        here = {noun.kind for noun in nouns}
        kind = self.pick([k for k in kinds if k in here])
        return self.pick([noun for noun in nouns if noun.kind == kind])

    def coloured(self) -> Noun:
        colour = self.pick([a for a in self.words.adjectives if a.colour])
        return self.noun(colour.kinds, self.uncoloured)

    def adjective(self, noun: Noun) -> Adjective | None:
        """A colour half of the time, where things of the kind have one."""
        fitting = [a for a in self.words.adjectives if noun.kind in a.kinds]
        if noun in self.uncoloured:
            fitting = [a for a in fitting if not a.colour]
        colours = [a for a in fitting if a.colour]
        others = [a for a in fitting if not a.colour]
        if not fitting:
            return None
        return self.pick(colours if colours and (not others or self.chance(0.5)) else others)

    def phrase(self, noun: Noun, sure: bool = False, bare: bool = False) -> NounPhrase:
        """sure: the, this or my. bare: without an adjective."""
        adjective = None if bare or self.chance(0.6) else self.adjective(noun)
        kind = self.rng.random()
        if noun.mass:
            determiner = "a" if kind < 0.5 and not sure else self.pick(_SURE)
            return NounPhrase(noun, determiner, adjective)
        if kind < 0.1 and not sure:
            count = 2 + int(self.rng.random() * 98)
            return NounPhrase(noun, None, adjective, count=count)
        determiner = "a" if kind < 0.45 and not sure else self.pick(("the", *_SURE))
        return NounPhrase(noun, determiner, adjective, plural=self.chance(0.35))

    def subject(self, kinds: Sequence[str], sure: bool = False) -> NounPhrase:
        """Where something is, is asked and said only of what is known (sure)."""
        people = [name for name in self.words.names if name.kind == "person"]
        if "person" in kinds and people and self.chance(0.4):
            return NounPhrase(self.pick(people))
        return self.phrase(self.noun(kinds), sure=sure or self.chance(0.7))

    def place(self, goal: bool = False) -> Place:
        where = self.rng.random()
        names = [name for name in self.words.names if name.kind in ("city", "country")]
        if names and where < 0.2:
            return Place("to" if goal else "in", NounPhrase(self.pick(names)))
        if goal:
            return Place("to", self.spot(("room", "site")))
        if where < 0.5:
            return Place("in", self.spot(("room",)))
        if where < 0.75:
            return Place(self.pick(("on", "under")), self.spot(("furniture",)))
        return Place(self.pick(_NEAR), self.spot(("room", "site", "furniture", "vehicle")))

    def spot(self, kinds: Sequence[str]) -> NounPhrase:
        noun = self.noun(kinds)
        adjective = self.adjective(noun) if self.chance(0.2) else None
        return NounPhrase(noun, self.pick(("the", *_SURE)), adjective)

    # --- sentences ------------------------------------------------------------------------------

    def clause(self, negatable: bool = True) -> Clause:
        nouns = {noun.kind for noun in self.words.nouns}
        verb = self.pick(
            [
                verb
                for verb in self.words.verbs
                if nouns & set(verb.subjects) and (not verb.objects or nouns & set(verb.objects))
            ]
        )
        tense = self.pick(_TENSES)
        thing = self.phrase(self.noun(verb.objects)) if verb.objects else None
        place = self.place(verb.goal) if verb.goal or self.chance(0.4) else None
        times = [time for time in self.words.times if tense in time.tenses]
        time = self.pick(times) if times and self.chance(0.25) else None
        negated = negatable and self.chance(0.25)
        return Clause(self.subject(verb.subjects), verb, thing, place, time, tense, negated)

    def described(self, negatable: bool = True) -> Described:
        adjective = self.pick(self.words.adjectives)
        people = [name for name in self.words.names if name.kind == "person"]
        if "person" in adjective.kinds and people and self.chance(0.4):
            subject = NounPhrase(self.pick(people))
        else:
            but = self.uncoloured if adjective.colour else frozenset()
            subject = self.phrase(self.noun(adjective.kinds, but), sure=True, bare=True)
        return Described(subject, adjective, self.pick(_TENSES), negatable and self.chance(0.25))

    def located(self, negatable: bool = True) -> Located:
        subject = self.subject(_MOVABLE, sure=True)
        return Located(subject, self.place(), self.pick(_TENSES), negatable and self.chance(0.25))

    def membership(self, negatable: bool = True) -> Membership:
        """Negated if and only if it is false; as a question, either."""
        countable = [n for n in self.words.nouns if n.kind != CATEGORY and not n.mass]
        cities: list[Noun | Name] = [n for n in self.words.names if n.kind == "city"]
        noun = self.pick(cities if cities and self.chance(0.1) else countable)
        categories = [c for c in self.words.nouns if c.kind == CATEGORY]
        own = [c for c in categories if belongs(noun, c)]
        others = [c for c in categories if belongs(noun, c) is False]
        category = self.pick(own if own and self.chance(0.6) else others)
        return Membership(noun, category, negatable and not belongs(noun, category))

    def sum(self) -> Sum:
        left, right = sorted(int(self.rng.random() * 100) for _ in range(2))
        digits = self.chance(0.5)
        if self.chance(0.5):
            return Sum(right, left, "minus", digits)
        # Of two numbers up to 99, the smaller and what is between them: the sum is the larger.
        parts = (left, right - left) if self.chance(0.5) else (right - left, left)
        return Sum(*parts, "plus", digits)

    def whether(self) -> Whether:
        ask = self.pick((self.clause, self.described, self.located, self.membership))
        return Whether(ask(negatable=False))
