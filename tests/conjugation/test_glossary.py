"""What a translator must leave alone survives even nasty ones, or the text is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.glossary import Glossary
from unskew.errors import UserError

GLOSSARY = Glossary(("Input:", "Output", "Output:", "True", "C++"), numbers=True)


def through(line: str, translate, glossary: Glossary = GLOSSARY) -> str:
    masked = glossary.mask(line)
    return glossary.restore(translate(masked.core), masked, "mt:x:en-fr")


def test_labels_and_delimiters_at_the_edges_are_never_shown() -> None:
    masked = GLOSSARY.mask("  <|im_start|> Input: [INST]is it True?</s> \t")
    assert masked.before == "  <|im_start|> Input: [INST]"
    assert masked.core == "is it [1]?"
    assert masked.after == "</s> \t"
    assert GLOSSARY.restore("[1], c'est ça ?", masked, "n") == (
        "  <|im_start|> Input: [INST]True, c'est ça ?</s> \t"
    )
    assert GLOSSARY.mask("Input: a Output:")[:3] == ("Input: ", "a", " Output:")
    # A name at the edge belongs to its sentence: the translator sees that something is there.
    assert GLOSSARY.mask("True is true").core == "[1] is true"


def test_words_are_whole_the_longest_first_and_case_counts() -> None:
    masked = GLOSSARY.mask("an Output: Outputs true Truest and C++ or C+++")
    assert masked.core == "an [1] Outputs true Truest and [2] or [3]+"
    assert [word for _, word in masked.kept] == ["Output:", "C++", "C++"]


def test_numbers_are_kept_when_asked() -> None:
    line = "add -3 to 4,500.5 in room B2"
    assert GLOSSARY.mask(line).core == "add [1] to [2] in room B2"
    assert Glossary().mask(line).core == line
    assert through("a 3 b 4", lambda core: "c [2] d [1]") == "c 4 d 3"
    for text, translation in (("two cats", "2 chats"), ("room B2", "salle B")):
        with pytest.raises(NotAdmissible, match="changed digits"):
            through(text, lambda _, result=translation: result)
    assert through("two cats", lambda _: "2 chats", Glossary()) == "2 chats"


def test_placeholders_of_the_text_itself_are_text() -> None:
    glossary = Glossary(("True",))
    masked = glossary.mask("see [1] and [ 3 ]: True or True")
    assert masked.core == "see [1] and [ 3 ]: [2] or [4]"
    assert glossary.restore(masked.core, masked, "n") == "see [1] and [ 3 ]: True or True"
    assert glossary.restore("[4], [2]", masked, "n") == "True, True"
    with pytest.raises(NotAdmissible, match=re.escape("made up the placeholder [1]")):
        glossary.restore("[1] [1] [2] [4]", masked, "n")


@pytest.mark.parametrize(
    ("nasty", "message"),
    [
        (lambda core: core.replace("[1]", ""), "lost the placeholder of 'True'"),
        (lambda core: core.replace("[2]", "(2)"), "lost the placeholder of 'C++'"),
        (lambda core: core.replace("[1]", "[l]"), "lost the placeholder of 'True'"),
        (lambda core: core + " " + core, "doubled the placeholder of 'True'"),
        (lambda core: core + "[ 2 ]", "doubled the placeholder of 'C++'"),
        (lambda core: core + "[3]", "made up the placeholder [3]"),
        (lambda core: core.replace("[1]", "[11]"), "lost the placeholder of 'True'"),
        (lambda _: "", "lost the placeholder of 'True'"),
    ],
)
def test_nasty_translators_are_found_out(nasty, message: str) -> None:
    with pytest.raises(NotAdmissible, match=re.escape(message)) as refusal:
        through("is True like C++ here", nasty)
    assert refusal.value.conjugation == "mt:x:en-fr"


def test_harmless_translators_lose_nothing() -> None:
    line = "is True like C++ here"
    assert through(line, str.upper) == "IS True LIKE C++ HERE"
    assert through(line, lambda core: " ".join(reversed(core.split()))) == "here C++ like True is"
    assert through(line, lambda core: core.replace("[", "[ ").replace("]", " ]")) == line


WORDS = st.sampled_from(["Input:", "True", "C++", "[1]", "[2]", "[12]", "<s>", "[INST]", "x", " "])
LINES = st.lists(st.one_of(WORDS, st.sampled_from(["3", "-4.5"]), st.text(max_size=3))).map("".join)


@given(LINES, st.booleans())
def test_a_line_that_nobody_changes_comes_back(line: str, numbers: bool) -> None:
    glossary = Glossary(GLOSSARY.keep, numbers)
    masked = glossary.mask(line)
    assert glossary.restore(masked.core, masked, "n") == line
    assert masked.core == masked.core.strip()
    assert not any(delimiter in masked.core for delimiter in ("<s>", "[INST]"))


@given(LINES, st.data())
def test_no_kept_word_is_ever_lost_in_silence(line: str, data: st.DataObject) -> None:
    masked = GLOSSARY.mask(line)
    pieces = re.findall(r"\[[0-9]+\]|.", masked.core, re.DOTALL)
    shuffled = data.draw(st.permutations(pieces))
    garbled = "".join(piece for piece in shuffled if data.draw(st.integers(0, 9)) != 0)
    try:
        result = GLOSSARY.restore(garbled, masked, "n")
    except NotAdmissible:
        return
    for _, word in masked.kept:
        assert word in result


def test_only_a_line_with_letters_speaks() -> None:
    assert GLOSSARY.mask("what?").speaks
    assert not GLOSSARY.mask("Input: True, 3 + 4 = ____").speaks
    assert not GLOSSARY.mask("").speaks


@pytest.mark.parametrize("word", ["", " a", "a\n", "a\u2028b"])
def test_words_that_cannot_be_kept(word: str) -> None:
    with pytest.raises(UserError, match="cannot be kept"):
        Glossary((word,))
