"""The controls change a prompt as promised and no more, and can be undone on any text."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conjugation.hard_texts import NEAR_SPANS, SPANS, WORDS, texts
from conjugation.promises import holds
from unskew.conjugation import Conjugation, Paraphrase, UnknownCipher, Wrapper
from unskew.conjugation.controls import LANGUAGES, LONGEST, SHORTEST
from unskew.conjugation.synonyms import ALONE, PAIRS
from unskew.errors import UserError

CONTROLS = [
    Paraphrase(),
    Paraphrase("en"),
    Wrapper(),
    Wrapper(33),
    UnknownCipher(),
    UnknownCipher(7),
]
every = pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)

SENTENCES = {
    "en": "The question of the day is large, and nobody can pick an answer.",
    "fr": "La question est large ; il commence une photo du film, sans texte ni nation.",
    "es": "Las chicas de Linda miran la foto con el arte de un maestro y dicen su lema.",
    "nl": "De dame had een mug op de arm en dacht aan Wenen, waar ze een taxi nam.",
    "de": "Der Student fand die Dame im Rock sehr clever, doch den Film eher fade.",
    "hu": "A film után a fiatal nemzet fotót kért, és a taxi elment a hídig.",
}


def pairs(table: str) -> list[tuple[str, str]]:
    return [(a, b) for a, b in (pair.split() for pair in table.replace("\n", " ").split(","))]


@every
def test_promises_on_words_and_delimiters(control: Conjugation) -> None:
    for text in [*SPANS, *NEAR_SPANS, *WORDS]:
        holds(control, text)
        holds(control, f" {text}\r\n{text}<s>{text}-{text}  ")


@every
@settings(max_examples=60)
@given(text=texts)
@example(text="")
def test_promises_on_any_text(control: Conjugation, text: str) -> None:
    holds(control, text)


# Paraphrase ---------------------------------------------------------------------------------------


def test_paraphrase_swaps_in_each_case_and_only_whole_words() -> None:
    paraphrase = Paraphrase()
    assert paraphrase.forward("Repeat the big LARGE Sentence, bigger.") == (
        "Restate the large BIG Statement, larger."
    )
    assert paraphrase.forward("bigwig biG big_x big2 [INST] big-eyed") == (
        "bigwig biG big_x big2 [INST] large-eyed"
    )
    assert paraphrase.forward("Répétez vite, Gyorsan!") == "Redites rapidement, Sebesen!"
    assert paraphrase.forward("REPETEZ RÉPÉTEZ") == "REPETEZ REDITES"


def test_paraphrase_in_one_language() -> None:
    text = "Question: describe the big maison"
    assert Paraphrase("en").forward(text) == "Query: depict the large maison"
    assert Paraphrase("fr").forward(text) == "Question: describe the big demeure"
    assert Paraphrase().forward(text) == "Question: describe the large demeure"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_pairs(language: str) -> None:
    table = pairs(",".join([PAIRS[language], *([ALONE[language]] if language in ALONE else [])]))
    assert len(pairs(PAIRS[language])) >= (60 if language == "en" else 25)
    words = [word for pair in table for word in pair]
    assert len(set(words)) == len(words)
    for a, b in table:
        for word in (a, b):
            # One word, whose three cases are three words of one length of case.
            assert re.fullmatch(r"\w+", word)
            assert word == word.lower() == word.upper().lower() == word.title().lower()
            assert len({word, word.title(), word.upper()}) == 3
            paraphrase = Paraphrase(language)
            for case in (str.lower, str.title, str.upper):
                assert paraphrase.forward(case(a)) == case(b)
                assert paraphrase.forward(case(b)) == case(a)


def test_no_word_of_the_common_table_is_in_two_languages() -> None:
    words = [word for table in PAIRS.values() for pair in pairs(table) for word in pair]
    assert len(set(words)) == len(words)


@pytest.mark.parametrize("language", ["en", "fr", "hu"])
def test_articles_fit_both_words(language: str) -> None:
    """an, l' and az before a vowel; in English u is said as in "use" in no word of the table."""
    vowels = {"en": "aeio", "fr": "aeiouyàâéèêîôûœh", "hu": "aáeéiíoóöőuúüű"}[language]
    for a, b in pairs(f"{PAIRS[language]},{ALONE.get(language, 'big large')}"):
        assert (a[0] in vowels) == (b[0] in vowels), (a, b)
        if language == "en":
            assert "u" not in (a[0], b[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_stay_and_languages_are_not_mixed(language: str) -> None:
    labels = "True False Neither Yes No Input: Output: True, False or Neither?"
    assert Paraphrase().forward(labels) == labels
    assert Paraphrase("en").forward(labels) == labels
    others = [other for other in LANGUAGES if other != language]
    text = SENTENCES[language].replace("large", "")  # English and French: the one exception
    for other in others:
        shared = {word for pair in pairs(PAIRS[other]) for word in pair}
        assert not shared & set(re.findall(r"\w+", text.lower()))


def test_a_language_without_pairs() -> None:
    with pytest.raises(ValueError, match="no pairs for 'it'"):
        Paraphrase("it")


# Wrapper ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [SHORTEST, 21, 80, 200, 1000, 5000])
def test_wrapper_has_about_the_length_asked_for(length: int) -> None:
    words = Wrapper(length).forward("x").removesuffix("x")
    assert length - 12 <= len(words) <= length + 2
    assert words.endswith(". ")
    assert "\n" not in words


def test_wrapper_goes_before_the_prompt_and_behind_delimiters() -> None:
    wrapper = Wrapper(30)
    assert wrapper.forward("Say hi\n now ") == "The morning was calm and the. Say hi\n now "
    assert wrapper.forward("\n<s>[INST] Say hi") == (
        "\n<s>[INST] The morning was calm and the. Say hi"
    )
    for empty in ("", " \n", "<s>[INST] "):
        assert wrapper.forward(empty) == empty


@settings(max_examples=60)
@given(text=texts, length=st.integers(SHORTEST, 400))
def test_wrapper_leaves_answers_that_do_not_begin_with_it(text: str, length: int) -> None:
    wrapper = Wrapper(length)
    assert wrapper.inverse(text) == text
    assert wrapper.inverse(wrapper.forward(wrapper.forward(text))) == wrapper.forward(text)


@pytest.mark.parametrize("length", [SHORTEST - 1, 0, LONGEST + 1])
def test_wrapper_lengths_out_of_bounds(length: int) -> None:
    with pytest.raises(UserError, match="the length must be"):
        Wrapper(length)


# Unknown cipher -----------------------------------------------------------------------------------


def test_unknown_cipher_is_a_seeded_substitution_in_which_no_letter_stays() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    images = set()
    for seed in range(30):
        image = UnknownCipher(seed).forward(letters)
        assert sorted(image) == sorted(letters)
        assert all(a != b for a, b in zip(letters, image, strict=True))
        assert UnknownCipher(seed).forward(letters.upper()) == image.upper()
        images.add(image)
    assert len(images) == 30


def test_unknown_cipher_stays_the_same_for_ever() -> None:
    """Its texts are kept in records, so a change of the table is a new version."""
    text = "Hello, École 42! <s> привет"
    assert UnknownCipher(0).forward(text) == "Ywoop, Œgpow 42! <s> привет"
    assert UnknownCipher(7).forward(text) == "Nteex, Řwxet 42! <s> привет"


def test_names_tell_settings_apart() -> None:
    assert [control.name for control in CONTROLS] == [
        "paraphrase",
        "paraphrase:en",
        "wrapper",
        "wrapper:33",
        "unknown-cipher",
        "unknown-cipher:7",
    ]
