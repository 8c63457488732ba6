"""The fixed words of the documents: labels, instructions and label words, in each language.

A row of data/wording.jsonl is one phrase in all languages, so prompts made of them are parallel
too. The instructions of a task are numbered: `do-repeat-1`, `do-repeat-2`.

Question, answer and the three labels of entailment are put as audit/tasks/nli.py puts them, which
follows a published prompt: "Vrai, Faux ou Ni?" is what was asked there, and no slip of this list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from unskew.nursery.languages import Language

__all__ = ["INSTRUCTIONS", "rows", "word"]

INSTRUCTIONS = 2
"""Ways in which each instruction is put."""


def word(name: str, language: Language) -> str:
    """The phrase of that id. Raises KeyError if there is none."""
    return _table()[name][language]


def rows() -> tuple[Mapping[str, str], ...]:
    """Every phrase: its id and a text per language."""
    return tuple(_table().values())


@cache
def _table() -> dict[str, dict[str, str]]:
    text = files("unskew.nursery").joinpath("data", "wording.jsonl").read_text("utf-8")
    return {row["id"]: row for row in map(json.loads, text.splitlines())}
