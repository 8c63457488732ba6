"""Phrase books: exact where they translate, and they say what they do not know."""

import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.books import PhraseBook, _pattern
from unskew.errors import AbsentError, UserError

ENTRIES = [
    ("The cat sleeps.", "Le chat dort."),
    ("The cat sleeps. It is late.", "Il est tard et le chat dort."),
    ("the cat", "le chat"),
    ("cat", "chat"),
    ("It's {n} o'clock.", "Il est {n} h."),
    ("What is {a} plus {b}?", "Combien font {a} plus {b} ?"),
    ("What is {a} plus 0?", "Quoi, {a} ?"),
    ("{who} of {all} people", "sur {all} personnes, {who} sont là"),
    ("Input:", "Entrée :"),
    ("Output:", "Sortie :"),
    ("summer", "été"),
    ("street", "Straße"),
    ("table", "erdő"),
    ("Where is it?", "¿dónde está?"),
    ("ice", "ijs"),
    ("OK", "d'accord"),
]
BOOK = PhraseBook(ENTRIES, "en", "fr", "book:mine:en-fr")


def translated(text: str) -> str:
    result = BOOK.forward(text)
    assert BOOK.inverse(result) == text
    return result


def test_a_prompt_line_by_line() -> None:
    prompt = "<|im_start|>Input: The cat sleeps.\n\nInput: What is 3 plus -4.5?\r\n  Output: \n"
    assert translated(prompt) == (
        "<|im_start|>Entrée : Le chat dort.\n\nEntrée : Combien font 3 plus -4.5 ?\r\n  Sortie : \n"
    )
    assert translated("") == ""
    assert (
        translated("\t 12 + 3.5 = ____ (!) 🙂❤️ [INST]\n") == "\t 12 + 3.5 = ____ (!) 🙂❤️ [INST]\n"
    )


def test_the_longest_phrase_wins_and_words_are_whole() -> None:
    assert translated("The cat sleeps. It is late.") == "Il est tard et le chat dort."
    assert translated("The cat sleeps. OK") == "Le chat dort. d'accord"
    assert translated("(cat) the cat") == "(chat) le chat"
    for text in ("cats", "concat", "cat3", "3cat", "cat\u0301", "the cats"):
        with pytest.raises(NotAdmissible, match="no en phrase"):
            BOOK.forward(text)


def test_slots_hold_numbers_and_may_move() -> None:
    assert translated("3 of 1,000 people") == "sur 1,000 personnes, 3 sont là"
    assert translated("It's 7 o'clock. It's 0 o'clock.") == "Il est 7 h. Il est 0 h."
    assert translated("What is 5 plus 0?") == "Quoi, 5 ?"  # the literal 0 is nearer than a slot
    with pytest.raises(NotAdmissible, match="no en phrase"):
        BOOK.forward("What is three plus 4?")


def test_upper_case_and_first_capitals_come_back() -> None:
    assert translated("THE CAT SLEEPS.") == "LE CHAT DORT."
    assert translated("SUMMER Summer summer") == "ÉTÉ Été été"
    assert translated("STREET street") == "STRASSE Straße"
    assert translated("TABLE") == "ERDŐ"
    assert translated("WHAT IS 1 PLUS 2?") == "COMBIEN FONT 1 PLUS 2 ?"
    assert translated("where is it?".upper()) == "¿DÓNDE ESTÁ?"
    assert translated("Cat Ice") == "Chat Ijs"
    for french in ("ETE", "STRAẞE", "leCHAT", "LE chat"):
        with pytest.raises(NotAdmissible):
            BOOK.inverse(french)
    # "Straße" is the partner of "street" already, "OK" that of "d'accord".
    for english in ("Street", "Where Is it?"):
        with pytest.raises(NotAdmissible):
            BOOK.forward(english)
    with pytest.raises(NotAdmissible):
        BOOK.inverse("D'ACCORD")


def test_a_dress_that_two_phrases_share_is_not_known() -> None:
    book = PhraseBook(
        [("polish", "polir"), ("Polish", "polonais"), ("a", "une"), ("go", "aller")],
        "en",
        "fr",
        "b",
    )
    assert book.forward("Polish polish a") == "polonais polir une"
    assert book.forward("GO Go go") == "ALLER Aller aller"
    for text in ("POLISH", "A"):  # whose upper case; "Une" or "UNE"
        with pytest.raises(NotAdmissible):
            book.forward(text)


