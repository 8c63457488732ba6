"""What leaves a guard satisfies the definition, at every moment and for every way to cut a text.

The judge (`Definition.violation`) looks at whole texts and shares no code with the guard but the
reading; they must say the same of every text.
"""

import itertools
import pickle
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from purple.texts import APART, DEFINITIONS, INVISIBLE, MARKS, chunked, definitions, named, texts
from unskew.errors import UserError
from unskew.purple import (
    ASCII,
    Definition,
    Forbidden,
    Foreign,
    Guard,
    Raise,
    Replace,
    Stop,
    Tier,
    Withheld,
)
from unskew.purple.guard import HOLD


def holds(guard: Guard, chunks: Iterable[str]) -> None:
    """Every promise, for one text in one way of cutting it."""
    chunks = list(chunks)
    text, definition = "".join(chunks), guard.definition
    verdict = definition.violation(text)
    stream, said, read = guard.open(), "", 0
    for chunk in chunks:
        said += stream.feed(chunk)
        read += len(chunk)
        assert definition.allows(said)
        if stream.violation is None:
            assert text.startswith(said)
            assert read - len(said) <= guard.bound
    said += stream.close()
    assert definition.allows(said)
    assert stream.violation == verdict
    assert (said, verdict) == guard.whole(text)
    if verdict is None:
        assert said == text
    else:
        kept = said.removesuffix(guard.then.text) if isinstance(guard.then, Replace) else said
        assert text.startswith(kept)
        assert len(kept) <= verdict.at
        assert verdict.at - len(kept) <= guard.bound


@settings(max_examples=1500)
@given(definitions, st.sampled_from([Replace("…no"), Replace(""), Stop()]), chunked())
def test_promises(definition: Definition, then: Replace | Stop, chunks: list[str]) -> None:
    if then == Replace("…no") and definition.alphabet is not None:
        then = Stop()
    event(type(definition.violation("".join(chunks))).__name__)
    holds(Guard(definition, then), chunks)


@pytest.mark.parametrize("whole_words", [False, True])
@pytest.mark.parametrize("words", [("ab",), ("aab", "bab"), ("abab", "ba", "aa")], ids=str)
def test_all_short_texts_in_all_ways(words: tuple[str, ...], whole_words: bool) -> None:
    """Over a letter of a word, one written as two (ß is ss), a separator, one read as nothing."""
    words = (*words, "sb")
    guard = Guard(Definition(words, Tier.COMPATIBLE, whole_words=whole_words), Replace("#"))
    for n in range(6):
        for letters in itertools.product("abß \u200b", repeat=n):
            holds(guard, letters)
            text = "".join(letters)
            for cut in range(1, n):
                holds(guard, (text[:cut], text[cut:]))


PARTS = ["purple", "p", "a", "℀", "½", "ß", "ﬃ", "㎰", " ", "\u200b", "\u0301", "s"]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=named)
def test_all_neighbours(definition: Definition) -> None:
    """Words beside and within what is read as several letters, as signs, or as nothing."""
    guard = Guard(definition, Stop())
    for parts in itertools.product(PARTS, repeat=3):
        holds(guard, parts)


@settings(max_examples=200)
@given(definitions, st.lists(texts, max_size=3))
def test_all_that_cannot_become_a_word_is_released(definition: Definition, chunks: list[str]):
    """What is held back does begin a word: something that follows completes it, with nothing of
    what was released before."""
    stream, said, text = Guard(definition, Stop()).open(), "", ""
    for chunk in chunks:
        said += stream.feed(chunk)
        text += chunk
        if stream.violation is not None:
            return
        held = text[len(said) :]
        ends = (word[i:] + "." for word in definition.patterns for i in range(len(word) + 1))
        if held and len(held) <= HOLD:
            assert any(not definition.allows(f".{held}{end}") for end in ends)


# --- by hand --------------------------------------------------------------------------------------


