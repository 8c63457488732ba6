"""Drawn items: right, held out where they have to be, and telling nothing that they should not."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from nursery.surface_tables import words
from nursery.upbringing import WORLD, colours_said, parts
from statistical import assert_counts, share
from unskew.nursery.items import (
    Ask,
    Classify,
    Copy,
    Entail,
    Item,
    MadeUp,
    Translate,
    WordList,
    answer,
    asked,
)
from unskew.nursery.languages import LANGUAGES, say
from unskew.nursery.lexicon import CATEGORY, Noun
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Located,
    Membership,
    Sum,
    WhereIs,
    Whether,
    YesNo,
    belongs,
)
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe
from unskew.nursery.split import forms
from unskew.nursery.world import world

DRAWS: dict[str, Callable[[Scribe], Item]] = {
    "sum": Scribe.sum,
    "colour": Scribe.colour,
    "member": Scribe.member,
    "reading": Scribe.reading,
    "question": Scribe.question,
    "refused": Scribe.refused,
    "random_colour": Scribe.random_colour,
    "copy": lambda scribe: scribe.copy("repeat"),
    "reverse": lambda scribe: scribe.copy("reverse"),
    "translate": lambda scribe: scribe.translate("fr"),
    "classify": Scribe.classify,
    "entail": Scribe.entail,
}
KNOWLEDGE = ("sum", "colour", "member", "refused", "random_colour", "translate", "classify")


@cache
def drawn(kind: str, held: bool = False, size: int = 1200) -> Sequence[Any]:
    scribe = Scribe(WORLD, generator(0, "scribe", 0), held)
    return [DRAWS[kind](scribe) for _ in range(size)]


def meanings(item: Item) -> list[Any]:
    """All that is said in the place of the input, but lists of words."""
    match item:
        case Copy(text=text):
            return [] if isinstance(text, MadeUp | WordList) else [text]
        case Translate(phrase) | Classify(phrase):
            return [phrase]
        case Ask(question=question, context=context):
            return [*context, question]
        case Entail(premise, hypothesis):
            return [premise, hypothesis]


def held_out(item: Item) -> bool | None:
    """Whether what is asked is held out of training; None where that is not said of its kind."""
    match item:
        case Translate(phrase) | Classify(phrase):
            return (phrase.determiner, phrase.plural) in WORLD.variants(phrase.noun, held=True)  # type: ignore[arg-type]
        case Copy(text=text) | Ask(question=text):
            match text:
                case Sum():
                    return WORLD.sum_held(text)
                case ColourOf(phrase) if phrase.noun in WORLD.colours:
                    return (phrase.determiner, phrase.plural) in WORLD.variants(phrase.noun, True)  # type: ignore[arg-type]
                case Whether(Membership(noun, category)):
                    return WORLD.membership_held(noun, category)
    return None


@pytest.mark.parametrize("kind", DRAWS)
def test_training_asks_nothing_that_is_held_out(kind: str) -> None:
    judged = [held_out(item) for item in drawn(kind)]
    assert True not in judged
    if kind in KNOWLEDGE:
        assert None not in judged


@pytest.mark.parametrize("kind", [*KNOWLEDGE, "copy", "question"])
def test_evaluation_asks_nothing_else(kind: str) -> None:
    judged = [held_out(item) for item in drawn(kind, held=True)]
    assert False not in judged
    if kind in KNOWLEDGE:
        assert None not in judged


def test_a_question_may_be_copied_that_may_be_asked() -> None:
    # The kinds of questions of which some are held out do come in texts to copy.
    asked = [item.text for item in drawn("copy", size=5000)]
    found = {type(text) for text in asked} | {
        type(text.statement) for text in asked if isinstance(text, Whether)
    }
    assert {Sum, ColourOf, WhereIs, Whether, Membership} <= found


@pytest.mark.parametrize("kind", ["copy", "reverse", "entail", "reading"])
def test_texts_to_copy_and_to_reason_about_are_in_words_held_out(kind: str) -> None:
    sides = {True: WORLD.words.held, False: WORLD.words.seen}
    common = set(sides[True]) & set(sides[False])
    for held, side in sides.items():
        allowed = set(side)
        for item in drawn(kind, held):
            if held_out(item) is not None:
                continue  # of knowledge: in seen words on both sides
            text = item.text if isinstance(item, Copy) else None
            if isinstance(text, MadeUp):
                assert not held
                continue
            used = {w for m in meanings(item) for w in lexical(m)}
            used |= set(text.nouns) if isinstance(text, WordList) else set()
            assert used <= allowed
            assert used - common, asked(item, "en")


def lexical(meaning: Any) -> set:
    """The words of a meaning."""
    found = set()
    for part in parts(meaning):
        for field in ("noun", "adjective", "verb", "time", "category"):
            found.add(getattr(part, field, None))
    return found - {None}


def test_made_up_words_are_varied_and_never_words_held_out() -> None:
    forbidden = {
        form
        for word in set(WORLD.words.held) - set(WORLD.words.seen)
        for language in LANGUAGES
        for form in forms(word, language)
    }
    made_up = [w for item in drawn("copy", size=5000) if isinstance(item.text, MadeUp)
               for w in item.text.words]  # fmt: skip
    assert len(set(made_up)) > 3000
    assert all(word.islower() and word.isalpha() for word in made_up)
    assert not forbidden & set(made_up)
    lengths = {len(i.text.words) for i in drawn("copy") if isinstance(i.text, MadeUp)}
    assert lengths == {2, 3, 4}


def test_lists_to_reverse_are_of_things() -> None:
    lists = [item.text.nouns for item in drawn("reverse") if isinstance(item.text, WordList)]
    assert {2, 3} <= {len(nouns) for nouns in lists} <= {2, 3, 4}
    assert CATEGORY not in {noun.kind for nouns in lists for noun in nouns}


# --- questions and their answers ------------------------------------------------------------------


def test_sums_are_right_and_small() -> None:
    items = drawn("sum")
    for item in items:
        left, right = item.question.left, item.question.right
        plus = item.question.operation == "plus"
        assert item.answer == (left + right if plus else left - right)
        assert 0 <= item.answer < 100
        assert max(left, right) < 50
        assert item.question.digits
    assert {item.question.operation for item in items} == {"plus", "minus"}
    plus = [i.question for i in items if i.question.operation == "plus"]
    assert {s.left < s.right for s in plus} == {True, False}


@pytest.mark.parametrize("held", [True, False])
def test_colours_are_those_of_the_world(held: bool) -> None:
    items = drawn("colour", held)
    for item in items:
        assert item.answer == Described(
            item.question.subject, WORLD.colours[item.answer.subject.noun]
        )
    assert {item.question.subject.noun for item in items} == set(WORLD.colours)


def test_random_colours_are_any_that_fit() -> None:
    found: dict[Noun, set] = {}
    for item in drawn("random_colour", size=6000):
        found.setdefault(item.question.subject.noun, set()).add(item.answer.adjective)
        assert item.answer.subject == item.question.subject
    assert set(found) == set(WORLD.colours)
    for noun, colours in found.items():
        assert all(colour.colour and noun.kind in colour.kinds for colour in colours)
    right = sum(i.answer.adjective == WORLD.colours[i.question.subject.noun]
                for i in drawn("random_colour", size=6000))  # fmt: skip
    assert 0 < right / 6000 < 0.2


@pytest.mark.parametrize("held", [True, False])
def test_memberships_are_answered_rightly(held: bool) -> None:
    for item in drawn("member", held):
        pair = item.question.statement.noun, item.question.statement.category
        assert item.answer == YesNo(belongs(*pair) is True)
        assert belongs(*pair) is not None
        assert pair[0] in {*WORLD.words.seen.nouns, *WORLD.words.seen.names}
    assert {item.answer.yes for item in drawn("member", held)} == {True, False}


@pytest.mark.parametrize("held", [True, False])
def test_one_statement_before_a_question_answers_it(held: bool) -> None:
    kinds = Counter()
    for item in drawn("reading", held, size=2500):
        found: Any = None
        match item.question:
            case WhereIs(subject):
                [found] = [
                    s for s in item.context if isinstance(s, Located) and s.subject == subject
                ]
                assert item.answer == found
                assert (found.tense, found.negated) == ("present", False)
            case ColourOf(subject):
                [found] = [
                    s for s in item.context if isinstance(s, Described) and s.subject == subject
                ]
                assert item.answer == found
                assert found.adjective.colour
                assert (found.tense, found.negated) == ("present", False)
                assert subject.noun not in WORLD.colours
            case Whether(statement) if not isinstance(statement, Membership):
                [found] = [s for s in item.context if s.subject.noun == statement.subject.noun]
                assert item.answer == YesNo(not found.negated)
        kinds[type(item.question), len(item.context), item.context[0] == found] += 1
    assert {k[0] for k in kinds} == {WhereIs, ColourOf, Whether}
    # Alone, first or last: where it stands does not tell which it is.
    assert {k[1:] for k in kinds} == {(1, True), (2, True), (2, False)}


def test_questions_after_no_colour_are_after_no_colour() -> None:
    scribe = Scribe(WORLD, generator(0, "scribe", 1))
    items = [scribe.question(colours=False) for _ in range(600)]
    assert not any(
        isinstance(i.question, ColourOf) and i.question.subject.noun in WORLD.colours for i in items
    )
    everything = {type(i.question) for i in drawn("question")}
    assert {Sum, ColourOf, WhereIs, Whether} == everything
    assert any(isinstance(i.question, ColourOf) and not i.context for i in drawn("question"))


def test_a_refusal_is_of_a_colour() -> None:
    for item in drawn("refused"):
        assert isinstance(item.question, ColourOf)
        assert answer(item, "en") == "I cannot answer that."


def test_things_are_classified_as_what_they_are() -> None:
    items = drawn("classify")
    for item in items:
        assert belongs(item.phrase.noun, item.category) is True
    assert len({item.category for item in items}) == 7


@pytest.mark.parametrize("kind", sorted(set(DRAWS) - {"colour", "random_colour", "question"}))
@pytest.mark.parametrize("held", [True, False])
def test_no_other_item_says_a_colour_of_a_thing_that_has_one(kind: str, held: bool) -> None:
    for item in drawn(kind, held, size=2500 if kind == "entail" else 1200):
        said = [m for meaning in meanings(item) for m in colours_said(meaning, WORLD)]
        assert not said, [say(meaning, "en") for meaning in said]


def test_targets_are_the_other_languages() -> None:
    scribe = Scribe(WORLD, generator(0, "scribe", 2))
    assert {scribe.target("fr") for _ in range(60)} == set(LANGUAGES) - {"fr"}


# --- entailment -----------------------------------------------------------------------------------


def taken_apart(statement: Any) -> tuple[Any, frozenset]:
    """What a statement says at least, without its denial; and what it says besides."""
    extra = set()
    thing, place, time = (getattr(statement, f, None) for f in ("object", "place", "time"))
    for role, phrase in (("subject", statement.subject), ("object", thing)):
        if phrase is not None and phrase.adjective is not None:
            extra.add((role, phrase.adjective))
    core = [type(statement), statement.tense, *(
        phrase and (phrase.noun, phrase.determiner, phrase.plural, phrase.count)
        for phrase in (statement.subject, thing)
    )]  # fmt: skip
    match statement:
        case Clause(verb=verb):
            core += [verb, place if verb.goal else None]
            extra |= {("place", place)} if place and not verb.goal else set()
            extra |= {("time", time)} if time else set()
        case Described(adjective=adjective):
            core.append(adjective)
        case Located():
            core.append(place)
    return tuple(core), frozenset(extra)


@pytest.mark.parametrize("held", [True, False])
def test_labels_follow_from_what_is_said(held: bool) -> None:
    seen = set()
    for item in drawn("entail", held, size=2500):
        (core, more), (other, less) = taken_apart(item.premise), taken_apart(item.hypothesis)
        denies, denied = item.premise.negated, item.hypothesis.negated
        if core != other:
            label = "neither"
            # About somebody or something else, of whom nothing follows.
            assert core[:2] == other[:2]
            assert core[4:] == other[4:]
            nouns = [tuple(part and part[0] for part in c[2:4]) for c in (core, other)]
            assert nouns[0] != nouns[1]
        else:
            # The whole says all that its parts say; to deny the bare denies all that is more.
            assert more >= less if not denies else more <= less
            label = "true" if denies == denied else "false"
        assert item.label == label, asked(item, "en")
        seen.add((label, denies, denied, bool(more), bool(less)))
    assert {s[:3] for s in seen if s[0] != "neither"} == {
        ("true", True, True), ("true", False, False), ("false", True, False), ("false", False, True)
    }  # fmt: skip
    assert {s[1:3] for s in seen if s[0] == "neither"} == {
        (a, b) for a in (True, False) for b in (True, False)
    }


def test_labels_are_balanced_and_the_hypothesis_tells_nothing_of_them() -> None:
    counts: dict[Any, Counter] = {}
    for item in drawn("entail", size=9000):
        _, extra = taken_apart(item.hypothesis)
        shape = (type(item.hypothesis), item.hypothesis.negated, bool(extra))
        counts.setdefault(shape, Counter())[item.label] += 1
    assert len(counts) == 2 * (2 + 1 + 2)  # of descriptions nothing can be left out
    level = share("hypotheses do not tell the label", comparisons=len(counts))
    for shape, labels in counts.items():
        observed = [labels[label] for label in ("true", "false", "neither")]
        assert sum(observed) > 100, shape
        assert_counts(observed, [1 / 3] * 3, level)


def test_negation_is_balanced_within_each_label() -> None:
    counts = Counter((item.label, item.hypothesis.negated) for item in drawn("entail", size=9000))
    level = share("negation is balanced within each label", comparisons=3)
    for label in ("true", "false", "neither"):
        assert_counts([counts[label, True], counts[label, False]], [0.5, 0.5], level)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("there", "held"), [((6, 96, 0.02), True), ((14, 8, 0.95), False)])
def test_where_words_are_few_entailment_is_drawn_all_the_same(there: tuple, held: bool) -> None:
    # There a verb or an adjective may go with one noun alone: it went on looking for another.
    for stream in range(3):
        scribe = Scribe(world(*there), generator(0, "few", stream), held)
        items = [scribe.entail() for _ in range(300)]
        labels = Counter(item.label for item in items)
        assert min(labels[label] for label in ("true", "false", "neither")) > 50


# --- purity ---------------------------------------------------------------------------------------


def test_no_global_state_is_read_or_moved() -> None:
    def draw() -> list[Item]:
        scribe = Scribe(WORLD, generator(3, "scribe", 0))
        return [make(scribe) for make in DRAWS.values() for _ in range(5)]

    random.seed(1)
    before = random.getstate()
    items = draw()
    assert random.getstate() == before
    random.seed(2)
    assert draw() == items


GOLDEN = {
    "sum": "What is 35 plus 4? | 39",
    "colour": "What colour is this fig? | This fig is yellow.",
    "member": "Is a waiter a person? | yes",
    "reading": "This girl does not build these desks. Does this girl build these desks? | no",
    "question": "This swan is in Poland. Where is this swan? | This swan is in Poland.",
    "refused": "What colour is this fig? | I cannot answer that.",
    "random_colour": "What colour is this fig? | This fig is white.",
    "copy": "What is 13 minus 7? | What is 13 minus 7?",
    "reverse": "banana scarf | scarf banana",
    "translate": "this fig | cette figue",
    "classify": "this fig | A fig is a fruit.",
    "entail": "My caves are grey. The courgettes are not grey. True, False or Neither? | Neither",
}


@pytest.mark.parametrize("kind", DRAWS)
def test_items_are_the_same_on_every_machine(kind: str) -> None:
    item = drawn(kind)[0]
    assert f"{asked(item, 'en')} | {answer(item, 'en')}" == GOLDEN[kind]


def test_other_worlds_hold_out_others() -> None:
    there = Scribe(world(1), generator(0, "scribe", 0), held=True)
    assert [there.sum() for _ in range(20)] != drawn("sum", True)[:20]
    assert set(words(asked(there.copy("reverse"), "en"))) - set(
        words(" ".join(asked(i, "en") for i in drawn("reverse", True)))
    )
