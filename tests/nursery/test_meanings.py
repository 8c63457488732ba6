"""A meaning that a language could not say cannot be built; what is true is known."""

from collections.abc import Callable
from typing import Any

import pytest

from nursery.samples import ADJECTIVE, TIME, VERB, WORDS, at, named, some
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Located,
    Membership,
    NounPhrase,
    Number,
    Place,
    Sum,
    Trait,
    WhereIs,
    Whether,
    belongs,
)

ANNA = named("Anna")
APPLE = some("apple")
ANIMAL = WORDS.category("animal")

IMPOSSIBLE: dict[str, Callable[[], Any]] = {
    "the Anna": lambda: NounPhrase(WORDS.name("Anna"), "the"),
    "Annas": lambda: NounPhrase(WORDS.name("Anna"), plural=True),
    "an animal, as a thing": lambda: NounPhrase(ANIMAL, "a"),
    "the three apples": lambda: NounPhrase(WORDS.noun("apple"), "the", count=3),
    "apple": lambda: NounPhrase(WORDS.noun("apple")),
    "one apple, counted": lambda: some("apple", count=1),
    "a hundred apples": lambda: some("apple", count=100),
    "waters": lambda: some("water", plural=True),
    "two waters": lambda: some("water", count=2),
    "a tired apple": lambda: some("apple", "a", "tired"),
    "on Paris": lambda: at("on", named("Paris")),
    "near France": lambda: at("near", named("France")),
    "behind Anna": lambda: at("behind", ANNA),
    "near the king": lambda: at("near", "king"),
    "in some gardens": lambda: at("in", some("garden", "a", plural=True)),
    "in the beach": lambda: at("in", "beach"),
    "to the table": lambda: at("to", "table"),
    "water drinks": lambda: Clause(some("water", "a"), VERB("sleep")),
    "the apple sings": lambda: Clause(APPLE, VERB("sing")),
    "Anna eats": lambda: Clause(ANNA, VERB("eat")),
    "Anna sleeps the apple": lambda: Clause(ANNA, VERB("sleep"), APPLE),
    "Anna sees the king": lambda: Clause(ANNA, VERB("see"), some("king")),
    "Anna goes": lambda: Clause(ANNA, VERB("go")),
    "Anna goes in the garden": lambda: Clause(ANNA, VERB("go"), place=at("in", "garden")),
    "Anna sleeps to Paris": lambda: Clause(ANNA, VERB("sleep"), place=at("to", named("Paris"))),
    "Anna sleeps on Monday": lambda: Clause(ANNA, VERB("sleep"), time=TIME("Monday")),
    "the apple is tired": lambda: Described(APPLE, ADJECTIVE("tired")),
    "water is cold": lambda: Described(some("water", "a"), ADJECTIVE("cold")),
    "Paris is in the garden": lambda: Located(named("Paris"), at("in", "garden")),
    "the cat is to Paris": lambda: Located(some("cat"), Place("to", named("Paris"))),
    "a dog is an apple": lambda: Membership(WORDS.noun("dog"), WORDS.noun("apple")),
    "a water is an animal": lambda: Membership(WORDS.noun("water"), ANIMAL),
    "an animal is an animal": lambda: Membership(ANIMAL, ANIMAL),
    "France is an animal": lambda: Membership(WORDS.name("France"), ANIMAL),
    "99 + 1": lambda: Sum(99, 1),
    "3 - 4": lambda: Sum(3, 4, "minus"),
    "what colour is Anna": lambda: ColourOf(ANNA),
    "what colour is the red apple": lambda: ColourOf(some("apple", "the", "red")),
    "what colour is water": lambda: ColourOf(some("water", "a")),
    "where is Paris": lambda: WhereIs(named("Paris")),
    "where is water": lambda: WhereIs(some("water", "a")),
    "is Anna not tired": lambda: Whether(Described(ANNA, ADJECTIVE("tired"), negated=True)),
    "tired, of an apple": lambda: Trait(ADJECTIVE("tired"), APPLE),
    "a hundred": lambda: Number(100),
}


@pytest.mark.parametrize("build", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_said_cannot_be_built(build: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        build()


def test_sums_know_their_result() -> None:
    assert Sum(60, 39).result == 99
    assert Sum(60, 60, "minus").result == 0


def test_what_belongs_where() -> None:
    noun, category = WORDS.noun, WORDS.category
    assert belongs(noun("dog"), category("animal")) is True
    assert belongs(noun("king"), category("person")) is True
    assert belongs(WORDS.name("Rome"), category("city")) is True
    assert belongs(noun("dog"), category("fruit")) is False
    # A tomato is a fruit to a botanist; a man may be called an animal.
    assert belongs(noun("tomato"), category("fruit")) is None
    assert belongs(noun("king"), category("animal")) is None
