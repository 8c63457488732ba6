"""Meanings: a pure function of their address, true to the world, of the kinds asked for."""

import random
from dataclasses import replace

import pytest

from unskew.errors import UserError
from unskew.nursery.languages import say
from unskew.nursery.lexicon import lexicon
from unskew.nursery.meanings import (
    Clause,
    Described,
    Equation,
    Located,
    Membership,
    NounPhrase,
    Sum,
    WhereIs,
    Whether,
    belongs,
)
from unskew.nursery.sampling import KINDS, meanings

WORDS = lexicon()


def test_an_address_has_one_batch_and_another_has_another() -> None:
    batch = meanings(WORDS, 0, "pretrain", 12, 50)
    assert meanings(WORDS, 0, "pretrain", 12, 50) == batch
    assert meanings(WORDS, 0, "pretrain", 12, 20) == batch[:20]
    others = [(1, "pretrain", 12), (0, "evaluate", 12), (0, "pretrain", 13)]
    assert all(meanings(WORDS, *other, 50) != batch for other in others)


def test_no_global_state_is_read_or_moved() -> None:
    random.seed(1)
    before = random.getstate()
    batch = meanings(WORDS, 0, "pretrain", 0, 50)
    assert random.getstate() == before
    random.seed(2)
    assert meanings(WORDS, 0, "pretrain", 0, 50) == batch


def test_a_batch_is_the_same_on_every_machine() -> None:
    said = [say(meaning, "en") for meaning in meanings(WORDS, 0, "pretrain", 0, 4)]
    assert said == [
        "Does Clara climb to my lake?",
        "The small tomato is in this full cellar.",
        "The factory was open.",
        "Pascal will be brave.",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_asked_for_come(kind: type) -> None:
    batch = meanings(WORDS, 0, "kinds", 0, 60, [kind])
    assert {type(meaning) for meaning in batch} == {kind}
    assert len(set(batch)) > 40


def test_all_kinds_come_about_equally_often() -> None:
    batch = meanings(WORDS, 0, "all", 0, 1800)
    counts = [sum(isinstance(meaning, kind) for meaning in batch) for kind in KINDS]
    assert min(counts) > 120  # of 200 expected: six standard deviations below


def test_memberships_are_true() -> None:
    for meaning in meanings(WORDS, 0, "true", 0, 400, [Membership]):
        assert isinstance(meaning, Membership)
        assert belongs(meaning.noun, meaning.category) is (not meaning.negated)
    asked = [m.statement for m in meanings(WORDS, 0, "asked", 0, 800, [Whether])]  # type: ignore[union-attr]
    answers = {belongs(s.noun, s.category) for s in asked if isinstance(s, Membership)}
    assert answers == {True, False}


def test_there_is_variety() -> None:
    clauses = list(meanings(WORDS, 0, "variety", 0, 1500, [Clause]))
    assert {c.verb for c in clauses} == set(WORDS.verbs)  # type: ignore[union-attr]
    assert {(c.tense, c.negated) for c in clauses} == {  # type: ignore[union-attr]
        (tense, negated) for tense in ("present", "past", "future") for negated in (True, False)
    }
    subjects = [c.subject for c in clauses]  # type: ignore[union-attr]
    assert {s.determiner for s in subjects} == {"the", "a", "this", "my", None}
    assert any(s.count for s in subjects)
    assert len({c.time for c in clauses}) == len(WORDS.times) + 1  # type: ignore[union-attr]


def test_where_something_is_is_said_of_what_is_known() -> None:
    for meaning in meanings(WORDS, 0, "known", 0, 400, [Located, WhereIs]):
        assert isinstance(meaning, Located | WhereIs)
        subject: NounPhrase = meaning.subject
        assert subject.count is None
        assert subject.determiner != "a"


def test_sums_cover_both_operations_and_both_ways_of_writing() -> None:
    found = {
        (m.operation, m.digits)
        for m in meanings(WORDS, 0, "sums", 0, 100, [Sum])
        if isinstance(m, Sum)
    }
    assert len(found) == 4
    for meaning in meanings(WORDS, 0, "sums", 0, 100, [Equation]):
        assert isinstance(meaning, Equation)
        assert 0 <= meaning.sum.result <= 99


@pytest.mark.parametrize(("step", "size", "kinds"), [(-1, 1, KINDS), (0, -1, KINDS), (0, 1, ())])
def test_impossible_addresses(step: int, size: int, kinds: tuple) -> None:
    with pytest.raises(UserError, match="must not be negative"):
        meanings(WORDS, 0, "x", step, size, kinds)


def test_a_lexicon_without_words_for_a_kind_is_named() -> None:
    with pytest.raises(UserError, match="lacks words"):
        meanings(replace(WORDS, adjectives=()), 0, "x", 0, 1, [Described])
    assert meanings(replace(WORDS, names=(), times=()), 0, "x", 0, 200)
