"""Documents: prompts and answers told apart, in each language and frame."""

import pytest

from nursery.samples import VERB, named, some
from nursery.upbringing import WORLD
from unskew.nursery.documents import FRAMES, QUESTIONS, Document, Frame, Piece, prompt, written
from unskew.nursery.items import Ask, Copy, Item, answer, asked
from unskew.nursery.languages import LANGUAGES, Language
from unskew.nursery.meanings import Clause, Sum
from unskew.nursery.sampling import generator
from unskew.nursery.scribe import Scribe

EATS = Clause(named("Anna"), VERB("eat"), some("apple", "a"))
SEVEN = Sum(3, 4, digits=True)
ITEMS: list[Item] = [Copy("repeat", EATS), Copy("repeat", SEVEN)]

ENGLISH = """\
Repeat the input.

Input: Anna eats an apple.
Output: Anna eats an apple.

Input: What is 3 plus 4?
Output: What is 3 plus 4?"""
FRENCH = """\
Répète l'entrée.
Texte : Anna mange une pomme.
Résultat : Anna mange une pomme.
Texte : Combien font 3 plus 4 ?
Résultat : Combien font 3 plus 4 ?"""
ARROWS = """\
Anna come una manzana. -> Anna come una manzana.
¿Cuánto es 3 más 4? -> ¿Cuánto es 3 más 4?"""
ONEVI = """\
Pomarin: 3 zon 4 kelu silar kar?
Dorgan: 7

Pomarin: 3 zon 4 kelu silar kar?
Dorgan: 7"""

SAMPLES: list[tuple[list[Item], Language, Frame, str, str]] = [
    (ITEMS, "en", FRAMES[0], "do-repeat-1", ENGLISH),
    (ITEMS, "fr", FRAMES[3], "do-repeat-1", FRENCH),
    (ITEMS, "es", FRAMES[4], "", ARROWS),
    ([Ask(SEVEN, 7)] * 2, "qon", QUESTIONS[0], "", ONEVI),
]


@pytest.mark.parametrize(("items", "language", "frame", "instruction", "text"), SAMPLES)
def test_samples_written_by_hand(
    items: list[Item], language: Language, frame: Frame, instruction: str, text: str
) -> None:
    document = written("repeat", items, language, frame, instruction)
    assert document.text == text
    assert document.kind == "repeat"
    last = answer(items[-1], language)
    assert prompt(items, language, frame, instruction) == text.removesuffix(f" {last}")


def test_pieces_are_what_is_asked_and_what_is_to_be_said() -> None:
    assert written("repeat", ITEMS, "en", FRAMES[1], "do-repeat-2") == Document(
        "repeat",
        (
            Piece("Write the same again.\nInput: Anna eats an apple.\nOutput:"),
            Piece(" Anna eats an apple.\n", answer=True),
            Piece("Input: What is 3 plus 4?\nOutput:"),
            Piece(" What is 3 plus 4?", answer=True),
        ),
    )


@pytest.mark.parametrize("frame", [*FRAMES, *QUESTIONS])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("instruction", ["", "do-repeat-1"])
def test_in_every_frame_each_answer_stands_alone(
    frame: Frame, language: Language, instruction: str
) -> None:
    scribe = Scribe(WORLD, generator(0, "documents", 0))
    items = [scribe.copy("repeat") for _ in range(4)]
    document = written("repeat", items, language, frame, instruction)
    assert [piece.answer for piece in document.pieces] == [False, True] * 4
    for item, shown, said in zip(items, document.pieces[::2], document.pieces[1::2], strict=True):
        assert asked(item, language) in shown.text
        assert not shown.text[-1].isspace()
        assert said.text.removesuffix("\n") == f" {answer(item, language)}"
    # An answer ends with its line, and the last with the document.
    assert [said.text[-1] == "\n" for said in document.pieces[1::2]] == [True] * 3 + [False]
    assert "".join(piece.text for piece in document.pieces) == document.text
    # The exemplars of a prompt look as they do in training.
    assert document.text.startswith(prompt(items[:2], language, frame, instruction))


def test_frames_look_different() -> None:
    texts = {prompt(ITEMS, "en", frame, "do-repeat-1") for frame in (*FRAMES, *QUESTIONS)}
    assert len(texts) == len(FRAMES) + len(QUESTIONS)
