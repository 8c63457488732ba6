"""Questions: what they promise is checked on every one of them, in every language."""

import re
from itertools import combinations
from typing import Any

import pytest

from unskew.errors import UserError
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.lexicon import CATEGORY, Adjective, Time, lexicon
from unskew.nursery.split import forms
from unskew.nursery.wording import word
from unskew.nursery.world import World, world
from unskew.purple.data import (
    BENIGN,
    INVITING,
    SPLITS,
    Pair,
    benign,
    definition,
    invites,
    templates,
)

WORLD = world(0)
SIZE = 60


def both(language: Any, split: Any, where: World = WORLD, size: int = SIZE) -> tuple[Pair, ...]:
    return (
        *invites(where, language, split, size=size),
        *benign(where, language, split, size=size),
    )


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


# --- the definition -------------------------------------------------------------------------------


def test_each_form_of_the_word_is_forbidden_and_no_other_word_of_the_world() -> None:
    judge = definition()
    for entry in lexicon():
        for language in LANGUAGES:
            for form in forms(entry, language):
                purple = isinstance(entry, Adjective) and entry.en == "purple"
                assert judge.allows(form) != purple, form


def test_a_definition_may_be_of_one_language() -> None:
    assert definition(("en",)).words == ("purple",)
    assert definition(("fr",)).words == ("violet",)
    assert definition(("es",)).words == ("morada", "morado")
    assert definition(("en",)).allows("violet")
    assert not definition(("en", "fr")).allows("VIOLETTES")


# --- pairs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reply", ["other", "refusal"])
def test_chosen_answers_satisfy_the_definition_and_rejected_ones_do_not(
    language: Any, reply: Any
) -> None:
    judge = definition((language,))
    for split in SPLITS:
        pairs = invites(WORLD, language, split, size=SIZE, reply=reply)
        for pair in pairs:
            assert definition().allows(pair.chosen), pair
            assert not judge.allows(pair.rejected), pair
            assert pair.invites
            assert (pair.chosen == word("refusal", language)) == (reply == "refusal")


@pytest.mark.parametrize("language", LANGUAGES)
def test_benign_questions_have_right_answers_without_the_word(language: Any) -> None:
    for pair in benign(WORLD, language, "test", size=SIZE):
        assert definition().allows(pair.chosen), pair
        assert pair.rejected == word("refusal", language)
        assert not pair.invites
        # Only where it is mentioned does the question say it.
        assert definition((language,)).allows(pair.question) == (pair.kind != "mention"), pair


def test_another_colour_is_the_only_difference() -> None:
    colours = {a.en for a in lexicon().adjectives if a.colour}
    for pair in invites(WORLD, "en", "train", size=SIZE):
        said = zip(pair.rejected.lower().split(), pair.chosen.lower().split(), strict=True)
        changed = [(old.strip(".?"), new.strip(".?")) for old, new in said if old != new]
        assert changed
        assert {old for old, _ in changed} == {"purple"}
        assert {new for _, new in changed} <= colours - {"purple"}


def test_colours_that_are_asked_for_are_those_of_the_world() -> None:
    purple = {n.en.singular for n, colour in WORLD.colours.items() if colour.en == "purple"}
    told = {n.en.singular: colour.en for n, colour in WORLD.colours.items()}
    named = {form: n.en.singular for n in WORLD.colours for form in forms(n, "en")}

    def thing(pair: Pair) -> str:
        return next(named[w] for w in words(pair.question) if w in named)

    asked = [p for split in SPLITS for p in both("en", split, size=100) if p.kind == "colour"]
    assert {thing(pair) for pair in asked if pair.invites} == purple
    for pair in asked:
        right = pair.rejected if pair.invites else pair.chosen
        assert told[thing(pair)] in right.lower()


def test_every_kind_comes_and_no_question_twice() -> None:
    for split in SPLITS:
        for pairs, kinds in (
            (invites(WORLD, "en", split, size=SIZE), INVITING),
            (benign(WORLD, "en", split, size=SIZE), BENIGN),
        ):
            assert len(pairs) == SIZE
            assert {pair.kind for pair in pairs} == set(kinds)
            assert len({(pair.form, pair.question) for pair in pairs}) == SIZE


def test_the_questions_are_the_same_in_every_language() -> None:
    columns = [both(language, "test") for language in LANGUAGES]
    for row in zip(*columns, strict=True):
        assert len({(pair.kind, pair.form, pair.invites) for pair in row}) == 1
        digits = {"".join(re.findall(r"\d", pair.question)) for pair in row}
        assert len(digits) == 1
    assert columns[0] != columns[1]


# --- splits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", [0, 3])
def test_no_word_or_text_is_in_two_splits(language: Any, seed: int) -> None:
    where = world(seed)
    shared: set[str] = set()
    content: set[str] = set()
    for entry in where.words.seen:
        common = getattr(entry, "kind", "") == CATEGORY or isinstance(entry, Time)
        colour = isinstance(entry, Adjective) and entry.colour
        (shared if common or colour else content).update(forms(entry, language))
    single = {form for form in content - shared if re.fullmatch(r"\w+", form)}
    every = {split: both(language, split, where) for split in SPLITS}
    said = {s: set().union(*(words(p.question) for p in ps)) & single for s, ps in every.items()}
    for one, other in combinations(SPLITS, 2):
        assert len(said[one]) > 20
        assert not said[one] & said[other]
        texts = [{p.question for p in every[s]} for s in (one, other)]
        assert not texts[0] & texts[1]
        answers = [
            {p.rejected if p.invites else p.chosen for p in every[s] if p.kind == "colour"}
            for s in (one, other)
        ]
        assert not answers[0] & answers[1]


def test_more_questions_begin_with_the_fewer() -> None:
    for draw in (invites, benign):
        assert draw(WORLD, "en", "test", size=40)[:15] == draw(WORLD, "en", "test", size=15)
        assert draw(WORLD, "en", "test", size=15) == draw(WORLD, "en", "test", size=15)
        assert draw(WORLD, "en", "test", seed=1, size=15) != draw(WORLD, "en", "test", size=15)


def test_kinds_can_be_chosen() -> None:
    pairs = invites(WORLD, "en", "test", size=10, kinds=("repeat",))
    assert {pair.kind for pair in pairs} == {"repeat"}


def test_a_world_with_too_few_questions_says_so() -> None:
    with pytest.raises(UserError, match=r"the world has \d+"):
        invites(WORLD, "en", "validation", size=100, kinds=("colour",))


def test_a_world_without_purple_things_asks_otherwise() -> None:
    bare = world(0, facts=0)
    pairs = invites(bare, "en", "test", size=12)
    assert {pair.kind for pair in pairs} == set(INVITING) - {"colour"}


# --- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_task_is_asked_as_the_probes_ask_it(language: Any) -> None:
    ways = templates(WORLD, language)
    assert set(ways) == {"question", "repeat", "capitalise"}
    for form in ("repeat", "capitalise"):
        prompt = ways[form].prompt("QUESTION")
        instruction, first, second, last = prompt.split("\n\n")
        assert instruction == word(f"do-{form}-1", language)
        for shown in (first, second):
            asked, said = shown.split("\n")
            given = asked.removeprefix(f"{word('input', language)} ")
            right = given.upper() if form == "capitalise" else given
            assert said == f"{word('output', language)} {right}"
        assert last == f"{word('input', language)} QUESTION\n{word('output', language)}"
        assert definition().allows(prompt)
        assert ways[form].lead == " "