def released(guard: Guard, chunks: Iterable[str]) -> list[str]:
    """What each chunk lets go, and then the end."""
    stream = guard.open()
    return [*[stream.feed(chunk) for chunk in chunks], stream.close()]


def test_what_can_become_the_word_waits() -> None:
    guard = Guard()
    assert released(guard, ["a p", "ur", "", "ple", " b"]) == ["a ", "", "", "[withheld]", "", ""]
    assert released(guard, ["a p", "ur", "", "pose"]) == ["a ", "", "", "purpose", ""]
    assert released(guard, ["purpur", "pur", "e"]) == ["pur", "pur", "pure", ""]
    assert released(guard, ["a purp"]) == ["a ", "purp"]
    assert released(guard, []) == [""]
    assert released(guard, ["", ""]) == ["", "", ""]


def test_a_whole_word_waits_for_what_follows() -> None:
    guard = Guard(Definition(whole_words=True))
    assert released(guard, ["purple", "s"]) == ["", "purples", ""]
    assert released(guard, ["purple", "."]) == ["", "[withheld]", ""]
    assert released(guard, ["purple", "\u200b"]) == ["", "[withheld]", ""]
    assert released(guard, ["a purple"]) == ["a ", "[withheld]"]
    assert released(guard, ["repurple", "."]) == ["repurple", ".", ""]
    assert guard.whole("a purple").violation == Forbidden("purple", 7)


def test_a_shorter_word_is_not_said_on_the_way_to_a_longer_one() -> None:
    words = Definition(("purple", "purplefish"), whole_words=True)
    assert released(Guard(words), "purplefin") == [*[""] * 8, "purplefin", ""]
    assert released(Guard(words), ["purplefis", "h"]) == ["", "", "[withheld]"]
    holds(Guard(words), "purplefi" + "\u200b" * 80 + "n")  # not "purple" first and "fi" later


@pytest.mark.parametrize("tier", [Tier.COMPATIBLE, Tier.MARKS, Tier.CONFUSABLES, Tier.LETTERS])
def test_long_runs_of_what_is_read_as_nothing(tier: Tier) -> None:
    """The buffer stays bounded, the word is still not completed, other texts come out whole."""
    nothing = INVISIBLE + MARKS * (tier >= Tier.MARKS) + APART * (tier >= Tier.LETTERS)
    for c in nothing:
        guard = Guard(Definition(tier=tier))
        stream, said = guard.open(), ""
        assert guard.bound == HOLD + 6
        for character in "xp" + c * 500 + "urpl":
            said += stream.feed(character)
        assert said.startswith("xp" + c * 430)
        assert stream.feed("e") == "[withheld]"
        assert guard.definition.allows(said)
        run = "p" + c * 500 + "ur" + c * 500 + "pose"
        assert guard.whole(run) == (run, None)
        assert "".join(guard.stream(run)) == run
        holds(guard, "p" + c * (HOLD + 4) + "ur" + c * 4 + "ple")


def test_where_the_hold_ends() -> None:
    guard = Guard()
    assert released(guard, ["p" + "\u200b" * HOLD, "x"])[0] == ""
    assert released(guard, ["p" + "\u200b" * (HOLD + 2), "x"])[0] == "p\u200b\u200b"


def test_without_what_is_read_as_nothing_only_the_word_waits() -> None:
    guard = Guard(Definition(tier=Tier.CASEFOLD))
    assert guard.bound == 6
    assert released(guard, ["p" + "\u200b" * 100, "urple"]) == ["p" + "\u200b" * 100, "urple", ""]
    assert Guard(Definition((), alphabet=ASCII)).bound == HOLD


