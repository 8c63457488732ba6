"""Spanish: agreement, adjectives after the noun, el agua, al and del, ser and estar, ¿ ... ?

The past is the preterite, and the imperfect of ser and estar in descriptions. Some nouns of the
feminine take el and un (el águila blanca, esta águila). Questions put the verb first.
"""

from __future__ import annotations

from unskew.nursery import numerals
from unskew.nursery.lexicon import Adjective, Gender, Name, Noun
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

_SER = {"present": ("es", "son"), "past": ("era", "eran"), "future": ("será", "serán")}
_ESTAR = {
    "present": ("está", "están"),
    "past": ("estaba", "estaban"),
    "future": ("estará", "estarán"),
}
_RELATIONS = {
    "in": ["en"],
    "on": ["sobre"],
    "under": ["debajo", "de"],
    "near": ["cerca", "de"],
    "behind": ["detrás", "de"],
    "in front of": ["delante", "de"],
    "next to": ["al", "lado", "de"],
    "to": ["a"],
}
_CONTRACTED = {("a", "el"): "al", ("de", "el"): "del"}


def say(meaning: Meaning) -> str:
    """The meaning in Spanish."""
    match meaning:
        case Clause():
            nots = ["no"] if meaning.negated else []
            return _told([*_phrase(meaning.subject), *nots, _verb(meaning), *_after(meaning)])
        case Described() | Located() | Membership():
            subject, copula, rest = _copular(meaning)
            return _told([*subject, *(["no"] if meaning.negated else []), copula, *rest])
        case Equation(sum):
            return _told([*_sum(sum), "es", "igual", "a", *_number(sum.result, sum.digits)])
        case Sum():
            return _asked(["cuánto", "es", *_sum(meaning)])
        case ColourOf(subject):
            return _asked(["de", "qué", "color", _SER["present"][subject.many], *_phrase(subject)])
        case WhereIs(subject):
            return _asked(["dónde", _ESTAR["present"][subject.many], *_phrase(subject)])
        case Whether(statement):
            return _asked(_inverted(statement))
        case NounPhrase():
            return written(_joined(_phrase(meaning)))
        case Place():
            return written(_joined(_place(meaning)))
        case Trait(adjective, subject):
            return written([_agreeing(adjective, subject)])
        case Number(value):
            return written(numerals.spanish(value))
        case YesNo(yes):
            return "sí" if yes else "no"


def _inverted(s: Clause | Described | Located | Membership) -> list[str]:
    """Verb first; what something is comes before it: ¿Es roja la manzana?"""
    if isinstance(s, Clause):
        return [_verb(s), *_phrase(s.subject), *_after(s)]
    subject, copula, rest = _copular(s)
    return [copula, *rest, *subject] if isinstance(s, Described) else [copula, *subject, *rest]


def _told(tokens: list[str]) -> str:
    return sentence(_joined(tokens))


def _asked(tokens: list[str]) -> str:
    return sentence(_joined(tokens), "?", "¿")


def _joined(tokens: list[str]) -> list[str]:
    """Contract: a el mercado -> al mercado, de el -> del. No other word here is a lone el."""
    out: list[str] = []
    for token in tokens:
        if out and (out[-1], token) in _CONTRACTED:
            out[-1] = _CONTRACTED[out[-1], token]
        else:
            out.append(token)
    return out


def _phrase(phrase: NounPhrase, denied: bool = False) -> list[str]:
    """denied: the object of a negated verb, which takes no unos (no come manzanas)."""
    noun = phrase.noun
    if isinstance(noun, Name):
        return [noun.es]
    feminine, many = noun.es.gender == "f", phrase.many
    head = noun.es.plural if many and noun.es.plural else noun.es.singular
    words = [head, *([_agreeing(phrase.adjective, phrase)] if phrase.adjective else [])]
    if phrase.count is not None:
        return [*numerals.spanish(phrase.count, "f" if feminine else "m"), *words]
    match phrase.determiner:
        case "the" if many:
            return ["las" if feminine else "los", *words]
        case "the":
            return ["la" if feminine and noun.es.article is None else "el", *words]
        case "this" if many:
            return ["estas" if feminine else "estos", *words]
        case "this":
            return ["esta" if feminine else "este", *words]
        case "my":
            return ["mis" if many else "mi", *words]
        case _ if noun.mass or (many and denied):
            return words
        case _ if many:
            return ["unas" if feminine else "unos", *words]
        case _:
            return [*_one(noun), *words[1:]]


def _one(noun: Noun | Name) -> list[str]:
    if isinstance(noun, Name):
        return [noun.es]
    return ["una" if noun.es.gender == "f" and not noun.es.article else "un", noun.es.singular]


def _agreeing(adjective: Adjective, phrase: NounPhrase) -> str:
    return adjective.es.form(_gender(phrase), phrase.many)


def _gender(phrase: NounPhrase) -> Gender:
    noun = phrase.noun
    return (noun.gender if isinstance(noun, Name) else noun.es.gender) or "m"


def _place(place: Place) -> list[str]:
    return [*_RELATIONS[place.relation], *_phrase(place.where)]


def _verb(clause: Clause) -> str:
    forms, many = clause.verb.es, clause.subject.many
    match clause.tense:
        case "present":
            return forms.present_plural if many else forms.present
        case "past":
            return forms.past_plural if many else forms.past
        case "future":
            return forms.future_plural if many else forms.future


def _after(clause: Clause) -> list[str]:
    return [
        *(_phrase(clause.object, clause.negated) if clause.object else []),
        *(_place(clause.place) if clause.place else []),
        *([clause.time.es] if clause.time else []),
    ]


def _copular(s: Described | Located | Membership) -> tuple[list[str], str, list[str]]:
    """Subject, copula, complement. Where something is and how it just is takes estar."""
    match s:
        case Membership(noun, category):
            return _one(noun), "es", _one(category)
        case Located(subject, place, tense):
            return _phrase(subject), _ESTAR[tense][subject.many], _place(place)
        case Described(subject, adjective, tense):
            be = _ESTAR if adjective.es.marked else _SER
            return _phrase(subject), be[tense][subject.many], [_agreeing(adjective, subject)]


def _number(n: int, digits: bool) -> list[str]:
    return [str(n)] if digits else numerals.spanish(n)


def _sum(sum: Sum) -> list[str]:
    word = "más" if sum.operation == "plus" else "menos"
    return [*_number(sum.left, sum.digits), word, *_number(sum.right, sum.digits)]
