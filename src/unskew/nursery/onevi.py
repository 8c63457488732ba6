"""Onevi, an invented language without exceptions; its content words are like those of no other
language here, and so is the order in which it says things.

Sounds. A root is made of syllables: one consonant (p t k b d g m n s z v l r), one vowel
(a e i o u), and at most one of n l r after it. Nouns end in a vowel. Roots of adjectives and
verbs end in a consonant and never stand alone.

Nouns. Root, then -ru for the plural, then -n for "the": vove, voven, voveru, voverun. There is
no indefinite article. The phrase is noun, adjective, then zul (this), gon (my) or a number;
beside a number the noun stays in the singular, though what agrees with it does not.

Classes. Persons, animals and their names are living, all else is still. An adjective ends in -o
with the living and in -e with the still, -ol and -el in the plural.

Verbs. Root, tense, agreement with the subject. Tense: -a- present, -u- past, -i- future.
Agreement: -n living, -l living plural, -r still, -ro still plural. So sil- (be): sila-n, silu-ro.

Order. Time, subject, place, object with `bir` after it, `dol` for not, verb last: all that is
said about a verb comes before it. Places have postpositions: garden tel, in the garden. A
question ends in kar; what is asked stands where the answer would: the cat moru silan kar?

Numbers. The unit comes before the tens: kersi duvorupen, three two-tens, 23.
"""

from __future__ import annotations

from unskew.nursery import numerals
from unskew.nursery.lexicon import Name, Noun, Tense
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Equation,
    Located,
    Meaning,
    Membership,
    NounPhrase,
    Number,
    Place,
    Sum,
    Trait,
    WhereIs,
    Whether,
    YesNo,
)
from unskew.nursery.surface import sentence, written

LIVING = frozenset({"person", "animal"})
TENSES: dict[Tense, str] = {"present": "a", "past": "u", "future": "i"}
# By (living, many).
VERB_ENDINGS = {(True, False): "n", (True, True): "l", (False, False): "r", (False, True): "ro"}
ADJECTIVE_ENDINGS = {
    (True, False): "o",
    (True, True): "ol",
    (False, False): "e",
    (False, True): "el",
}
_BE = "sil"
_POSTPOSITIONS = {
    "in": "tel",
    "on": "gan",
    "under": "lun",
    "near": "ber",
    "behind": "sor",
    "in front of": "min",
    "next to": "vel",
    "to": "dan",
}


def say(meaning: Meaning) -> str:
    """The meaning in Onevi."""
    match meaning:
        case Clause() | Described() | Located() | Membership():
            return sentence(_statement(meaning))
        case Equation(sum):
            result = _number(sum.result, sum.digits)
            return sentence([*_sum(sum), "kor", *result, _be("present", False, False)])
        case Sum():
            return sentence([*_sum(meaning), "kelu", _be("present", False, False), "kar"], "?")
        case ColourOf(subject):
            return sentence([*_phrase(subject), "selvi", _is(subject), "kar"], "?")
        case WhereIs(subject):
            return sentence([*_phrase(subject), "moru", _is(subject), "kar"], "?")
        case Whether(statement):
            return sentence([*_statement(statement), "kar"], "?")
        case NounPhrase():
            return written(_phrase(meaning))
        case Place():
            return written(_place(meaning))
        case Trait(adjective, subject):
            return adjective.qon + ADJECTIVE_ENDINGS[_living(subject.noun), subject.many]
        case Number(value):
            return written(numerals.onevi(value))
        case YesNo(yes):
            return "tal" if yes else "nur"


def _living(noun: Noun | Name) -> bool:
    return noun.kind in LIVING


def _is(subject: NounPhrase) -> str:
    return _be("present", _living(subject.noun), subject.many)


def _be(tense: Tense, living: bool, many: bool) -> str:
    return _BE + TENSES[tense] + VERB_ENDINGS[living, many]


def _phrase(phrase: NounPhrase) -> list[str]:
    noun = phrase.noun
    if isinstance(noun, Name):
        return [noun.qon]
    head = noun.qon + ("ru" if phrase.plural else "") + ("n" if phrase.determiner == "the" else "")
    ending = ADJECTIVE_ENDINGS[_living(noun), phrase.many]
    words = [head, *([phrase.adjective.qon + ending] if phrase.adjective else [])]
    match phrase.determiner:
        case "this":
            return [*words, "zul"]
        case "my":
            return [*words, "gon"]
        case _:
            return [*words, *(numerals.onevi(phrase.count) if phrase.count is not None else [])]


def _place(place: Place) -> list[str]:
    return [*_phrase(place.where), _POSTPOSITIONS[place.relation]]


def _statement(s: Clause | Described | Located | Membership) -> list[str]:
    nots = ["dol"] if s.negated else []
    if isinstance(s, Membership):
        be = _be("present", _living(s.noun), False)
        return [s.noun.qon, s.category.qon, *nots, be]
    living, many = _living(s.subject.noun), s.subject.many
    match s:
        case Described():
            rest = [s.adjective.qon + ADJECTIVE_ENDINGS[living, many]]
            return [*_phrase(s.subject), *rest, *nots, _be(s.tense, living, many)]
        case Located():
            return [*_phrase(s.subject), *_place(s.place), *nots, _be(s.tense, living, many)]
        case Clause():
            verb = s.verb.qon + TENSES[s.tense] + VERB_ENDINGS[living, many]
            return [
                *([s.time.qon] if s.time else []),
                *_phrase(s.subject),
                *(_place(s.place) if s.place else []),
                *([*_phrase(s.object), "bir"] if s.object else []),
                *nots,
                verb,
            ]


def _number(n: int, digits: bool) -> list[str]:
    return [str(n)] if digits else numerals.onevi(n)


def _sum(sum: Sum) -> list[str]:
    word = "zon" if sum.operation == "plus" else "pel"
    return [*_number(sum.left, sum.digits), word, *_number(sum.right, sum.digits)]