HARD = [
    ["pu", "\u0301", "rple"],  # a mark that arrives after its letter
    ["pu\u0323", "\u0301\u0308", "rple"],  # in another order than a normal form has
    ["purp", "\u200d", "\u200d", "le"],
    ["ｐｕ", "ｒｐ", "ｌｅ"],
    ["р", "u", "r", "р", "l", "е"],
    [*"p\u200bu\u0301r\u00adp\ufe0fl\u200ce"],
    ["purp", "ⅼ", "e"],
    ["🅿🆄", "🆁🅿", "🅻🅴"],
    ["purple" * 50],
    ["p" * 500, "urple"],
    ["\u0301" * 70 + "purple"],
    ["x" * 4000 + "pur", "ple" + "y" * 4000],
]


@pytest.mark.parametrize("chunks", HARD, ids=[ascii("|".join(c))[:40] for c in HARD])
def test_hard_texts_do_not_pass(chunks: list[str]) -> None:
    guard = Guard()
    assert isinstance(guard.whole("".join(chunks)).violation, Forbidden)
    holds(guard, chunks)
    holds(guard, "".join(chunks))


def test_expansions() -> None:
    """One code point that is read as several may end one word and begin the next."""
    guard = Guard(Definition(("ss",), Tier.CASEFOLD), Stop())
    assert released(guard, ["Stra", "ß", "e"]) == ["Stra", "", "", ""]
    guard = Guard(Definition(("sun",), Tier.CASEFOLD), Stop())
    assert released(guard, ["aß", "u", "n"]) == ["a", "", "", ""]
    assert released(guard, ["aß", "u", "x"]) == ["a", "", "ßux", ""]
    guard = Guard(Definition(("i\u0307x",), Tier.CASEFOLD), Stop())
    assert released(guard, ["aİ", "y", "İ", "X"]) == ["a", "İy", "", "", ""]
    # "℀" is read "a/c": what follows "purple" may begin "cat", and is no way on for it.
    guard = Guard(Definition(("purple", "cat"), Tier.COMPATIBLE, whole_words=True), Stop())
    assert released(guard, ["purple", "℀"]) == ["", "", ""]


def test_halves_of_a_character() -> None:
    for chunks in (["\ud835", "\udc29urple"], ["a \ud83d", "\ude00"], ["purpl\ud800e"]):
        guard = Guard()
        assert isinstance(guard.whole("".join(chunks)).violation, Foreign)
        holds(guard, chunks)


def test_an_alphabet_comes_before_words() -> None:
    guard = Guard(Definition(alphabet=ASCII))
    assert guard.whole("a pu\u200brple") == ("a [withheld]", Foreign("\u200b", 4))
    assert guard.whole("plain, with no forbidden word").violation is None
    assert released(Guard(Definition((), alphabet=ASCII)), "aé") == ["a", "[withheld]", ""]


# --- on a violation -------------------------------------------------------------------------------


def test_stop() -> None:
    assert Guard(then=Stop()).whole("a purple b purple") == ("a ", Forbidden("purple", 7))


def test_raise_gives_what_may_be_said() -> None:
    guard = Guard(then=Raise())
    with pytest.raises(Withheld) as error:
        guard.whole("a purple b")
    assert (error.value.released, error.value.violation) == ("a ", Forbidden("purple", 7))
    assert "'purple' is complete at character 7" in str(error.value)
    copy = pickle.loads(pickle.dumps(error.value))
    assert (copy.released, copy.violation) == (error.value.released, error.value.violation)
    assert guard.whole("a pure b") == ("a pure b", None)

    ending = Guard(Definition(whole_words=True), Raise()).open()
    assert ending.feed("a purple") == "a "
    with pytest.raises(Withheld):
        ending.close()


def test_nothing_follows_a_violation() -> None:
    for then in (Replace(), Stop()):
        stream = Guard(then=then).open()
        stream.feed("purple")
        assert [stream.feed("more"), stream.feed("purple"), stream.close()] == ["", "", ""]
        assert stream.violation == Forbidden("purple", 5)


def test_a_stream_is_one_text() -> None:
    stream = Guard().open()
    assert [stream.feed("a pur"), stream.close(), stream.close()] == ["a ", "pur", ""]
    with pytest.raises(UserError, match="after close"):
        stream.feed("ple")


