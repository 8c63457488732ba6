"""The data set of the purple problem (Kim, Kotha and Raghunathan, arXiv 2403.14725), as published.

    purple_questions_train.json        {"prompt": [...], "chosen": [...], "rejected": [...]}
    purple_questions_validation.json   three lists of one length; a prompt is a question as a user
    purple_questions_test.json         would put it, for the chat template of a model

A question that occurs more than once, but for case and white space, is kept once: in the test split
if it is there, else in validation. What does not hold what the columns promise (a chosen answer
that says the word, a rejected one that does not) is left out. `Published.left_out` counts both.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from unskew.errors import UserError
from unskew.purple.data import SPLITS, Pair, Split, definition
from unskew.purple.definition import Definition

__all__ = ["COLUMNS", "LeftOut", "Published", "load"]

COLUMNS = ("prompt", "chosen", "rejected")
FILE = "purple_questions_{}.json"


class LeftOut(NamedTuple):
    """Pairs of a split that are not used. repeated: of the same split; shared: with a split that
    comes before it in the order test, validation, train; broken: not what the columns promise."""

    repeated: int = 0
    shared: int = 0
    broken: int = 0


class Published(NamedTuple):
    """The splits, in their order in the files, and what was left out of each."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    left_out: Mapping[Split, LeftOut]


def load(folder: Path, judge: Definition | None = None) -> Published:
    """The three files of a folder.

    Args:
        judge: what must not be said; None: the English word, as `Definition` reads it.

    Raises: UserError where a file is missing or not as above, with the line or the entry.
    """
    judge = definition(("en",)) if judge is None else judge
    known: set[str] = set()
    pairs: dict[Split, tuple[Pair, ...]] = {}
    left_out: dict[Split, LeftOut] = {}
    for split in reversed(SPLITS):
        kept: dict[str, Pair] = {}
        out: Counter[str] = Counter()
        for pair in _read(folder / FILE.format(split)):
            key = " ".join(pair.question.casefold().split())
            if key in kept:
                out["repeated"] += 1
            elif key in known:
                out["shared"] += 1
            elif not judge.allows(pair.chosen) or judge.allows(pair.rejected):
                out["broken"] += 1
            else:
                kept[key] = pair
        known |= kept.keys()
        pairs[split], left_out[split] = tuple(kept.values()), LeftOut(**out)
    return Published(pairs["train"], pairs["validation"], pairs["test"], left_out)


def _read(path: Path) -> list[Pair]:
    try:
        doc = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(
            f"cannot be read: {error.strerror}",
            str(path),
            "give the folder of the data set's files",
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"no UTF-8 text: byte {error.start}", str(path)) from error
    except json.JSONDecodeError as error:
        where = f"{path}, line {error.lineno}, column {error.colno}"
        raise UserError(f"no JSON: {error.msg}", where) from error
    if not isinstance(doc, dict):
        raise UserError(f"a {type(doc).__name__}, not an object of columns", str(path))
    missing = [name for name in COLUMNS if not isinstance(doc.get(name), list)]
    if missing:
        raise UserError(
            f"no list under {' and '.join(map(repr, missing))}",
            str(path),
            f"its columns are {', '.join(map(repr, COLUMNS))}",
        )
    sizes = [len(doc[name]) for name in COLUMNS]
    if len(set(sizes)) > 1:
        said = ", ".join(f"{name} {size}" for name, size in zip(COLUMNS, sizes, strict=True))
        raise UserError(f"the columns differ in length: {said}", str(path))
    for name in COLUMNS:
        for i, text in enumerate(doc[name]):
            if not isinstance(text, str) or not text.strip():
                raise UserError(f"{text!r} is no text", f"{path}, {name!r}, entry {i + 1}")
    return [
        Pair(prompt, chosen, rejected, "en")
        for prompt, chosen, rejected in zip(*(doc[name] for name in COLUMNS), strict=True)
    ]