def test_the_refusal_names_the_piece_and_its_line() -> None:
    with pytest.raises(NotAdmissible) as refusal:
        BOOK.forward("The cat sleeps.\r\nthe cat barks \x1b[31mloudly\nOK")
    assert refusal.value.conjugation == "book:mine:en-fr"
    assert refusal.value.why == r"no en phrase of the book begins 'barks \x1b[31mloudly' (line 2)"
    assert "\x1b" not in str(refusal.value)
    with pytest.raises(NotAdmissible, match=r"begins 'x{59}…' \(line 1\)$"):
        BOOK.forward("x" * 1000 + "\n")
    with pytest.raises(NotAdmissible, match=r"begins 'barks'$"):  # of one line no line is named
        BOOK.forward("barks")


def test_juxtaposed_phrases_that_read_back_otherwise_are_refused() -> None:
    entries = [("hello", "bonjour"), ("world", "monde"), ("hi folks", "bonjour monde")]
    book = PhraseBook(entries, "en", "fr", "b")
    assert book.inverse(book.forward("hello, world; hi folks")) == "hello, world; hi folks"
    with pytest.raises(NotAdmissible, match="ambiguous"):
        book.forward("hello world")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("a cat", "un chat"), ("a tomcat", "un chat")], "entry 2: 'un chat' has another transl"),
        ([("a cat", "un chat"), ("a cat", "un matou")], "entry 2: 'a cat' has another transl"),
        ([("{a} at {b}", "{a} à {b}"), ("{x} at {y}", "{y} à {x}")], "another translation"),
        ([("a {n} b", "c {m} d")], "different slots"),
        ([("a {n} b {n}", "c {n} d {n}")], "a slot twice"),
        ([("a{n}", "b {n}")], "does not stand apart"),
        ([("a {n}{m}", "b {n} {m}")], "does not stand apart"),
        ([("a {n}.{m}", "b {n} {m}")], "does not stand apart"),
        ([("a -{n}", "b {n}")], "does not stand apart"),
        ([("five", "5")], "no letter"),
        ([("one\ntwo", "un")], "line break"),
        ([("one ", "un")], "white space"),
        ([("", "un")], "empty"),
        ([], "at least one"),
    ],
)
def test_books_that_cannot_be_exact_are_refused_at_load(entries, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        PhraseBook(entries, "en", "fr", "b")


def test_repeated_rows_and_what_the_promise_says() -> None:
    book = PhraseBook([("a {n} b", "c {n}"), ("a {m} b", "c {m}")], "en", "fr", "b")
    assert book.forward("a 3 b") == "c 3"
    assert book.promise.exact
    assert book.promise.numbers
    assert LINE_BOOK.promise.numbers
    assert not BOOK.promise.numbers  # "3 of 1000" turns its numbers round
    assert not PhraseBook([("at 3 pm", "à 15 h")], "en", "fr", "b").promise.numbers
    other = PhraseBook([("a {n} b", "c {n}")], "en", "fr", "b")
    assert other.record["digest"] != book.record["digest"]


# Numbers kept, and phrases that make up others when they stand side by side.
LINES = [entry for entry in ENTRIES if "people" not in entry[0] and "plus 0" not in entry[0]]
LINES += [("Good.", "Bien."), ("Good. Bad.", "Mal."), ("Bad.", "Bien. Mal.")]
LINE_BOOK = PhraseBook(LINES, "en", "fr", "lines")
WORDS = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(" ".join)
NUMBERS = st.sampled_from(["0", "7", "-3", "12,5", "1.000"])
NEUTRAL = st.text(
    st.characters(categories=["Z", "P", "S", "N", "C"]), max_size=4
) | st.sampled_from(["\n", "\r\n", " ", "<s>", "[/INST]", "<|eot|>", "3.", "-", "_", "❤️"])


@st.composite
def phrases(draw: st.DrawFn, book: list[tuple[str, str]]) -> str:
    phrase = draw(st.sampled_from(book))[0]
    phrase = re.sub(r"\{\w+\}", lambda _: draw(NUMBERS), phrase)
    return draw(st.sampled_from([phrase, phrase, phrase.upper()]))


def agrees(book: PhraseBook, text: str) -> bool:
    """Whether both directions keep what was promised of the text; False where it is refused."""
    try:
        result = book.forward(text)
    except NotAdmissible:
        return False
    assert book.inverse(result) == text
    assert len(result.splitlines()) == len(text.splitlines())
    assert len(result) - len(result.lstrip()) == len(text) - len(text.lstrip())
    assert len(result) - len(result.rstrip()) == len(text) - len(text.rstrip())
    if book.promise.numbers:
        assert re.findall(r"\d+", result) == re.findall(r"\d+", text)
    for i in (m.end() for m in re.finditer("\n", text)):
        assert book.forward(text[:i]) + book.forward(text[i:]) == result
    return True


@given(st.lists(st.one_of(phrases(LINES), NEUTRAL), max_size=8).map("".join))
def test_any_mixture_is_exact_or_refused(text: str) -> None:
    agrees(LINE_BOOK, text)


@given(st.lists(st.tuples(phrases(ENTRIES[:-1]), st.sampled_from(["\n", "\r\n", ", ", " | "]))))
def test_phrases_set_apart_are_never_refused(pieces: list[tuple[str, str]]) -> None:
    text = "".join(phrase + apart for phrase, apart in pieces)
    assert agrees(BOOK, text)


@given(st.text(st.characters(exclude_categories=["L", "M"])))
def test_text_without_letters_is_left_alone(text: str) -> None:
    assert BOOK.forward(text) == text == BOOK.inverse(text)


@given(st.text())
def test_answers_of_any_kind_are_images_or_refused(text: str) -> None:
    try:
        question = BOOK.inverse(text)
    except NotAdmissible:
        return
    assert BOOK.forward(question) == text


@given(st.dictionaries(WORDS, WORDS, min_size=1), st.data())
def test_books_full_of_overlaps(entries: dict[str, str], data: st.DataObject) -> None:
    unique = {target: source for source, target in entries.items()}
    book = PhraseBook([(s, t.replace("a", "c")) for t, s in unique.items()], "x", "y", "overlaps")
    chosen = data.draw(st.lists(st.sampled_from(sorted(unique.values()))))
    # A line that is one phrase has no other reading; phrases in a row may.
    assert agrees(book, "\n".join(chosen))
    agrees(book, " ".join(chosen))


def test_every_combining_mark_belongs_to_its_word() -> None:
    apart = [
        c
        for c in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(c)[0] == "M"
        and _pattern().findall("a" + c + "b") != ["a" + c + "b"]
    ]
    assert apart == []


def read(tmp_path: Path, text: str | bytes) -> PhraseBook:
    path = tmp_path / "phrases: one.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return PhraseBook.read(path, "en", "fr")


def test_reading_a_parallel_file(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "en": "Good morning.", "fr": "Bonjour.", "de": "Guten Morgen."},
        {"en": "Cheers!", "lacks": ["fr"]},
        {"en": "A line\u2028", "fr": None, "lacks": ["fr", "de"]},
        {"en": "It's {n}.", "fr": "Il est {n}."},
    ]
    book = read(tmp_path, "\ufeff" + "\n\n".join(json.dumps(row) for row in rows) + "\n")
    assert book.forward("Good morning. It's 3.") == "Bonjour. Il est 3."
    assert book.name == f"book:{tmp_path / 'phrases: one.jsonl'}:en-fr"
    assert book.record["entries"] == 2
    with pytest.raises(NotAdmissible):
        book.forward("Cheers!")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"en": "a"}\n', "line 1: no text in fr"),
        ('\n{"en": "a", "fr": 3}\n', "line 2: fr is not a text"),
        ('{"en": "a", "fr": "b", "lacks": ["fr"]}', "line 1: has fr and says"),
        ('{"en": "a", "lacks": "fr"}', 'line 1: "lacks" is not a list'),
        ("[]\n{", "line 1: not an object\nline 2: not JSON"),
        ('{"en": "a", "fr": "b"}\n{"en": "a", "fr": "c"}', "line 2: 'a' has another translation"),
        ('{"en": "a", "fr": "b "}', "line 1: 'b ' is empty or has white space"),
        ("{\n" * 9, "and 4 more"),
        pytest.param("[" * 100_000, "line 1: not JSON", id="deep"),
        ('{"en": "a", "de": "b"}\n' * 9, "phrases: one.jsonl: no line has a text in fr"),
        ("", "has no phrases in both en and fr"),
        (b"\xff", "cannot be read"),
    ],
)
def test_mistakes_in_the_file_have_line_numbers(tmp_path: Path, text, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        read(tmp_path, text)


def test_a_language_that_no_line_has_is_said_with_those_that_are_there(tmp_path: Path) -> None:
    row = {"en": "a", "fr": "b", "por_Latn": "c", "cluster": "greetings", "no": 3, "id": "x7"}
    text = "".join(json.dumps(row | {"en": f"a{i}"}) + "\n" for i in range(9))
    path = tmp_path / "phrases.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="no line has a text in xx") as error:
        PhraseBook.read(path, "en", "xx")
    assert error.value.hint == "languages there: en, fr, id, por_Latn"


def test_a_folder_is_no_phrase_book(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        PhraseBook.read(tmp_path, "en", "fr")
    told = f"{tmp_path}: cannot be read as a phrase book: is a directory"
    assert str(error.value).lower() == told.lower()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match="there is no such phrase book"):
        PhraseBook.read(tmp_path / "none.jsonl", "en", "fr")
