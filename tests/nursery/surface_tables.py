"""What the tests of grammar look at: drawn sentences, and the rows of the data files as they are.

Nothing of the grammars is used here: a rule is checked on the written text and the raw tables.
"""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import unskew.nursery
from unskew.nursery.languages import Language, say
from unskew.nursery.lexicon import lexicon
from unskew.nursery.meanings import Meaning
from unskew.nursery.sampling import meanings

DATA = Path(unskew.nursery.__file__).with_name("data")


@cache
def rows(name: str) -> list[dict[str, str]]:
    """A data file; the marks of unexpected beginnings taken off."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{k: v.removeprefix("*") for k, v in row.items()} for row in csv.DictReader(file)]


@cache
def drawn(size: int = 6000) -> tuple[Meaning, ...]:
    return meanings(lexicon(), 7, "grammar", 0, size)


@cache
def said(language: Language) -> tuple[tuple[Meaning, str], ...]:
    return tuple((meaning, say(meaning, language)) for meaning in drawn())


def words(text: str) -> list[str]:
    """Lower-case words; an elided word keeps its apostrophe and stands alone."""
    return re.findall(r"\w+'|[\w-]+", text.lower())


@cache
def nouns(language: str) -> dict[str, tuple[str, str]]:
    """A noun's form -> (gender, singular | plural), without forms that are other words too."""
    others = {
        cell
        for name in ("adjectives", "verbs")
        for row in rows(name)
        for key, cell in row.items()
        if key.startswith(language)
    }
    found = {}
    for row in rows("nouns"):
        gender = row[f"{language}_gender"]
        found[row[language]] = (gender, "singular")
        if row[f"{language}_plural"]:
            found[row[f"{language}_plural"]] = (gender, "plural")
    return {form: what for form, what in found.items() if form not in others}


@cache
def adjectives(language: str) -> dict[str, list[tuple[str, str]]]:
    """An adjective's form -> the (gender, number) that it can agree with."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows("adjectives"):
        for gender in "mf":
            for number, ending in (("singular", ""), ("plural", "_plural")):
                form = row[f"{language}_{gender}{ending}"]
                found.setdefault(form, []).append((gender, number))
        if row.get(f"{language}_m_vowel"):
            found.setdefault(row[f"{language}_m_vowel"], []).append(("m", "singular"))
    return found


def noun_phrases(language: Language) -> Iterator[tuple[list[str], int, str, str, str]]:
    """(words, where the noun stands, gender, number, text) for every unmistakable noun drawn."""
    table = nouns(language)
    for _, text in said(language):
        tokens = words(text)
        for at, token in enumerate(tokens):
            if token in table:
                yield tokens, at, *table[token], text
