"""Code: it runs, and prints what stands beside it."""

import ast
import contextlib
import io
import re
from functools import cache

import pytest

from nursery.upbringing import WORLD
from unskew.nursery.code import code
from unskew.nursery.documents import Document
from unskew.nursery.items import Copy, WordList, asked
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.meanings import Sum
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe


@cache
def drawn(language: Language, size: int = 300) -> list[Document]:
    scribe = Scribe(WORLD, generator(0, "code", 0))
    return [code(scribe, language) for _ in range(size)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_prints_what_it_says_it_does(language: Language) -> None:
    for document in drawn(language):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(document.text, {})
        *before, last = document.pieces
        assert last.answer
        assert not any(piece.answer for piece in before)
        assert last.text == f" {printed.getvalue().strip()}"
        assert document.text.endswith(f"\n#{last.text}")
        assert document.kind == "code"


@pytest.mark.parametrize("language", LANGUAGES)
def test_its_names_are_seen_words_of_the_language(language: Language) -> None:
    allowed = {
        re.sub("[ '-]", "_", asked(Copy("repeat", WordList((noun,))), language))
        for noun in WORLD.words.seen.nouns
    }
    for document in drawn(language):
        nodes = list(ast.walk(ast.parse(document.text)))
        names = {node.id for node in nodes if isinstance(node, ast.Name)} - {"print"}
        names |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        names |= {
            n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
        }
        assert names
        assert names <= allowed


def test_it_adds_no_numbers_whose_sum_is_held_out() -> None:
    added = 0
    for document in (doc for language in LANGUAGES for doc in drawn(language)):
        if "+" in document.text:
            lines = [line for line in document.text.split("\n") if not line.startswith("#")]
            left, right = map(int, re.findall(r"\d+", "\n".join(lines)))
            assert not WORLD.sum_held(Sum(left, right))
            added += 1
    assert added > 300


def test_there_are_five_forms_with_and_without_a_comment() -> None:
    shapes = {re.sub(r"#.+\n|\w+", "", document.text) for document in drawn("en")}
    assert len(shapes) == 5
    comments = {document.text.startswith("# ") for document in drawn("en")}
    assert comments == {True, False}


def test_it_is_the_same_on_every_machine() -> None:
    assert drawn("en")[0].text == ("shelf = lambda nurse: nurse + 6\nprint(shelf(12))\n# 18")
    assert drawn("fr") == drawn.__wrapped__("fr")
