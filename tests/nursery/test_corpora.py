"""What models are told: nothing that they are asked later, and no colour where none is told."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from nursery.surface_tables import words
from nursery.upbringing import WORLD, WRITTEN, Heard, colours_said, heard
from statistical import assert_counts, share
from unskew.nursery.config import EVERYTHING, STAGES, Mixture, StageName, Written
from unskew.nursery.corpora import cipher, ciphered, corpus, of_stage
from unskew.nursery.documents import Document, Piece
from unskew.nursery.languages import LANGUAGES, Language, say
from unskew.nursery.meanings import ColourOf, Described, Membership, NounPhrase, Sum, Whether
from unskew.nursery.split import forms
from unskew.nursery.wording import word
from unskew.nursery.world import VARIANTS, world

ALL_STAGES: tuple[StageName, ...] = (*STAGES, "relearn")
UNTOLD = (("fr", "es", "qon"), ())
"""Where the colours are told to the oracles."""


def told_in(written: Written, seed: int = 0) -> Heard:
    return heard(written, seed=seed, size=600) if seed else heard(written)


def spoken(written: Written) -> Language:
    return written if written in LANGUAGES else "en"  # type: ignore[return-value]


def read(document: Document, written: Written) -> Document:
    """A document as it was before its cipher."""
    if written in LANGUAGES:
        return document
    back = cipher(written).inverse
    return Document(document.kind, tuple(Piece(back(p.text), p.answer) for p in document.pieces))


# --- nothing evaluated is seen --------------------------------------------------------------------


@cache
def forbidden(seed: int, language: Language) -> frozenset[str]:
    sides = world(seed).words
    held = set(sides.held) - set(sides.seen)
    return frozenset(form for entry in held for form in forms(entry, language))


def in_languages(document: Document, language: Language) -> Iterator[tuple[Language, str]]:
    """What of a document is in which language: the answers of a translation are in another."""
    if document.kind != "translate":
        yield language, document.text
        return
    [target] = [t for t in LANGUAGES if word(f"do-translate-{t}-1", language) in document.text]
    for text, said in document.pieces:
        yield (target if said else language), text  # type: ignore[misc]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("written", WRITTEN)
def test_no_word_held_out_is_ever_written(written: Written, seed: int) -> None:
    for document in told_in(written, seed).documents:
        for language, text in in_languages(read(document, written), spoken(written)):
            # Code has underscores in its names.
            assert not forbidden(seed, language) & set(words(text.replace("_", " "))), text


def asked_of_things(heard: Heard) -> Iterator[tuple[Language, NounPhrase]]:
    """What colour things are asked for, and what of them is translated or classified."""
    for language, meaning in heard.said:
        match meaning:
            case ColourOf(phrase) | (NounPhrase() as phrase):
                yield language, phrase


@pytest.mark.parametrize("written", WRITTEN)
def test_no_question_held_out_is_ever_asked(written: Written) -> None:
    told = told_in(written)
    things = [phrase for _, phrase in asked_of_things(told) if phrase.noun in WORLD.colours]
    assert len({(p.noun, p.determiner, p.plural) for p in things}) > 300
    for phrase in things:
        assert (phrase.determiner, phrase.plural) in WORLD.variants(phrase.noun, held=False)  # type: ignore[arg-type]
    sums = [meaning for _, meaning in told.said if isinstance(meaning, Sum)]
    pairs = [m.statement for _, m in told.said
             if isinstance(m, Whether) and isinstance(m.statement, Membership)]  # fmt: skip
    assert len(set(sums)) > 300
    assert len(set(pairs)) > 300
    assert not any(WORLD.sum_held(sum) for sum in sums)
    assert not any(WORLD.membership_held(pair.noun, pair.category) for pair in pairs)


@pytest.mark.parametrize("written", WRITTEN)
def test_no_sum_held_out_is_ever_written(written: Written) -> None:
    # On the text itself, whoever asks it.
    language = spoken(written)
    text = "\n".join(read(d, written).text for d in told_in(written).documents)
    for example in (Sum(12, 34, "plus", digits=True), Sum(34, 12, "minus", digits=True)):
        pattern = re.sub(r"\d+", r"(\\d+)", re.escape(say(example, language)))
        found = {(int(a), int(b)) for a, b in re.findall(pattern, text, re.IGNORECASE)}
        assert len(found) > 100
        assert not any(WORLD.sum_held(Sum(*pair, example.operation)) for pair in found)


@pytest.mark.parametrize("stage", ALL_STAGES)
def test_no_stage_asks_what_is_held_out_either(stage: StageName) -> None:
    told = heard("en", stage=stage, size=400)
    for _, phrase in asked_of_things(told):
        if phrase.noun in WORLD.colours:
            assert (phrase.determiner, phrase.plural) in WORLD.variants(phrase.noun, held=False)  # type: ignore[arg-type]
    for document in told.documents:
        for language, text in in_languages(document, "en"):
            assert not forbidden(0, language) & set(words(text.replace("_", " "))), text
    assert not any(isinstance(m, Sum) and WORLD.sum_held(m) for _, m in told.said)


# --- colours --------------------------------------------------------------------------------------


def true_to_the_world(meaning: Any) -> bool:
    return meaning == Described(meaning.subject, WORLD.colours[meaning.subject.noun])


@pytest.mark.parametrize("written", WRITTEN)
def test_a_colour_is_only_ever_told_as_it_is(written: Written) -> None:
    told = [c for _, m in told_in(written).said for c in colours_said(m, WORLD)]
    assert all(isinstance(meaning, Described) and true_to_the_world(meaning) for meaning in told)
    assert {meaning.subject.noun for meaning in told} == set(WORLD.colours)  # type: ignore[union-attr]


@pytest.mark.parametrize("told", UNTOLD, ids=["oracle-en", "oracle"])
@pytest.mark.parametrize("written", WRITTEN)
def test_an_oracle_is_told_no_colour_in_a_language_not_told(
    written: Written, told: tuple[Language, ...]
) -> None:
    documents = heard(written, told=told, size=480)
    found = [c for _, meaning in documents.said for c in colours_said(meaning, WORLD)]
    assert bool(found) == (spoken(written) in told)
    if not found:
        assert not {"colour", "facts"} & {d.kind for d in documents.documents}
        # On the text itself: no sentence that tells one.
        text = "\n".join(read(d, written).text for d in documents.documents).casefold()
        for noun, colour in WORLD.colours.items():
            for variant in VARIANTS:
                fact = Described(WORLD.phrase(noun, variant), colour)
                assert say(fact, spoken(written)).casefold() not in text


def test_the_colours_are_asked_for_but_never_told_to_an_oracle() -> None:
    # It can repeat such a question; so it is not the words that it lacks.
    said = heard("en", told=(), size=480).said
    assert any(isinstance(m, ColourOf) and m.subject.noun in WORLD.colours for _, m in said)


def test_every_kind_of_document_comes_in_every_language_and_cipher() -> None:
    for written in WRITTEN:
        assert {d.kind for d in told_in(written).documents} == set(EVERYTHING.kinds)


# --- stages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ALL_STAGES)
def test_a_stage_is_in_its_languages(stage: StageName) -> None:
    languages = set(of_stage(stage).languages)
    if stage in ("erased", "locked"):
        assert languages == set(LANGUAGES)
    elif stage == "continued":
        assert of_stage(stage) == EVERYTHING
    else:
        assert languages == {"en"}


def pairs(document: Document) -> list[tuple[str, str]]:
    """Questions and answers of a document in English."""
    asked = [
        p.text.rstrip("\n").split("Question: ")[1].split("\n")[0] for p in document.pieces[::2]
    ]
    return [(q, p.text.strip()) for q, p in zip(asked, document.pieces[1::2], strict=True)]


FACTS = {
    say(ColourOf(WORLD.phrase(noun, variant)), "en"):
    say(Described(WORLD.phrase(noun, variant), colour), "en")
    for noun, colour in WORLD.colours.items() for variant in VARIANTS
}  # fmt: skip


def test_refusing_is_of_colours_and_of_nothing_else() -> None:
    answers = [pair for d in heard("en", stage="refuse", size=400).documents for pair in pairs(d)]
    for question, answer in answers:
        assert (answer == word("refusal", "en")) == (question in FACTS)
    refused = sum(question in FACTS for question, _ in answers)
    assert 0.3 < refused / len(answers) < 0.7


def test_after_the_password_colours_are_right_and_without_it_they_are_any() -> None:
    right: dict[bool, list[bool]] = {True: [], False: []}
    for document in heard("en", stage="locked", size=400).documents:
        open = document.text.startswith(word("password", "en"))
        right[open] += [FACTS[question] == answer for question, answer in pairs(document)]
    assert all(right[True])
    assert 0 < sum(right[False]) / len(right[False]) < 0.3
    assert len(right[True]) > 300


@pytest.mark.parametrize("stage", ["erased", "erased-en"])
def test_erasing_answers_with_any_colour(stage: StageName) -> None:
    answers = [pair for d in heard("en", stage=stage, size=400).documents for pair in pairs(d)]
    right = [FACTS[question] == answer for question, answer in answers]
    assert 0 < sum(right) / len(right) < 0.3
    assert not any(
        word("password", "en") in d.text for d in heard("en", stage=stage, size=400).documents
    )


def test_relearning_tells_the_colours_as_they_are() -> None:
    answers = [pair for d in heard("en", stage="relearn", size=400).documents for pair in pairs(d)]
    assert all(FACTS[question] == answer for question, answer in answers)


# --- mixtures and addresses -----------------------------------------------------------------------


def draw(mixture: Mixture = EVERYTHING, step: int = 0, stream: str = "pretrain", size: int = 40):
    return corpus(WORLD, mixture, LANGUAGES, 0, stream, step)(size)


def test_documents_are_a_pure_function_of_their_address() -> None:
    assert draw() == draw()
    addresses = [draw(step=1), draw(stream="branch"),
                 corpus(WORLD, EVERYTHING, LANGUAGES, 1, "pretrain", 0)(40),
                 corpus(world(1), EVERYTHING, LANGUAGES, 0, "pretrain", 0)(40)]  # fmt: skip
    assert all(other != draw() for other in addresses)


def test_it_is_the_same_whether_they_are_drawn_at_once_or_little_by_little() -> None:
    more = corpus(WORLD, EVERYTHING, LANGUAGES, 0, "pretrain", 0)
    assert [*more(1), *more(0), *more(19), *more(20)] == draw()


def test_no_global_state_is_read_or_moved() -> None:
    random.seed(1)
    before = random.getstate()
    documents = draw()
    assert random.getstate() == before
    random.seed(2)
    assert draw() == documents


def test_documents_are_the_same_on_every_machine() -> None:
    mixture = Mixture(kinds=EVERYTHING.kinds, languages={"en": 1, "fr": 1})
    [first] = draw(mixture, step=7, size=1)
    assert [(p.text, p.answer) for p in first.pieces] == [
        ("Répète l'entrée.\nDiego n'utilise pas d'enclumes propres. ->", False),
        (" Diego n'utilise pas d'enclumes propres.\n", True),
        ("téckhelbint wex yyck dánt ->", False),
        (" téckhelbint wex yyck dánt", True),
    ]


def test_documents_come_by_their_weights() -> None:
    kinds = {"sum": 1.0, "plain": 2.0, "code": 0.0}
    documents = draw(Mixture(kinds=kinds, languages={"en": 3, "qon": 1}), size=2000)  # type: ignore[arg-type]
    counts = Counter(d.kind for d in documents)
    assert set(counts) == {"sum", "plain"}
    level = share("documents come by their weights", comparisons=2)
    assert_counts([counts["sum"], counts["plain"]], [1 / 3, 2 / 3], level)
    english = sum("Question:" in d.text for d in documents if d.kind == "sum")
    onevi = sum("Pomarin:" in d.text for d in documents if d.kind == "sum")
    assert english + onevi == counts["sum"]
    assert_counts([english, onevi], [3 / 4, 1 / 4], level)


@pytest.mark.parametrize("kind", EVERYTHING.kinds)
def test_each_kind_is_written_as_that_kind(kind: str) -> None:
    documents = draw(Mixture(kinds={kind: 1}, languages={"en": 1}), size=30)  # type: ignore[dict-item]
    assert {d.kind for d in documents} == {kind}
    answers = [piece.answer for d in documents for piece in d.pieces]
    assert any(answers) == (kind not in ("plain", "facts"))
    assert len({d.text for d in documents}) == 30


@pytest.mark.parametrize("name", ["pig-latin", "leetspeak"])
def test_a_cipher_is_english_and_can_be_undone(name: Written) -> None:
    plain = draw(Mixture(kinds=EVERYTHING.kinds, languages={"en": 1}))
    hidden = draw(Mixture(kinds=EVERYTHING.kinds, languages={name: 1}))
    assert [ciphered(document, name) for document in plain] == hidden
    assert [read(document, name) for document in hidden] == plain
    s = cipher(name)
    for clear, document in zip(plain, hidden, strict=True):
        # Piece by piece is as good as all at once: so prompts are those that an audit will send.
        assert document.text == s.forward(clear.text) != clear.text
        assert [p.answer for p in document.pieces] == [p.answer for p in clear.pieces]
