"""Onevi by the rules of its docstring: sounds, classes, order, endings, unlike any other."""

import itertools
import re

from nursery.surface_tables import rows, said, words
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.lexicon import lexicon
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Located,
    Membership,
    WhereIs,
    Whether,
)
from unskew.nursery.split import forms

SYLLABLE = "[ptkbdgmnszvlr][aeiou]"
WORD = re.compile(rf"(?:{SYLLABLE}[nlr]?)+")


def test_every_word_is_made_of_its_syllables() -> None:
    for _, text in said("qon"):
        for word in words(text):
            assert word.isdigit() or WORD.fullmatch(word), text


def test_roots_end_as_their_part_of_speech_does() -> None:
    for name, ends in (("nouns", "[aeiou]"), ("adjectives", "[^aeiou]"), ("verbs", "[^aeiou]")):
        for row in rows(name):
            assert re.fullmatch(rf"({SYLLABLE}[nlr]?)*{SYLLABLE}?.*{ends}", row["qon"])
            assert WORD.fullmatch(row["qon"] + ("" if name == "nouns" else "o"))


def test_no_two_forms_are_the_same_and_none_is_of_another_language() -> None:
    found = [form for word in lexicon() for form in forms(word, "qon")]
    assert len(found) == len(set(found))
    others = {
        piece
        for word in lexicon()
        for language in LANGUAGES[:3]
        for form in forms(word, language)
        for piece in words(form)
    }
    others |= {
        word for language in LANGUAGES[:3] for _, text in said(language) for word in words(text)
    }
    spoken = {word for _, text in said("qon") for word in words(text) if not word.isdigit()}
    assert not (spoken | set(found)) & others


def test_the_verb_is_last_and_agrees() -> None:
    living = {"person", "animal"}
    seen = set()
    for meaning, text in said("qon"):
        statement = meaning.statement if isinstance(meaning, Whether) else meaning
        if not isinstance(statement, Clause | Described | Located | ColourOf | WhereIs):
            continue
        asked = isinstance(meaning, Whether | ColourOf | WhereIs)
        tokens = words(text)
        assert (tokens[-1] == "kar") == asked == text.endswith("kar?"), text
        verb = tokens[-2] if asked else tokens[-1]
        alive, many = statement.subject.noun.kind in living, statement.subject.many
        ending = {(1, 0): "n", (1, 1): "l", (0, 0): "r", (0, 1): "ro"}[alive, many]
        vowel = {"present": "a", "past": "u", "future": "i"}[getattr(statement, "tense", "present")]
        assert verb.endswith(vowel + ending), text
        if not asked and statement.negated:  # type: ignore[union-attr]
            assert tokens[-2] == "dol", text
        seen.add((alive, many, vowel))
    assert seen == set(itertools.product((True, False), (True, False), "aui"))


def test_places_have_postpositions_and_objects_bir() -> None:
    after = {"in": "tel", "on": "gan", "under": "lun", "near": "ber", "behind": "sor"}
    after |= {"in front of": "min", "next to": "vel", "to": "dan"}
    for meaning, text in said("qon"):
        tokens = words(text)
        place = getattr(meaning, "place", None)
        if place is not None:
            noun = place.where.noun.qon.lower()
            start = next(i for i, token in enumerate(tokens) if token.startswith(noun))
            assert after[place.relation] in tokens[start + 1 : start + 4], text
        if isinstance(meaning, Clause):
            assert ("bir" in tokens) == (meaning.object is not None), text
            if meaning.object:
                noun = meaning.object.noun.qon
                assert any(t.startswith(noun) for t in tokens[: tokens.index("bir")]), text
            if meaning.object and place:
                assert tokens.index(after[place.relation]) < tokens.index("bir"), text
            if meaning.time:
                assert tokens[0] == meaning.time.qon, text


def test_nouns_are_singular_beside_numbers_and_definite_with_n() -> None:
    for meaning, text in said("qon"):
        if isinstance(meaning, Clause | Described) and hasattr(meaning.subject.noun, "mass"):
            subject, noun = meaning.subject, meaning.subject.noun.qon
            plural = "ru" if subject.plural else ""
            the = "n" if subject.determiner == "the" else ""
            assert noun + plural + the in words(text), text


def test_membership_says_both_bare() -> None:
    for meaning, text in said("qon"):
        if isinstance(meaning, Membership):
            assert words(text)[:2] == [meaning.noun.qon.lower(), meaning.category.qon], text
