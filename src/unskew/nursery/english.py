"""English (British spelling): a and an, do-support, "any" under negation, third-person -s."""

from __future__ import annotations

from unskew.nursery import numerals
from unskew.nursery.lexicon import Name, Tense, Verb
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
from unskew.nursery.surface import begins_with, sentence, written

_BE = {"present": ("is", "are"), "past": ("was", "were")}
_DO = {"present": ("does", "do"), "past": ("did", "did"), "future": ("will", "will")}


def say(meaning: Meaning) -> str:
    """The meaning in English."""
    match meaning:
        case Clause():
            return sentence(_articles(_clause(meaning)))
        case Described() | Located() | Membership():
            subject, copula, rest = _copular(meaning)
            nots = ["not"] if meaning.negated else []
            return sentence(_articles([*subject, copula[0], *nots, *copula[1:], *rest]))
        case Equation(sum):
            return sentence([*_sum(sum), "equals", *_number(sum.result, sum.digits)])
        case Sum():
            return sentence(["what", "is", *_sum(meaning)], "?")
        case ColourOf(subject):
            be = _BE["present"][subject.many]
            return sentence(_articles(["what", "colour", be, *_phrase(subject)]), "?")
        case WhereIs(subject):
            return sentence(
                _articles(["where", _BE["present"][subject.many], *_phrase(subject)]), "?"
            )
        case Whether(statement):
            return sentence(_articles(_inverted(statement)), "?")
        case NounPhrase():
            return written(_articles(_phrase(meaning)))
        case Place():
            return written(_articles(_place(meaning)))
        case Trait(adjective):
            return written([adjective.en])
        case Number(value):
            return written(numerals.english(value))
        case YesNo(yes):
            return "yes" if yes else "no"


def _inverted(s: Clause | Described | Located | Membership) -> list[str]:
    if isinstance(s, Clause):
        do = _DO[s.tense][s.subject.many]
        return [do, *_phrase(s.subject), s.verb.en.base, *_after(s)]
    subject, copula, rest = _copular(s)
    return [copula[0], *subject, *copula[1:], *rest]


def _articles(tokens: list[str]) -> list[str]:
    pairs = zip(tokens, [*tokens[1:], ""], strict=True)
    return ["an" if t == "a" and begins_with(after, "aeiou") else t for t, after in pairs]


def _phrase(phrase: NounPhrase, negated: bool = False) -> list[str]:
    noun = phrase.noun
    if isinstance(noun, Name):
        return [noun.en]
    adjective = [phrase.adjective.en] if phrase.adjective else []
    rest = [*adjective, noun.en.plural if phrase.many and noun.en.plural else noun.en.singular]
    if phrase.count is not None:
        return [*numerals.english(phrase.count), *rest]
    match phrase.determiner:
        case "a" if noun.mass:
            return rest
        case "a" if phrase.plural:
            return ["any" if negated else "some", *rest]
        case "this":
            return ["these" if phrase.plural else "this", *rest]
        case word:
            return [word or "", *rest]


def _place(place: Place) -> list[str]:
    return [place.relation, *_phrase(place.where)]


def _after(clause: Clause) -> list[str]:
    return [
        *(_phrase(clause.object, clause.negated) if clause.object else []),
        *(_place(clause.place) if clause.place else []),
        *([clause.time.en] if clause.time else []),
    ]


def _clause(clause: Clause) -> list[str]:
    many = clause.subject.many
    if clause.negated:
        verb = [_DO[clause.tense][many], "not", clause.verb.en.base]
    else:
        verb = _verb(clause.verb, clause.tense, many)
    return [*_phrase(clause.subject), *verb, *_after(clause)]


def _verb(verb: Verb, tense: Tense, many: bool) -> list[str]:
    match tense:
        case "present":
            return [verb.en.base if many else verb.en.third]
        case "past":
            return [verb.en.past]
        case "future":
            return ["will", verb.en.base]


def _copular(s: Described | Located | Membership) -> tuple[list[str], list[str], list[str]]:
    """Subject, copula (its first word moves in questions, `not` follows it), complement."""
    if isinstance(s, Membership):
        noun = [s.noun.en] if isinstance(s.noun, Name) else ["a", s.noun.en.singular]
        return noun, ["is"], ["a", s.category.en.singular]
    rest = [s.adjective.en] if isinstance(s, Described) else _place(s.place)
    copula = ["will", "be"] if s.tense == "future" else [_BE[s.tense][s.subject.many]]
    return _phrase(s.subject), copula, rest


def _number(n: int, digits: bool) -> list[str]:
    return [str(n)] if digits else numerals.english(n)


def _sum(sum: Sum) -> list[str]:
    return [
        *_number(sum.left, sum.digits),
        sum.operation,
        *_number(sum.right, sum.digits),
    ]