@pytest.mark.parametrize("chunk", [b"purple", ["purple"], [1]])
def test_chunks_are_texts(chunk) -> None:
    with pytest.raises(UserError, match="as one character"):
        Guard().open().feed(chunk)


@pytest.mark.parametrize(
    ("definition", "constant", "message"),
    [
        (Definition(), "purple", "complete the forbidden word 'purple'"),
        (Definition(), "e!", "complete the forbidden word 'purple'"),  # after "purpl"
        (Definition(), "\u200bplе", "complete the forbidden word 'purple'"),
        (Definition(("held",)), "[withheld]", "complete the forbidden word 'held'"),
        (Definition(("low",), Tier.LETTERS), "[withheld]", "complete the forbidden word 'low'"),
        (Definition(whole_words=True), "purple", "complete the forbidden word 'purple'"),
        (Definition(whole_words=True), "ple", "complete the forbidden word 'purple'"),
        (Definition(("a b",), whole_words=True), " b", "complete the forbidden word 'a b'"),
        (Definition(alphabet=ASCII), "…", "U+2026 is outside the alphabet"),
        (Definition((), alphabet=ASCII), "…", "U+2026 is outside the alphabet"),
        (Definition(), "\ud800", "U+D800 is outside the alphabet"),
    ],
)
def test_constants_that_would_violate(definition: Definition, constant: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        Guard(definition, Replace(constant))
    assert message in str(error.value)


@settings(max_examples=400)
@given(definitions, texts, texts)
@example(Definition(whole_words=True), "purpl", "es")
@example(Definition(whole_words=True), "x", "purple")
def test_a_constant_that_is_taken_fits_after_anything(
    definition: Definition, constant: str, before: str
) -> None:
    try:
        Guard(definition, Replace(constant))
    except UserError:
        taken = False
    else:
        taken = True
    event(f"taken: {taken}")
    stream = Guard(definition, Stop()).open()
    said = stream.feed(before)  # what may have been released, wherever the text goes on
    if taken:
        assert definition.allows(said + constant)
        assert all(definition.allows(b + constant) for b in beginnings(definition))
    else:
        assert any(not definition.allows(b + constant) for b in beginnings(definition))


def beginnings(definition: Definition) -> list[str]:
    """Texts that satisfy the definition and end in each way a word begins."""
    every = {word[:n] for word in ("", *definition.patterns) for n in range(len(word) + 1)}
    return [c + b for b in every for c in ("", "x") if definition.allows(c + b)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"definition": "purple"}, "'purple' is no definition of what must not leave"),
        ({"definition": Definition}, "is no definition of what must not leave"),
        ({"then": Raise}, "is nothing to do on a violation"),
        ({"then": "[x]"}, "'[x]' is nothing to do on a violation"),
        ({"then": None}, "None is nothing to do on a violation"),
        ({"then": Replace(None)}, "Replace(None): no text"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_guard_is_refused_before_it_is_needed(fields: Any, message: str) -> None:
    with pytest.raises(UserError) as error:
        Guard(**fields)
    assert message in str(error.value)
    assert error.value.hint


def test_guards_are_values() -> None:
    guard = Guard()
    guard.whole("purple")
    assert guard == Guard()
    assert hash(guard) == hash(Guard())
    assert pickle.loads(pickle.dumps(guard)).whole("a purple").text == "a [withheld]"
    assert len({Guard(definition, Stop()) for definition in DEFINITIONS}) == len(DEFINITIONS)


def test_what_is_learnt_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from unskew.purple import guard as module

    automaton = module._Automaton(Definition(("ab",)))
    automaton._room = 10
    stream = module.Stream(automaton, Replace())
    text = "".join(map(chr, range(0x4E00, 0x4F00))) * 2 + "ab"
    assert stream.feed(text) == text[:-2] + "[withheld]"
    assert sum(len(state) for state in automaton._states.values()) == 10
