"""Items: asked and answered in each language, and what a phrase book needs to carry them over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nursery.samples import ADJECTIVE, VERB, WORDS, at, kind_of, named, some
from unskew.nursery.items import (
    Ask,
    Classify,
    Copy,
    Copying,
    Entail,
    Item,
    MadeUp,
    Translate,
    WordList,
    answer,
    asked,
    copy,
    texts,
)
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.meanings import (
    Clause,
    ColourOf,
    Described,
    Located,
    Sum,
    WhereIs,
    Whether,
    YesNo,
)
from unskew.nursery.wording import word

EATS = Clause(named("Anna"), VERB("eat"), some("apple", "a"))
CAT = Located(some("cat"), at("under", "table"))
RED = Described(some("apple", "my", plural=True), ADJECTIVE("red"))
SEVEN = Sum(3, 4, digits=True)

SAMPLES: list[tuple[Item, list[tuple[str, str]]]] = [
    (
        Copy("repeat", SEVEN),
        [
            ("What is 3 plus 4?", "What is 3 plus 4?"),
            ("Combien font 3 plus 4 ?", "Combien font 3 plus 4 ?"),
            ("¿Cuánto es 3 más 4?", "¿Cuánto es 3 más 4?"),
            ("3 zon 4 kelu silar kar?", "3 zon 4 kelu silar kar?"),
        ],
    ),
    (
        Copy("reverse", WordList((WORDS.noun("apple"), WORDS.noun("owl")))),
        [
            ("apple owl", "owl apple"),
            ("pomme hibou", "hibou pomme"),
            ("manzana búho", "búho manzana"),
            ("lilte muna", "muna lilte"),
        ],
    ),
    (Copy("last", MadeUp(("ritol", "gu"))), [("ritol gu", "gu")] * 4),
    (
        Classify(some("dog", "my", plural=True), WORDS.category("animal")),
        [
            ("my dogs", "A dog is an animal."),
            ("mes chiens", "Un chien est un animal."),
            ("mis perros", "Un perro es un animal."),
            ("lalaru gon", "Lala vude silan."),
        ],
    ),
    (
        Ask(SEVEN, 7),
        [
            ("What is 3 plus 4?", "7"),
            ("Combien font 3 plus 4 ?", "7"),
            ("¿Cuánto es 3 más 4?", "7"),
            ("3 zon 4 kelu silar kar?", "7"),
        ],
    ),
    (
        Ask(ColourOf(RED.subject), RED),
        [
            ("What colour are my apples?", "My apples are red."),
            ("De quelle couleur sont mes pommes ?", "Mes pommes sont rouges."),
            ("¿De qué color son mis manzanas?", "Mis manzanas son rojas."),
            ("Lilteru gon selvi silaro kar?", "Lilteru gon tozamel silaro."),
        ],
    ),
    (
        Ask(ColourOf(RED.subject), "refusal"),
        [
            ("What colour are my apples?", "I cannot answer that."),
            ("De quelle couleur sont mes pommes ?", "Je ne peux pas répondre à cela."),
            ("¿De qué color son mis manzanas?", "No puedo responder a eso."),
            ("Lilteru gon selvi silaro kar?", "Zute bir dol dorgan."),
        ],
    ),
    (
        Ask(WhereIs(CAT.subject), CAT, (EATS, CAT)),
        [
            (
                "Anna eats an apple. The cat is under the table. Where is the cat?",
                "The cat is under the table.",
            ),
            (
                "Anna mange une pomme. Le chat est sous la table. Où est le chat ?",
                "Le chat est sous la table.",
            ),
            (
                "Anna come una manzana. El gato está debajo de la mesa. ¿Dónde está el gato?",
                "El gato está debajo de la mesa.",
            ),
            (
                "Ganine lilte bir kuvan. Doben lamun lun silan. Doben moru silan kar?",
                "Doben lamun lun silan.",
            ),
        ],
    ),
    (
        Ask(Whether(kind_of("eagle")), YesNo(True)),
        [
            ("Is an eagle an animal?", "yes"),
            ("Est-ce qu'un aigle est un animal ?", "oui"),
            ("¿Es un águila un animal?", "sí"),
            ("Guri vude silan kar?", "tal"),
        ],
    ),
    (
        Entail(EATS, CAT, "neither"),
        [
            (
                "Anna eats an apple. The cat is under the table. True, False or Neither?",
                "Neither",
            ),
            ("Anna mange une pomme. Le chat est sous la table. Vrai, Faux ou Ni?", "Ni"),
            (
                "Anna come una manzana. El gato está debajo de la mesa. Verdadero, Falso o Ni?",
                "Ni",
            ),
            (
                "Ganine lilte bir kuvan. Doben lamun lun silan. Talvo, Nurvo o Dolvo kar?",
                "Dolvo",
            ),
        ],
    ),
]


@pytest.mark.parametrize(("item", "said"), SAMPLES, ids=[s[0][0] for _, s in SAMPLES])
def test_samples_written_by_hand(item: Item, said: list[tuple[str, str]]) -> None:
    assert [(asked(item, language), answer(item, language)) for language in LANGUAGES] == said


def test_a_translation_is_asked_in_one_language_and_answered_in_another() -> None:
    item = Translate(some("apple", "a", "red"), "fr")
    assert asked(item, "en") == "a red apple"
    assert asked(item, "es") == "una manzana roja"
    for language in LANGUAGES:
        assert answer(item, language) == "une pomme rouge"


COPIES: list[tuple[Copying, str]] = [
    ("repeat", "What is 3 plus 4?"),
    ("capitalise", "WHAT IS 3 PLUS 4?"),
    ("reverse", "4? plus 3 is What"),
    ("first", "What"),
    ("second", "is"),
    ("last", "4?"),
]


@pytest.mark.parametrize(("task", "wanted"), COPIES)
def test_each_way_of_copying(task: Copying, wanted: str) -> None:
    assert copy(task, "What is 3 plus 4?") == wanted


@given(st.lists(st.text("aé1?", min_size=1), min_size=2))
def test_copies_of_any_words(words: list[str]) -> None:
    text = " ".join(words)
    assert copy("repeat", text) == text
    assert copy("reverse", copy("reverse", text)) == text
    assert copy("first", copy("reverse", text)) == copy("last", text)
    assert [copy("first", text), copy("second", text)] == words[:2]


@pytest.mark.parametrize(("item", "said"), SAMPLES, ids=[s[0][0] for _, s in SAMPLES])
def test_the_phrases_of_an_item_make_up_what_is_asked(
    item: Item, said: list[tuple[str, str]]
) -> None:
    for language, (question, right) in zip(LANGUAGES, said, strict=True):
        rest = question
        for here, there in texts(item, "en", language):
            assert here in said[0][0] or here == said[0][1]
            assert there in question or there == right
            rest = rest.replace(there, "", 1)
        assert rest.strip() in ("", word("entail", language))


def test_answers_that_are_sentences_or_orders_are_phrases_too() -> None:
    reverse, classify = SAMPLES[1][0], SAMPLES[3][0]
    assert ("owl apple", "hibou pomme") in list(texts(reverse, "en", "fr"))
    assert ("A dog is an animal.", "Un perro es un animal.") in list(texts(classify, "en", "es"))
    colour = SAMPLES[5][0]
    assert ("My apples are red.", "Mes pommes sont rouges.") in list(texts(colour, "en", "fr"))
    yes = SAMPLES[8][0]
    assert ("yes", "oui") in list(texts(yes, "en", "fr"))


def test_parts_of_phrases_and_fixed_words_are_no_phrases() -> None:
    first, refused, entail = Copy("first", EATS), SAMPLES[6][0], SAMPLES[9][0]
    assert list(texts(first, "en", "fr")) == [("Anna eats an apple.", "Anna mange une pomme.")]
    assert [here for here, _ in texts(refused, "en", "fr")] == ["What colour are my apples?"]
    assert [here for here, _ in texts(entail, "en", "fr")] == [
        "Anna eats an apple.", "The cat is under the table."
    ]  # fmt: skip
