"""The world that a model is told of: its words, its facts, and what is kept from it.

A world is a function of a seed. It parts the words into seen and held out (split.py), gives each
of some things a colour (in this world apples may be blue: a colour can be known only by having
been told), and holds out items of each kind of question: some of the sums; of each coloured thing
two of the ways of naming it ("my apples") in a question after its colour, but not in others ("Where
are my apples?"); some of the pairs of a noun and a category. What is held out is never asked in
training, in any language.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from unskew.errors import UserError
from unskew.nursery.lexicon import CATEGORY, Adjective, Name, Noun, lexicon
from unskew.nursery.meanings import Determiner, NounPhrase, Sum
from unskew.nursery.split import Split, split

__all__ = ["VARIANTS", "World", "world"]

COLOURED = ("animal", "fruit", "vegetable", "garment", "tool", "vehicle", "instrument")
"""Kinds of things that may have a colour of their own; each kind has a category with a name."""

Variant = tuple[Determiner, bool]
VARIANTS: tuple[Variant, ...] = (
    ("the", False), ("this", False), ("my", False), ("the", True), ("this", True), ("my", True),
)  # fmt: skip
"""The ways of naming a thing: determiner, and whether in the plural."""

HELD_VARIANTS = 2
HELD_SUMS = 0.2
HELD_MEMBERSHIPS = 0.2


@dataclass(frozen=True, eq=False)
class World:
    """See the module. colours: noun -> its colour, all of them of the seen words."""

    seed: int
    words: Split
    colours: Mapping[Noun, Adjective]

    def sum_held(self, sum: Sum) -> bool:
        """Whether a sum is held out; a plus b and b plus a are, or are not, together."""
        pair = (sum.left, sum.right)
        numbers = sorted(pair) if sum.operation == "plus" else pair
        return _share(self.seed, "sum", sum.operation, *numbers) < HELD_SUMS

    def variants(self, noun: Noun, held: bool) -> list[Variant]:
        """The ways of naming a noun that are, or are not, held out of questions about it."""
        order = sorted(VARIANTS, key=lambda v: _share(self.seed, "variant", noun.qon, *v))
        return order[:HELD_VARIANTS] if held else order[HELD_VARIANTS:]

    def membership_held(self, noun: Noun | Name, category: Noun) -> bool:
        """Whether the question if `noun` is one of `category` is held out."""
        return _share(self.seed, "member", noun.qon, category.qon) < HELD_MEMBERSHIPS

    def phrase(self, noun: Noun, variant: Variant) -> NounPhrase:
        """A noun named in one of the VARIANTS."""
        return NounPhrase(noun, variant[0], plural=variant[1])


@cache
def world(seed: int, facts: int = 96, share: float = 0.2) -> World:
    """The world of a seed.

    Args:
        facts: how many things have a colour of their own.
        share: of the words, held out.

    Raises:
        UserError: more facts than there are seen things to have them.
    """
    words = split(lexicon(), seed, share)
    things = [n for n in words.seen.nouns if n.kind in COLOURED and not n.mass]
    if not 0 <= facts <= len(things):
        raise UserError(f"{facts} facts: there are {len(things)} things that could have a colour")
    things = sorted(things, key=lambda noun: _share(seed, "fact", noun.qon))[:facts]
    colours = {}
    for noun in things:
        fitting = [a for a in words.seen.adjectives if a.colour and noun.kind in a.kinds]
        colours[noun] = fitting[int(_share(seed, "colour", noun.qon) * len(fitting))]
    return World(seed, words, colours)


def categories(world: World) -> list[Noun]:
    """What things are said to be: animal, fruit, ..."""
    return [noun for noun in world.words.seen.nouns if noun.kind == CATEGORY]


def _share(*parts: str | int) -> float:
    """A number in [0, 1) that is a function of the parts alone."""
    digest = hashlib.sha256(json.dumps(["nursery world", *parts]).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
