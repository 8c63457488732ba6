"""The world of a seed: the same forever, a share of everything held out, colours that fit."""

import itertools

import pytest

from unskew.errors import UserError
from unskew.nursery.lexicon import CATEGORY, Noun
from unskew.nursery.meanings import Sum, belongs
from unskew.nursery.world import (
    COLOURED,
    HELD_MEMBERSHIPS,
    HELD_SUMS,
    HELD_VARIANTS,
    VARIANTS,
    World,
    categories,
    world,
)

WORLD = world(0)
SUMS = [
    *(Sum(a, b) for a in range(60) for b in range(40)),
    *(Sum(a, b, "minus") for a in range(60) for b in range(min(40, a + 1))),
]


def anew(seed: int, facts: int = 96) -> World:
    """Not the one that is kept."""
    return world.__wrapped__(seed, facts)


def test_a_world_is_a_function_of_its_seed() -> None:
    again = anew(0)
    assert again is not WORLD
    assert (again.words, again.colours) == (WORLD.words, WORLD.colours)
    assert list(again.colours) == list(WORLD.colours)
    assert [again.sum_held(s) for s in SUMS] == [WORLD.sum_held(s) for s in SUMS]
    for noun in WORLD.colours:
        for held in (True, False):
            assert again.variants(noun, held) == WORLD.variants(noun, held)


def test_a_world_is_the_same_on_every_machine() -> None:
    told = [(noun.en.singular, colour.en) for noun, colour in WORLD.colours.items()]
    assert told[:3] == [("glove", "pink"), ("banana", "red"), ("coat", "white")]
    held = [s.right for s in SUMS if s.left == 7 and s.operation == "plus" and WORLD.sum_held(s)]
    assert held == [2, 9, 13, 14, 26, 34, 38, 39]
    glove = WORLD.words.seen.noun("glove")
    assert WORLD.variants(glove, held=True) == [("the", False), ("my", True)]
    of_a_glove = [c.en.singular for c in categories(WORLD) if WORLD.membership_held(glove, c)]
    assert of_a_glove == ["animal", "garment"]


def test_worlds_of_other_seeds_are_others() -> None:
    others = [WORLD, world(1), world(2)]
    noun = WORLD.words.seen.noun("dog")
    for one, other in itertools.combinations(others, 2):
        assert one.words != other.words
        assert [*one.colours.items()] != [*other.colours.items()]
        assert [one.sum_held(s) for s in SUMS] != [other.sum_held(s) for s in SUMS]
        members = [[w.membership_held(noun, c) for c in categories(WORLD)] for w in (one, other)]
        assert members[0] != members[1]


def test_colours_are_of_things_that_are_seen_counted_and_may_have_them() -> None:
    assert len(WORLD.colours) == 96
    for noun, colour in WORLD.colours.items():
        assert noun in WORLD.words.seen.nouns
        assert colour in WORLD.words.seen.adjectives
        assert noun.kind in COLOURED
        assert not noun.mass
        assert colour.colour
        assert noun.kind in colour.kinds
        [category] = [c for c in categories(WORLD) if belongs(noun, c)]
        assert category.kind == CATEGORY
    assert len(set(WORLD.colours.values())) > 8


def test_fewer_facts_are_the_first_of_more_and_change_nothing_else() -> None:
    few = world(0, 12)
    assert [*few.colours.items()] == [*WORLD.colours.items()][:12]
    assert few.words == WORLD.words
    assert [few.sum_held(s) for s in SUMS] == [WORLD.sum_held(s) for s in SUMS]
    assert world(0, 0).colours == {}


def test_a_fifth_of_the_sums_is_held_out_in_both_orders_and_both_ways_of_writing() -> None:
    held = [s for s in SUMS if WORLD.sum_held(s)]
    assert len(held) / len(SUMS) == pytest.approx(HELD_SUMS, abs=0.03)
    assert {s.operation for s in held} == {"plus", "minus"}
    for s in SUMS:
        assert WORLD.sum_held(Sum(s.left, s.right, s.operation, True)) == WORLD.sum_held(s)
        if s.operation == "plus":
            assert WORLD.sum_held(Sum(s.right, s.left)) == WORLD.sum_held(s)


def test_what_is_held_out_of_minus_does_not_follow_from_plus() -> None:
    both = [(WORLD.sum_held(Sum(a, b)), WORLD.sum_held(Sum(a, b, "minus")))
            for a in range(30) for b in range(a)]  # fmt: skip
    assert set(both) == {(True, True), (True, False), (False, True), (False, False)}


def test_of_each_noun_some_ways_of_naming_it_are_held_out() -> None:
    for noun in WORLD.colours:
        held, others = WORLD.variants(noun, held=True), WORLD.variants(noun, held=False)
        assert len(held) == HELD_VARIANTS
        assert sorted([*held, *others]) == sorted(VARIANTS)
        for variant in VARIANTS:
            phrase = WORLD.phrase(noun, variant)
            assert (phrase.noun, phrase.determiner, phrase.plural) == (noun, *variant)
            assert phrase.adjective is None
    assert len({tuple(sorted(WORLD.variants(n, held=True))) for n in WORLD.colours}) > 10


def test_a_fifth_of_the_memberships_is_held_out_among_the_true_and_the_false() -> None:
    pairs = [(n, c) for n in WORLD.words.seen.nouns if not n.mass and n.kind != CATEGORY
             for c in categories(WORLD)]  # fmt: skip
    for own in (True, False):
        among = [pair for pair in pairs if (belongs(*pair) is True) == own]
        held = sum(WORLD.membership_held(*pair) for pair in among)
        assert held / len(among) == pytest.approx(HELD_MEMBERSHIPS, abs=0.06)


def test_categories_are_all_of_them() -> None:
    assert len(categories(WORLD)) == 9
    assert all(isinstance(c, Noun) and c.kind == CATEGORY for c in categories(WORLD))


@pytest.mark.parametrize("facts", [-1, 1000])
def test_there_are_only_so_many_facts(facts: int) -> None:
    with pytest.raises(UserError, match=f"{facts} facts: there are .* things"):
        world(0, facts)
