"""What can be said: a small abstract syntax, the same for all languages.

A sentence is a meaning with words in it; `languages.say` puts it into each language. A meaning
that one of the languages could not say, or not in one certain way, cannot be built: it raises
ValueError. So there are no persons or animals as objects (Spanish would need its personal a) and
no days in the present (French and Spanish would say something else).

Statements: Clause, Described, Located, Membership, Equation. Questions: ColourOf, WhereIs, Sum,
Whether (of a statement). Fragments, to answer with: NounPhrase, Place, Trait, Number, YesNo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unskew.nursery.lexicon import CATEGORY, Adjective, Name, Noun, Tense, Time, Verb

Determiner = Literal["the", "a", "this", "my"]
Relation = Literal["in", "on", "under", "near", "behind", "in front of", "next to", "to"]
Operation = Literal["plus", "minus"]


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)


@dataclass(frozen=True)
class NounPhrase:
    """the red apple, some apples, 21 apples, bread, Anna.

    Args:
        noun: a name stands alone, without anything below.
        determiner: "a" is "some" in the plural and with what is not counted; None with a count.
        count: 2..99, said in words.
    """

    noun: Noun | Name
    determiner: Determiner | None = None
    adjective: Adjective | None = None
    plural: bool = False
    count: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.noun, Name):
            others = (self.determiner, self.adjective, self.count)
            _check(not self.plural and others == (None,) * 3, "a name stands alone")
            return
        _check(self.noun.kind != CATEGORY, "a category is only what something is")
        _check((self.determiner is None) == (self.count is not None), "a determiner or a count")
        _check(self.count is None or 2 <= self.count <= 99, "counts are 2..99")
        _check(not (self.noun.mass and self.many), "what is not counted has no plural")
        kinds = self.adjective.kinds if self.adjective else (self.noun.kind,)
        _check(self.noun.kind in kinds, "the adjective does not go with the noun")

    @property
    def many(self) -> bool:
        """Whether what agrees with it is in the plural."""
        return self.plural or self.count is not None

    @property
    def vague(self) -> bool:
        """a, some: what French negation turns into de."""
        return self.determiner == "a"


@dataclass(frozen=True)
class Place:
    """in the garden, near Paris, to the market."""

    relation: Relation
    where: NounPhrase

    def __post_init__(self) -> None:
        noun = self.where.noun
        match noun.kind:
            case "city":
                _check(self.relation in ("in", "near", "to"), "a city is a place in, near or to")
            case "country":
                _check(self.relation in ("in", "to"), "a country is a place in or to")
            case "person" | "animal" | "fruit" | "vegetable" | "food" | "drink" | "garment":
                _check(False, f"a {noun.kind} is no place")
            case kind:
                _check(not self.where.many and self.where.determiner != "a", "a certain place")
                _check(self.relation != "in" or kind == "room", "one is in a room")
                _check(self.relation != "to" or kind in ("room", "site"), "one goes to a site")


@dataclass(frozen=True)
class Clause:
    """subject verb object place time: "Anna ate an apple in the garden on Monday." """

    subject: NounPhrase
    verb: Verb
    object: NounPhrase | None = None
    place: Place | None = None
    time: Time | None = None
    tense: Tense = "present"
    negated: bool = False

    def __post_init__(self) -> None:
        _check(_certain(self.subject), "some of what is not counted is no subject")
        _check(self.subject.noun.kind in self.verb.subjects, "the verb does not take the subject")
        goal = self.place is not None and self.place.relation == "to"
        _check(goal == self.verb.goal, 'a verb has a place with "to" if and only if it goes there')
        _check((self.object is not None) == bool(self.verb.objects), "an object, or none")
        if self.object is not None:
            _check(self.object.noun.kind in self.verb.objects, "the verb does not take the object")
        _check(self.time is None or self.tense in self.time.tenses, "time and tense do not agree")


@dataclass(frozen=True)
class Described:
    """The apples are red."""

    subject: NounPhrase
    adjective: Adjective
    tense: Tense = "present"
    negated: bool = False

    def __post_init__(self) -> None:
        _check(_certain(self.subject), "some of what is not counted is no subject")
        _check(
            self.subject.noun.kind in self.adjective.kinds,
            "the adjective does not go with the noun",
        )


@dataclass(frozen=True)
class Located:
    """The cat is under the table."""

    subject: NounPhrase
    place: Place
    tense: Tense = "present"
    negated: bool = False

    def __post_init__(self) -> None:
        _check(_certain(self.subject), "some of what is not counted is no subject")
        _check(self.subject.noun.kind not in ("city", "country"), "cities do not move")
        _check(self.place.relation != "to", "to is for going")


@dataclass(frozen=True)
class Membership:
    """A dog is an animal. Paris is not an animal."""

    noun: Noun | Name
    category: Noun
    negated: bool = False

    def __post_init__(self) -> None:
        _check(self.category.kind == CATEGORY, "what something is must be a category")
        mass = isinstance(self.noun, Noun) and (self.noun.mass or self.noun.kind == CATEGORY)
        _check(not mass and self.noun.kind != "country", "only what is counted, and names")


@dataclass(frozen=True)
class Sum:
    """What is three plus four? The numbers and the result lie in 0..99. digits: 3 plus 4."""

    left: int
    right: int
    operation: Operation = "plus"
    digits: bool = False

    def __post_init__(self) -> None:
        numbers = (self.left, self.right, self.result)
        _check(all(0 <= n <= 99 for n in numbers), f"{numbers} do not lie in 0..99")

    @property
    def result(self) -> int:
        return self.left + (self.right if self.operation == "plus" else -self.right)


@dataclass(frozen=True)
class Equation:
    """Three plus four equals seven."""

    sum: Sum


@dataclass(frozen=True)
class ColourOf:
    """What colour is the apple?"""

    subject: NounPhrase

    def __post_init__(self) -> None:
        _check(isinstance(self.subject.noun, Noun), "names have no colour")
        _check(_certain(self.subject), "some of what is not counted is no subject")
        _check(self.subject.adjective is None, "asked without an adjective, which could answer")


@dataclass(frozen=True)
class WhereIs:
    """Where is the cat?"""

    subject: NounPhrase

    def __post_init__(self) -> None:
        _check(self.subject.noun.kind not in ("city", "country"), "cities do not move")
        _check(_certain(self.subject), "some of what is not counted is no subject")


@dataclass(frozen=True)
class Whether:
    """Does Anna eat an apple? Is the apple red? Is the cat in the garden? Is a dog an animal?"""

    statement: Clause | Described | Located | Membership

    def __post_init__(self) -> None:
        _check(not self.statement.negated, "questions are not negated")


@dataclass(frozen=True)
class Trait:
    """What `subject` is, by itself and in agreement: red, rouges, rojas."""

    adjective: Adjective
    subject: NounPhrase

    def __post_init__(self) -> None:
        _check(
            self.subject.noun.kind in self.adjective.kinds,
            "the adjective does not go with the noun",
        )


@dataclass(frozen=True)
class Number:
    """0..99, in words."""

    value: int

    def __post_init__(self) -> None:
        _check(0 <= self.value <= 99, f"{self.value} does not lie in 0..99")


@dataclass(frozen=True)
class YesNo:
    """yes, no."""

    yes: bool


Statement = Clause | Described | Located | Membership | Equation
Question = ColourOf | WhereIs | Sum | Whether
Fragment = NounPhrase | Place | Trait | Number | YesNo
Meaning = Statement | Question | Fragment


def _certain(subject: NounPhrase) -> bool:
    # "Bread is hot": French would generalise with le, Spanish has no bare subject.
    return not (isinstance(subject.noun, Noun) and subject.noun.mass and subject.vague)


# Pairs that dictionaries, cooks and botanists would not agree on: no statement is made of them.
_CONTESTED = frozenset(
    {
        ("person", "animal"),
        ("vegetable", "fruit"),
        ("food", "fruit"),
        ("food", "vegetable"),
        ("food", "animal"),
        ("tool", "instrument"),
        ("instrument", "tool"),
        ("vehicle", "tool"),
        ("furniture", "tool"),
        ("thing", "tool"),
        ("thing", "instrument"),
        ("thing", "garment"),
    }
)


def belongs(noun: Noun | Name, category: Noun) -> bool | None:
    """Whether the noun is one of the category in this world; None where people would differ."""
    pair = (noun.kind, category.en.singular)
    return None if pair in _CONTESTED else pair[0] == pair[1]
