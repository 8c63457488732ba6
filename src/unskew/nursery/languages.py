"""The idea: one meaning, said in four languages; so parallel sentences are exact by construction.

    from unskew.nursery.languages import say
    from unskew.nursery.lexicon import lexicon
    from unskew.nursery.meanings import Clause, NounPhrase

    words = lexicon()
    anna, apple = NounPhrase(words.name("Anna")), NounPhrase(words.noun("apple"), "a")
    eats = Clause(anna, words.verb("eat"), apple)
    say(eats, "en"), say(eats, "fr"), say(eats, "es")
    # Anna eats an apple. / Anna mange une pomme. / Anna come una manzana.

English, French and Spanish are real, and Onevi is invented: written like no other, verb last,
adjectives after nouns, postpositions, two classes (onevi.py says how it works). Its code "qon" is
one of those that ISO 639-2 leaves to private use. Two different sentences of the world are
different in every language, or in none. Only fragments are shorter than that: "à Paris" is both
in Paris and to Paris, and "red" does not tell of what.

The real languages were checked by rules, by dictionaries and by reading, not by native speakers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from unskew.errors import UserError
from unskew.nursery import english, french, onevi, spanish
from unskew.nursery.meanings import Meaning

__all__ = ["LANGUAGES", "Language", "phrases", "say"]

Language = Literal["en", "fr", "es", "qon"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def say(meaning: Meaning, language: Language) -> str:
    """The meaning in a language: a sentence with its capital and its stop, a fragment without.

    Raises:
        UserError: a language that is not of this world.
    """
    match language:
        case "en":
            return english.say(meaning)
        case "fr":
            return french.say(meaning)
        case "es":
            return spanish.say(meaning)
        case "qon":
            return onevi.say(meaning)
        case _:
            raise UserError(
                f"{language!r} is no language of the nursery", hint=", ".join(LANGUAGES)
            )


def phrases(
    meanings: Iterable[Meaning], source: Language, target: Language
) -> list[tuple[str, str]]:
    """Parallel pairs (source text, target text) for a phrase book, each once, in order.

    Raises:
        UserError: a language that is not of this world.
    """
    return list(dict.fromkeys((say(m, source), say(m, target)) for m in meanings))
