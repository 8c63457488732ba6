"""One meaning, four sentences: hand-written samples, and no ambiguity between languages."""

import itertools
from collections import defaultdict

import pytest

from nursery.samples import meanings as sample_meanings
from nursery.samples import texts
from unskew.conjugation.books import PhraseBook
from unskew.errors import UserError
from unskew.nursery.languages import LANGUAGES, phrases, say
from unskew.nursery.lexicon import CATEGORY, lexicon
from unskew.nursery.meanings import (
    Clause,
    Described,
    Meaning,
    NounPhrase,
    Place,
    Whether,
)
from unskew.nursery.sampling import meanings

SAMPLES = list(zip(sample_meanings(), texts(), strict=True))


@pytest.mark.parametrize(("meaning", "sentences"), SAMPLES, ids=[s[0] for _, s in SAMPLES])
def test_samples_written_by_hand(meaning: Meaning, sentences: list[str]) -> None:
    assert [say(meaning, language) for language in LANGUAGES] == sentences


def test_there_are_enough_samples() -> None:
    assert len({tuple(sentences) for _, sentences in SAMPLES}) == len(SAMPLES) >= 40


def assert_never_one_for_two(spoken: list[Meaning]) -> None:
    """A sentence has one translation into every language, in every direction."""
    translations: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for meaning in spoken:
        together = tuple(say(meaning, language) for language in LANGUAGES)
        for language, text in zip(LANGUAGES, together, strict=True):
            translations[language, text].add(together)
    assert [found for found in translations.values() if len(found) > 1] == []
    # Nor do two meanings share a sentence in all languages at once.
    assert len(translations) == len(LANGUAGES) * len(set(spoken))


def test_drawn_sentences_have_one_translation() -> None:
    assert_never_one_for_two(list(meanings(lexicon(), 1, "unique", 0, 4000)))


def test_every_form_of_every_verb_tells_what_it_means() -> None:
    spoken: list[Meaning] = []
    people = [NounPhrase(lexicon().noun(w), "the", plural=p) for w, p in PEOPLE]
    things = [NounPhrase(lexicon().noun("egg"), "the", plural=True)]
    tenses = ("present", "past", "future")
    for verb in lexicon().verbs:
        kinds = [kind for kind in verb.subjects if kind not in ("person", "animal")]
        subjects = people if "person" in verb.subjects else list(_both(kinds[0]))
        subjects += things if "food" in verb.subjects else []
        objects = list(_both(verb.objects[0])) if verb.objects else [None]
        place = Place("to", NounPhrase(lexicon().noun("beach"), "the")) if verb.goal else None
        for subject, thing, tense, no in itertools.product(
            subjects, objects, tenses, (True, False)
        ):
            clause = Clause(subject, verb, thing, place, None, tense, no)
            spoken += [clause] if no else [clause, Whether(clause)]
    assert len(spoken) > 51 * 18
    assert_never_one_for_two(spoken)


PEOPLE = [("king", False), ("king", True), ("queen", False), ("queen", True)]


def _both(kind: str) -> list[NounPhrase]:
    noun = next(n for n in lexicon().nouns if n.kind == kind)
    numbers = (False,) if noun.mass else (False, True)
    return [NounPhrase(noun, "the", plural=many) for many in numbers]


def test_every_noun_tells_its_number_and_determiner() -> None:
    see = lexicon().verb("see")
    anna = NounPhrase(lexicon().name("Anna"))
    spoken: list[Meaning] = []
    for noun in lexicon().nouns:
        if noun.kind not in see.objects:
            continue
        found = [NounPhrase(noun, d) for d in ("the", "a", "this", "my")]
        if not noun.mass:
            found += [NounPhrase(noun, d, plural=True) for d in ("the", "a", "this", "my")]
            found += [NounPhrase(noun, count=21)]
        spoken += [Clause(anna, see, thing, negated=no) for thing in found for no in (True, False)]
    assert len(spoken) > 2000
    assert_never_one_for_two(spoken)


def test_every_adjective_tells_its_meaning() -> None:
    spoken = [
        Described(NounPhrase(noun, "the", plural=many), adjective)
        for adjective in lexicon().adjectives
        for noun in lexicon().nouns
        if noun.kind in adjective.kinds and noun.kind != CATEGORY
        for many in ((False,) if noun.mass else (False, True))
    ][::7]
    assert len(spoken) > 900
    assert_never_one_for_two(list(spoken))


@pytest.mark.parametrize(("source", "target"), [("en", "qon"), ("fr", "es")])
def test_a_phrase_book_of_sentences_translates_there_and_back(source: str, target: str) -> None:
    pairs = phrases(meanings(lexicon(), 2, "book", 0, 300), source, target)  # type: ignore[arg-type]
    book = PhraseBook(pairs, source, target, "nursery")
    for here, there in pairs:
        assert book.forward(here) == there
        assert book.inverse(there) == here


def test_phrases_are_in_order_and_once() -> None:
    spoken = meanings(lexicon(), 2, "book", 0, 20)
    once = phrases(spoken, "en", "fr")
    assert phrases([*spoken, *spoken], "en", "fr") == once
    assert [english for english, _ in once] == list(dict.fromkeys(say(m, "en") for m in spoken))


def test_an_unknown_language_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UserError, match="'de' is no language of the nursery"):
        say(SAMPLES[0][0], "de")  # type: ignore[arg-type]
