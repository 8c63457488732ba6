"""Documents: items in a language and a frame, with what a model is to say itself marked.

    Repeat the input.

    Input: Anna eats an apple.
    Output: Anna eats an apple.          <- answer

    Input: What is 3 plus 4?
    Output: What is 3 plus 4?            <- answer

A frame is the labels of inputs and outputs and what stands between two pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from unskew.nursery.items import Item, answer, asked
from unskew.nursery.languages import Language
from unskew.nursery.wording import word

__all__ = ["FRAMES", "QUESTIONS", "Document", "Frame", "Piece", "prompt", "written"]


class Piece(NamedTuple):
    """A stretch of a document. answer: what a model is to say itself; it begins with a space."""

    text: str
    answer: bool = False


class Document(NamedTuple):
    """kind: what is shown in it."""

    kind: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


class Frame(NamedTuple):
    """labels: ids in wording.jsonl; None: an arrow. gap: between two pairs."""

    labels: tuple[str, str] | None = ("input", "output")
    gap: str = "\n\n"

    def asked(self, text: str, language: Language) -> str:
        """An input, up to where the output begins."""
        if self.labels is None:
            return f"{text} ->"
        before, after = (word(label, language) for label in self.labels)
        return f"{before} {text}\n{after}"


FRAMES = (
    Frame(), Frame(gap="\n"), Frame(("text", "result")), Frame(("text", "result"), "\n"),
    Frame(None, "\n"),
)  # fmt: skip
QUESTIONS = (Frame(("question", "answer")), Frame(("question", "answer"), "\n"))


def written(
    kind: str, items: Sequence[Item], language: Language, frame: Frame, instruction: str = ""
) -> Document:
    """Items one after the other, each output an answer.

    Args:
        instruction: the id of an instruction before them.
    """
    head = f"{word(instruction, language)}{frame.gap}" if instruction else ""
    pieces: list[Piece] = []
    for i, item in enumerate(items):
        pieces.append(Piece(head + frame.asked(asked(item, language), language)))
        end = "" if i == len(items) - 1 else "\n"
        pieces.append(Piece(f" {answer(item, language)}{end}", answer=True))
        head = frame.gap[1:]
    return Document(kind, tuple(pieces))


def prompt(items: Sequence[Item], language: Language, frame: Frame, instruction: str = "") -> str:
    """The same up to the last answer: what a model is asked."""
    document = written("prompt", items, language, frame, instruction)
    return "".join(piece.text for piece in document.pieces[:-1])
