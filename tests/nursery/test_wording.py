"""The fixed words: each in four languages, none of them a word that could be held out."""

import re
from typing import get_args

import pytest

from nursery.surface_tables import words
from unskew.nursery.items import Copying, Label
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.lexicon import CATEGORY, Time, lexicon
from unskew.nursery.split import forms
from unskew.nursery.wording import INSTRUCTIONS, rows, word


def vocabulary(language: Language, shared: bool = False) -> set[str]:
    """Forms of the words that a world can hold out; shared: of the others too."""
    content = [
        entry for entry in lexicon()
        if shared or not (isinstance(entry, Time) or getattr(entry, "kind", "") == CATEGORY)
    ]  # fmt: skip
    return {form for entry in content for form in forms(entry, language)}


def test_every_row_is_a_phrase_in_all_languages() -> None:
    for row in rows():
        assert set(row) == {"id", *LANGUAGES}
        for language in LANGUAGES:
            text = row[language]
            assert text == word(row["id"], language)
            assert text == text.strip() != ""
            assert "\n" not in text
            assert re.search(r"\w[.:?]?$", text) or text.endswith((" :", " ?"))


@pytest.mark.parametrize("column", ["id", *LANGUAGES])
def test_no_two_rows_say_the_same(column: str) -> None:
    said = [row[column].casefold() for row in rows()]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_that_could_be_held_out_is_among_them(language: Language) -> None:
    # Else it would be seen in every instruction, in whichever world it is held out.
    taken = vocabulary(language)
    for row in rows():
        assert not taken & set(words(row[language])), row


def test_onevi_says_them_in_words_of_their_own() -> None:
    taken = vocabulary("qon", shared=True)
    of_others = {w for row in rows() for language in LANGUAGES[:3] for w in words(row[language])}
    own = {w for row in rows() for w in words(row["qon"])}
    assert not own & taken
    assert own & of_others == {"o", "onevi"}  # "or", as in Spanish, and its own name
    assert len(own) > 30


def test_every_task_has_its_instructions() -> None:
    ids = {row["id"] for row in rows()}
    tasks = [*get_args(Copying), "classify", "answer"]
    wanted = {f"do-{task}-{i}" for task in tasks for i in range(1, INSTRUCTIONS + 1)}
    wanted |= {f"do-translate-{language}-1" for language in LANGUAGES}
    wanted |= {*get_args(Label), "entail", "refusal", "password"}
    wanted |= {"input", "output", "text", "result", "question", "answer"}
    assert ids == wanted


def test_what_has_no_row_is_not_found() -> None:
    with pytest.raises(KeyError):
        word("do-fly-1", "en")
