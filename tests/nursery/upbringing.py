"""What models are told, drawn once for all tests that look through it: documents, and each meaning
that was said in them with its language, overheard where meanings become text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple
from unittest import mock

from unskew.nursery import corpora, languages
from unskew.nursery.config import EVERYTHING, Mixture, StageName, Written
from unskew.nursery.documents import Document
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.meanings import Described, Meaning, NounPhrase
from unskew.nursery.world import World, world

WORLD = world(0)
WRITTEN: tuple[Written, ...] = (*LANGUAGES, "pig-latin", "leetspeak")
STEPS = 4


class Heard(NamedTuple):
    documents: tuple[Document, ...]
    said: tuple[tuple[Language, Meaning], ...]

    @property
    def text(self) -> str:
        """All of it, with line breaks around each document."""
        return "\n" + "\n".join(document.text for document in self.documents) + "\n"


@cache
def heard(
    written: Written,
    told: tuple[Language, ...] = LANGUAGES,
    stage: StageName | None = None,
    seed: int = 0,
    size: int = 1200,
) -> Heard:
    """`size` documents of a base's training, or of a stage's, in the world of a seed."""
    mixture = EVERYTHING if stage is None else corpora.of_stage(stage)
    mixture = Mixture(kinds=mixture.kinds, languages={written: 1})
    said: list[tuple[Language, Meaning]] = []

    def say(meaning: Meaning, language: Language) -> str:
        said.append((language, meaning))
        return languages.say(meaning, language)

    places = [f"unskew.nursery.{module}.say" for module in ("items", "corpora", "code")]
    with mock.patch(places[0], say), mock.patch(places[1], say), mock.patch(places[2], say):
        documents = tuple(
            document
            for step in range(STEPS)
            for document in corpora.corpus(world(seed), mixture, told, 0, "pretrain", step)(
                size // STEPS
            )
        )
    return Heard(documents, tuple(said))


def parts(meaning: Any) -> Iterator[Any]:
    """A meaning and all meanings in it."""
    if type(meaning).__module__ == Meaning.__args__[0].__module__:  # no words
        yield meaning
        for field in dataclasses.fields(meaning):
            yield from parts(getattr(meaning, field.name))


def colours_said(meaning: Meaning, world: World) -> list[Meaning]:
    """Where a meaning says a colour of a thing that has one of its own, true or not."""
    found: list[Meaning] = []
    for part in parts(meaning):
        noun = {NounPhrase: part, Described: getattr(part, "subject", None)}.get(type(part))
        colour = getattr(part, "adjective", None)
        if noun is not None and colour and colour.colour and noun.noun in world.colours:
            found.append(part)
    return found
