"""The words: every form that a sentence can need is written down in data/*.csv, none is derived.

A row is a word in all languages, so a word knows its translations. The exception is Onevi, the
invented language ("qon"): it has no exceptions, so its root is enough.

A form that begins with `*` begins otherwise than its first letter says: English *honest (an
honest king) and *uniform (a uniform), French *hibou (le hibou). `plain` takes the mark away.

The data were written for this project and checked by rules, not by native speakers.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, cast

__all__ = [
    "Adjective",
    "Lexicon",
    "Name",
    "Noun",
    "Tense",
    "Time",
    "Verb",
    "Word",
    "lexicon",
    "plain",
]

Gender = Literal["m", "f"]
Tense = Literal["present", "past", "future"]

# Nouns that say what others are ("A dog is an animal."); they occur nowhere else.
CATEGORY = "category"


class Forms(NamedTuple):
    """A noun in a language. plural: None for what is not counted. article: "el" for the Spanish
    feminine nouns that take el and un (el agua fría). English has no gender."""

    singular: str
    plural: str | None
    gender: Gender | None = None
    article: str | None = None


class Agreeing(NamedTuple):
    """An adjective in French or Spanish. vowel: French, before a vowel (bel). marked: French,
    before the noun instead of after it; Spanish, with estar instead of ser."""

    m: str
    f: str
    m_plural: str
    f_plural: str
    vowel: str | None
    marked: bool

    def form(self, gender: Gender, many: bool) -> str:
        if many:
            return self.m_plural if gender == "m" else self.f_plural
        return self.m if gender == "m" else self.f


class EnglishVerb(NamedTuple):
    """eat, eats, ate"""

    base: str
    third: str
    past: str


class FrenchVerb(NamedTuple):
    """mange, mangent, mangé, mangera, mangeront; whether its compound past is made with être."""

    present: str
    present_plural: str
    participle: str
    future: str
    future_plural: str
    with_etre: bool


class SpanishVerb(NamedTuple):
    """come, comen, comió, comieron, comerá, comerán"""

    present: str
    present_plural: str
    past: str
    past_plural: str
    future: str
    future_plural: str


@dataclass(frozen=True)
class Noun:
    """kind: person, animal, fruit, vegetable, food, drink, garment, tool, vehicle, instrument,
    furniture, thing, room (one can be in it), site (one can be near it), or category."""

    kind: str
    en: Forms
    fr: Forms
    es: Forms
    qon: str

    def __hash__(self) -> int:
        return hash(self.qon)  # no two words share a root; the generated one is ten times slower

    @property
    def mass(self) -> bool:
        """Not counted: bread, water."""
        return self.en.plural is None


@dataclass(frozen=True)
class Adjective:
    """kinds: of the nouns that it can describe. colour: whether it answers "What colour ...?"."""

    en: str
    fr: Agreeing
    es: Agreeing
    kinds: tuple[str, ...]
    colour: bool
    qon: str


@dataclass(frozen=True)
class Verb:
    """subjects, objects: kinds of nouns that it takes; no objects: intransitive. goal: it takes
    a place to go to. In French only verbs without an object make their past with être."""

    en: EnglishVerb
    fr: FrenchVerb
    es: SpanishVerb
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    goal: bool
    qon: str


@dataclass(frozen=True)
class Name:
    """kind: person, city or country. gender: of persons, and of countries in French (en France,
    au Japon); None for cities, which take no agreement here."""

    kind: str
    gender: Gender | None
    en: str
    fr: str
    es: str
    qon: str


@dataclass(frozen=True)
class Time:
    """A whole phrase for when something happens, and the tenses that go with it."""

    key: str
    en: str
    fr: str
    es: str
    tenses: tuple[Tense, ...]
    qon: str


Word = Noun | Adjective | Verb | Name | Time


@dataclass(frozen=True)
class Lexicon:
    """Words to speak with: all of them, or one side of a split."""

    nouns: tuple[Noun, ...]
    adjectives: tuple[Adjective, ...]
    verbs: tuple[Verb, ...]
    names: tuple[Name, ...]
    times: tuple[Time, ...]

    def __iter__(self) -> Iterator[Word]:
        for part in (self.nouns, self.adjectives, self.verbs, self.names, self.times):
            yield from part

    def noun(self, english: str) -> Noun:
        """The noun of this English singular; of two, the one that is not a category.

        Raises:
            KeyError: there is none.
        """
        found = [n for n in self.nouns if plain(n.en.singular) == english]
        if not found:
            raise KeyError(english)
        return min(found, key=lambda n: n.kind == CATEGORY)

    def category(self, english: str) -> Noun:
        """The category of this English name. Raises KeyError if there is none."""
        for noun in self.nouns:
            if noun.kind == CATEGORY and plain(noun.en.singular) == english:
                return noun
        raise KeyError(english)

    def adjective(self, english: str) -> Adjective:
        """The adjective of this English form. Raises KeyError if there is none."""
        for adjective in self.adjectives:
            if plain(adjective.en) == english:
                return adjective
        raise KeyError(english)

    def verb(self, english: str) -> Verb:
        """The verb of this English base form. Raises KeyError if there is none."""
        for verb in self.verbs:
            if verb.en.base == english:
                return verb
        raise KeyError(english)

    def name(self, english: str) -> Name:
        """The name of this English form. Raises KeyError if there is none."""
        for name in self.names:
            if name.en == english:
                return name
        raise KeyError(english)

    def time(self, key: str) -> Time:
        """The time of this key, such as Monday. Raises KeyError if there is none."""
        for time in self.times:
            if time.key == key:
                return time
        raise KeyError(key)


def plain(form: str) -> str:
    """A form as it is written, without the mark of an unexpected beginning."""
    return form.removeprefix("*")


@cache
def lexicon() -> Lexicon:
    """All words, in the order of the files."""
    return Lexicon(
        nouns=tuple(map(_noun, _rows("nouns"))),
        adjectives=tuple(map(_adjective, _rows("adjectives"))),
        verbs=tuple(map(_verb, _rows("verbs"))),
        names=tuple(map(_name, _rows("names"))),
        times=tuple(map(_time, _rows("times"))),
    )


def _rows(name: str) -> list[dict[str, str]]:
    text = files("unskew.nursery").joinpath("data", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def _gender(cell: str) -> Gender:
    if cell not in ("m", "f"):
        raise ValueError(f"{cell!r} is no gender")
    return cast(Gender, cell)


def _noun(row: dict[str, str]) -> Noun:
    french = Forms(row["fr"], row["fr_plural"] or None, _gender(row["fr_gender"]))
    spanish = Forms(
        row["es"], row["es_plural"] or None, _gender(row["es_gender"]), row["es_article"] or None
    )
    return Noun(
        row["kind"], Forms(row["en"], row["en_plural"] or None), french, spanish, row["qon"]
    )


def _adjective(row: dict[str, str]) -> Adjective:
    before, estar = row["fr_place"] == "before", row["es_copula"] == "estar"
    return Adjective(
        en=row["en"],
        fr=_agreeing(row, "fr", row["fr_m_vowel"] or None, before),
        es=_agreeing(row, "es", None, estar),
        kinds=tuple(row["kinds"].split()),
        colour=row["colour"] == "colour",
        qon=row["qon"],
    )


def _agreeing(row: dict[str, str], language: str, vowel: str | None, marked: bool) -> Agreeing:
    m, f, m_plural, f_plural = (
        row[f"{language}_{form}"] for form in ("m", "f", "m_plural", "f_plural")
    )
    return Agreeing(m, f, m_plural, f_plural, vowel, marked)


def _verb(row: dict[str, str]) -> Verb:
    french = FrenchVerb(
        row["fr"],
        row["fr_plural"],
        row["fr_participle"],
        row["fr_future"],
        row["fr_future_plural"],
        with_etre=row["fr_auxiliary"] == "être",
    )
    spanish = SpanishVerb(
        row["es"],
        row["es_plural"],
        row["es_past"],
        row["es_past_plural"],
        row["es_future"],
        row["es_future_plural"],
    )
    return Verb(
        en=EnglishVerb(row["en"], row["en_third"], row["en_past"]),
        fr=french,
        es=spanish,
        subjects=tuple(row["subjects"].split()),
        objects=tuple(row["objects"].split()),
        goal=row["goal"] == "goal",
        qon=row["qon"],
    )


def _name(row: dict[str, str]) -> Name:
    gender = _gender(row["gender"]) if row["gender"] else None
    return Name(row["kind"], gender, row["en"], row["fr"], row["es"], row["qon"])


def _time(row: dict[str, str]) -> Time:
    tenses = cast(tuple[Tense, ...], tuple(row["tenses"].split()))
    return Time(row["key"], row["en"], row["fr"], row["es"], tenses, row["qon"])
