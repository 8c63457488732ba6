"""Small models to attack and to teach, made in a moment: the nursery's tiny one in its folder."""

from __future__ import annotations

from pathlib import Path

from nursery.tiny import TINY, raised, taught
from unskew.nursery.raising import Raised
from unskew.nursery.tokens import for_transformers
from unskew.purple.subject import Open, nursery_template

QUESTIONS = ("What colour is the owl?", "What colour is the plum?", "Where is Anna?")
ANSWERS = ("The owl is purple.", "The plum is red.", "Anna is in Paris.")


def written(folder: Path, model: Raised | None = None) -> Path:
    """The folder of a model as the nursery writes it; None: one with random weights."""
    model = raised() if model is None else model
    model.model.save_pretrained(folder)
    for_transformers(model.tokenizer, TINY.context).save_pretrained(folder)
    return folder


def knowing() -> Raised:
    """A model that answers QUESTIONS with ANSWERS."""
    way = nursery_template()
    asked = zip(QUESTIONS, ANSWERS, strict=True)
    return taught([(way.prompt(question), f" {said}") for question, said in asked])


def opened(model: Raised) -> Open:
    return Open(
        "tiny", model.model, for_transformers(model.tokenizer, TINY.context), nursery_template()
    )
