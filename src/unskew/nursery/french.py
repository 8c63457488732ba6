"""French: agreement, adjectives before or after, elision and contraction, ne ... pas with de.

The past is the passé composé, with être and agreement for verbs of going, and the imperfect of
être in descriptions. No narrow space before a question mark but a plain one, so that any keyboard
can type it.
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
from unskew.nursery.surface import begins_with, sentence, written

_BE = {
    "present": ("est", "sont"),
    "past": ("était", "étaient"),
    "future": ("sera", "seront"),
}
_HAVE = ("a", "ont")
_RELATIONS = {
    "in": ["dans"],
    "on": ["sur"],
    "under": ["sous"],
    "near": ["près", "de"],
    "behind": ["derrière"],
    "in front of": ["devant"],
    "next to": ["à", "côté", "de"],
    "to": ["à"],
}
_ELIDED = frozenset({"le", "la", "de", "ne", "que"})
_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}
_VOWELS = "aeiouàâéèêëîïôœùûh"


def say(meaning: Meaning) -> str:
    """The meaning in French."""
    match meaning:
        case Clause() | Described() | Located() | Membership():
            return sentence(_joined(_statement(meaning)))
        case Equation(sum):
            return sentence([*_sum(sum), "égale", *_number(sum.result, sum.digits)])
        case Sum():
            return sentence(["combien", "font", *_sum(meaning)], " ?")
        case ColourOf(subject):
            be = _BE["present"][subject.many]
            return sentence(_joined(["de", "quelle", "couleur", be, *_phrase(subject)]), " ?")
        case WhereIs(subject):
            be = _BE["present"][subject.many]
            return sentence(_joined(["où", be, *_phrase(subject)]), " ?")
        case Whether(statement):
            return sentence(_joined(["est-ce", "que", *_statement(statement)]), " ?")
        case NounPhrase():
            return written(_joined(_phrase(meaning)))
        case Place():
            return written(_joined(_place(meaning)))
        case Trait():
            return written([_trait(meaning)])
        case Number(value):
            return written(numerals.french(value))
        case YesNo(yes):
            return "oui" if yes else "non"


def _vowel(form: str) -> bool:
    return begins_with(form, _VOWELS)


def _joined(tokens: list[str]) -> list[str]:
    """Contract (à le marché -> au marché), then elide (le arbre -> l'arbre); an article that is
    elided is not contracted (de l'arbre)."""
    out: list[str] = []
    at = 0
    while at < len(tokens):
        here, *rest = tokens[at:]
        pair = (here, rest[0]) if rest else None
        if pair in _CONTRACTED and not (pair[1] == "le" and _vowel(rest[1])):
            out.append(_CONTRACTED[pair])
            at += 2
        elif here in _ELIDED and rest and _vowel(rest[0]):
            out.append(f"{here[:-1]}'{rest[0]}")
            at += 2
        else:
            out.append(here)
            at += 1
    return out


def _phrase(phrase: NounPhrase, denied: bool = False) -> list[str]:
    """denied: the object of a negated verb, whose indefinite article is de (pas de pommes)."""
    noun = phrase.noun
    if isinstance(noun, Name):
        return [noun.fr]
    feminine, many = noun.fr.gender == "f", phrase.many
    head = noun.fr.plural if many and noun.fr.plural else noun.fr.singular
    words, early = [head], False
    if phrase.adjective is not None:
        early = phrase.adjective.fr.marked
        form = _adjective(phrase.adjective, noun, many)
        words = [form, head] if early else [head, form]
    vowel = _vowel(words[0])
    if phrase.count is not None:
        return [*numerals.french(phrase.count, "f" if feminine else "m"), *words]
    match phrase.determiner:
        case "the" if many:
            return ["les", *words]
        case "the":
            return ["la" if feminine else "le", *words]
        case "this" if many:
            return ["ces", *words]
        case "this":
            return ["cette" if feminine else "cet" if vowel else "ce", *words]
        case "my" if many:
            return ["mes", *words]
        case "my":
            return ["ma" if feminine and not vowel else "mon", *words]
        case _ if denied:
            return ["de", *words]
        case _ if noun.mass:
            return ["de", "la" if feminine else "le", *words]
        case _ if many:
            return ["de" if early else "des", *words]  # de bons livres, des livres rouges
        case _:
            return ["une" if feminine else "un", *words]


def _adjective(adjective: Adjective, noun: Noun, many: bool) -> str:
    agreeing, gender = adjective.fr, noun.fr.gender or "m"
    if agreeing.vowel and agreeing.marked and not many and gender == "m":
        # bel arbre, vieil homme: these stand right before their noun.
        return agreeing.vowel if _vowel(noun.fr.singular) else agreeing.m
    return agreeing.form(gender, many)


def _trait(trait: Trait) -> str:
    return trait.adjective.fr.form(_gender(trait.subject), trait.subject.many)


def _gender(phrase: NounPhrase) -> Gender:
    noun = phrase.noun
    return (noun.gender if isinstance(noun, Name) else noun.fr.gender) or "m"


def _place(place: Place) -> list[str]:
    """A name's preposition depends on it: à Paris, en France, au Japon."""
    noun = place.where.noun
    if isinstance(noun, Name) and place.relation in ("in", "to"):
        if noun.kind == "city":
            return ["à", noun.fr]
        return ["en", noun.fr] if noun.gender == "f" or _vowel(noun.fr) else ["au", noun.fr]
    return [*_RELATIONS[place.relation], *_phrase(place.where)]


def _statement(s: Clause | Described | Located | Membership) -> list[str]:
    match s:
        case Clause():
            verb, rest = _verb(s), _after(s)
            subject = _phrase(s.subject)
        case Membership():
            verb, subject = ["est"], _one(s.noun)
            rest = _one(s.category)
        case Described():
            verb, subject = [_BE[s.tense][s.subject.many]], _phrase(s.subject)
            rest = [_trait(Trait(s.adjective, s.subject))]
        case Located():
            verb, subject = [_BE[s.tense][s.subject.many]], _phrase(s.subject)
            rest = _place(s.place)
    if s.negated:
        verb = ["ne", verb[0], "pas", *verb[1:]]
    return [*subject, *verb, *rest]


def _verb(clause: Clause) -> list[str]:
    """One word, or the auxiliary and the participle: pas stands between them."""
    forms, many = clause.verb.fr, clause.subject.many
    match clause.tense:
        case "present":
            return [forms.present_plural if many else forms.present]
        case "future":
            return [forms.future_plural if many else forms.future]
        case "past" if forms.with_etre:
            feminine = _gender(clause.subject) == "f"
            ending = ("e" if feminine else "") + ("s" if many else "")
            return [_BE["present"][many], forms.participle + ending]
        case "past":
            return [_HAVE[many], forms.participle]


def _after(clause: Clause) -> list[str]:
    return [
        *(_phrase(clause.object, clause.negated) if clause.object else []),
        *(_place(clause.place) if clause.place else []),
        *([clause.time.fr] if clause.time else []),
    ]


def _one(noun: Noun | Name) -> list[str]:
    if isinstance(noun, Name):
        return [noun.fr]
    return ["une" if noun.fr.gender == "f" else "un", noun.fr.singular]


def _number(n: int, digits: bool) -> list[str]:
    return [str(n)] if digits else numerals.french(n)


def _sum(sum: Sum) -> list[str]:
    word = "plus" if sum.operation == "plus" else "moins"
    return [*_number(sum.left, sum.digits), word, *_number(sum.right, sum.digits)]
