"""Meanings that go wrong easily. Their sentences stand in samples.txt, in the same order, written
by hand and read one by one (not by native speakers)."""

from pathlib import Path

from unskew.nursery.lexicon import lexicon
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Determiner,
    Equation,
    Located,
    Meaning,
    Membership,
    NounPhrase,
    Number,
    Place,
    Relation,
    Sum,
    Trait,
    WhereIs,
    Whether,
    YesNo,
)

WORDS = lexicon()
ADJECTIVE, VERB, TIME = WORDS.adjective, WORDS.verb, WORDS.time


def some(
    noun: str,
    determiner: Determiner | None = "the",
    adjective: str | None = None,
    plural: bool = False,
    count: int | None = None,
) -> NounPhrase:
    """A phrase of English words."""
    quality = ADJECTIVE(adjective) if adjective else None
    return NounPhrase(WORDS.noun(noun), None if count else determiner, quality, plural, count=count)


def named(name: str) -> NounPhrase:
    return NounPhrase(WORDS.name(name))


def at(relation: Relation, where: str | NounPhrase) -> Place:
    return Place(relation, some(where) if isinstance(where, str) else where)


def kind_of(noun: str, category: str = "animal", negated: bool = False) -> Membership:
    return Membership(WORDS.noun(noun), WORDS.category(category), negated)


def texts() -> list[list[str]]:
    """For each meaning its sentences in English, French, Spanish and Onevi."""
    blocks = Path(__file__).with_name("samples.txt").read_text("utf-8").strip().split("\n\n")
    return [block.split("\n") for block in blocks]


def meanings() -> list[Meaning]:
    anna, lucas = named("Anna"), named("Lucas")
    eat, drink, go = VERB("eat"), VERB("drink"), VERB("go")
    return [
        # Articles, elision, a or an.
        Clause(anna, eat, some("apple", "a")),
        Clause(some("man", "a", "honest"), VERB("sleep")),
        Clause(anna, VERB("wash"), some("uniform", "a")),
        Clause(anna, VERB("buy"), some("hammer", "a", "useful")),
        Clause(some("owl"), VERB("see"), some("bean")),
        Clause(some("friend", "my"), VERB("repair"), some("harp", "this")),
        Clause(some("student", "this"), VERB("choose"), some("harp", "the", "old")),
        Described(some("school", "my"), ADJECTIVE("new")),
        # Adjectives: place, vowel forms, agreement, invariable colours.
        Clause(lucas, VERB("draw"), some("tree", "a", "beautiful")),
        Clause(some("man", "this", "old"), VERB("smile")),
        Located(some("computer", "my", "new"), at("on", some("desk", "the", "brown"))),
        Clause(lucas, VERB("sell"), some("car", "a", "beautiful", plural=True)),
        Clause(lucas, VERB("sell"), some("car", "a", "orange", plural=True)),
        Described(some("eagle", "the", plural=True), ADJECTIVE("white"), "past"),
        Clause(some("eagle", "a", "white"), VERB("see"), some("leaf", "the", plural=True)),
        Described(some("carrot", "this", plural=True), ADJECTIVE("fresh")),
        Described(some("actress", "the", plural=True), ADJECTIVE("happy"), negated=True),
        Described(anna, ADJECTIVE("nervous"), "future"),
        # What is not counted.
        Clause(lucas, drink, some("water", "a", "cold")),
        Clause(lucas, drink, some("milk", "a"), negated=True),
        Clause(lucas, eat, some("meat", "a"), tense="past"),
        Clause(some("king"), eat, some("bread", "a"), tense="future"),
        Described(some("water", "this"), ADJECTIVE("cold"), negated=True),
        # Negation.
        Clause(anna, eat, some("apple", "a"), tense="past", negated=True),
        Clause(anna, eat, some("apricot", "a", plural=True), negated=True),
        Clause(
            some("wolf", "the", plural=True),
            VERB("touch"),
            some("onion"),
            tense="future",
            negated=True,
        ),
        # Going somewhere: contraction, être and agreement.
        Clause(anna, go, place=at("to", "market"), time=TIME("Monday"), tense="past"),
        Clause(
            some("sister", "my", plural=True),
            VERB("return"),
            place=at("to", "hospital"),
            tense="past",
            negated=True,
        ),
        Clause(some("boy", "the", plural=True), go, place=at("to", "beach"), tense="future"),
        Clause(some("leaf", "the", plural=True), VERB("fall"), time=TIME("autumn")),
        # Places.
        Located(some("cat"), at("under", "table")),
        Located(some("dog", "my"), at("next to", "castle"), "past"),
        Located(lucas, at("near", "tree"), "future"),
        Located(some("owl", "this", plural=True), at("in front of", "hotel"), negated=True),
        Clause(anna, VERB("live"), place=at("near", named("Athens"))),
        Clause(lucas, VERB("work"), place=at("in", named("London")), time=TIME("May")),
        Clause(anna, go, place=at("to", named("Japan"))),
        Clause(lucas, VERB("return"), place=at("to", named("Spain")), tense="future"),
        # Numbers.
        Clause(some("woman", count=21), VERB("dance")),
        Clause(lucas, VERB("find"), some("book", count=31), tense="past"),
        Clause(anna, VERB("bring"), some("olive", count=80)),
        Sum(71, 22, "minus"),
        Equation(Sum(3, 78)),
        Sum(3, 4, digits=True),
        # Membership.
        kind_of("eagle"),
        kind_of("axe", "tool"),
        kind_of("lorry", "fruit", negated=True),
        Membership(WORDS.name("Lisbon"), WORDS.category("city")),
        # Questions.
        ColourOf(some("wing", "the")),
        ColourOf(some("knife", "my", plural=True)),
        WhereIs(some("child", "the", plural=True)),
        Whether(Clause(anna, eat, some("mushroom", "the", plural=True))),
        Whether(Clause(some("horse", "the", plural=True), VERB("disappear"), tense="past")),
        Whether(Described(some("door"), ADJECTIVE("red"))),
        Whether(Located(some("key"), at("in", "garden"), "future")),
        Whether(kind_of("goose")),
        # Fragments.
        some("onion", "a", "small"),
        at("behind", "church"),
        Trait(ADJECTIVE("blue"), some("house", "the", plural=True)),
        Number(91),
        YesNo(True),
        YesNo(False),
    ]
