"""Items: what can be asked of a model, and the right answer, before any language is chosen.

An item is made of meanings, so it is the same item in every language, and a prompt made of items
has an exact translation. `asked` and `answer` say it in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from unskew.nursery.languages import Language, say
from unskew.nursery.lexicon import Noun, plain
from unskew.nursery.meanings import (
    ColourOf,
    Meaning,
    Membership,
    NounPhrase,
    Statement,
    Sum,
    WhereIs,
    Whether,
)
from unskew.nursery.wording import word

__all__ = [
    "Ask", "Classify", "Copy", "Copying", "Entail", "Item", "Label", "MadeUp", "Translate",
    "WordList", "answer", "asked", "copy", "texts",
]  # fmt: skip

Copying = Literal["repeat", "capitalise", "reverse", "first", "second", "last"]
Label = Literal["true", "false", "neither"]


@dataclass(frozen=True)
class WordList:
    """apple dog table: nouns in the singular, without articles."""

    nouns: tuple[Noun, ...]


@dataclass(frozen=True)
class MadeUp:
    """ritol benka gu: words of no language, the same in all. Who copies them copies anything."""

    words: tuple[str, ...]


Copied = Meaning | WordList | MadeUp


@dataclass(frozen=True)
class Copy:
    """Something to be done with the words of a text, whatever they mean."""

    task: Copying
    text: Copied


@dataclass(frozen=True)
class Translate:
    """A noun phrase to be said in another language."""

    phrase: NounPhrase
    target: Language


@dataclass(frozen=True)
class Classify:
    """A noun phrase, answered by what it is: the dogs -> A dog is an animal."""

    phrase: NounPhrase
    category: Noun


@dataclass(frozen=True)
class Ask:
    """A question, about the world or about the statements before it. answer: an int in digits, a
    text by its id in wording.jsonl."""

    question: Sum | ColourOf | WhereIs | Whether
    answer: Meaning | int | str
    context: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Entail:
    """Does the premise make the hypothesis true, false, or neither?"""

    premise: Statement
    hypothesis: Statement
    label: Label


Item = Copy | Translate | Classify | Ask | Entail


def asked(item: Item, language: Language) -> str:
    """What stands in the place of the input."""
    match item:
        case Copy(text=text):
            return _said(text, language)
        case Translate(phrase) | Classify(phrase):
            return say(phrase, language)
        case Ask(question=question, context=context):
            return " ".join(say(meaning, language) for meaning in (*context, question))
        case Entail(premise, hypothesis):
            options = word("entail", language)
            return f"{say(premise, language)} {say(hypothesis, language)} {options}"


def answer(item: Item, language: Language) -> str:
    """The right output."""
    match item:
        case Copy(task, text):
            return copy(task, _said(text, language))
        case Translate(phrase, target):
            return say(phrase, target)
        case Classify(phrase, category):
            return say(Membership(phrase.noun, category), language)
        case Ask(answer=found):
            match found:
                case int():
                    return str(found)
                case str():
                    return word(found, language)
                case _:
                    return say(found, language)
        case Entail(label=label):
            return word(label, language)


def copy(task: Copying, text: str) -> str:
    """The output of a copying task on a text."""
    words = text.split()
    match task:
        case "repeat":
            return text
        case "capitalise":
            return text.upper()
        case "reverse":
            return " ".join(reversed(words))
        case "first":
            return words[0]
        case "second":
            return words[1]
        case "last":
            return words[-1]


def texts(item: Item, source: Language, target: Language) -> Iterator[tuple[str, str]]:
    """The parallel phrases of an item, each whole: what a phrase book needs to translate its prompt
    and its answer. Answers that are parts of a phrase (first, last) are not among them."""
    match item:
        case Copy(task, text):
            yield _said(text, source), _said(text, target)
            if task == "reverse":
                yield answer(item, source), answer(item, target)
        case Translate(phrase) | Classify(phrase):
            yield say(phrase, source), say(phrase, target)
        case Ask(question=question, context=context):
            for meaning in (*context, question):
                yield say(meaning, source), say(meaning, target)
        case Entail(premise, hypothesis):
            for meaning in (premise, hypothesis):
                yield say(meaning, source), say(meaning, target)
    match item:
        case Classify():
            yield answer(item, source), answer(item, target)
        case Ask(answer=found) if not isinstance(found, int | str):
            yield answer(item, source), answer(item, target)


def _said(text: Copied, language: Language) -> str:
    match text:
        case WordList(nouns):
            return " ".join(_bare(noun, language) for noun in nouns)
        case MadeUp(words):
            return " ".join(words)
        case _:
            return say(text, language)


def _bare(noun: Noun, language: Language) -> str:
    return noun.qon if language == "qon" else plain(getattr(noun, language).singular)
