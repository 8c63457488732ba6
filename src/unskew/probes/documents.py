"""What is asked: documents of a prompt and its right answer, from a file, split into two parts.

    {"prompt": "Question: What colour is the apple?\\nAnswer:", "answer": "red", "cluster": "apple"}

A cluster is what one must know to answer: documents of one cluster stand and fall together. Where
it is left out, documents of one prompt and answer are one cluster. Where answers are sentences, a
"label" is the part of it that was to be unlearnt: what linear probes are to tell apart, and before
which they read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unskew.errors import UserError
from unskew.runs.lines import objects

__all__ = ["Document", "Parts", "dealt_anew", "parts", "read"]

FORM = (
    'one object a line: {"prompt": "...", "answer": "..."}, '
    '"cluster" if documents belong together, "label" if answers are sentences'
)


class Document(NamedTuple):
    """A prompt, its right answer, the cluster that it belongs to, and the class of its answer;
    empty: the answer itself."""

    prompt: str
    answer: str
    cluster: str
    label: str = ""

    @property
    def kind(self) -> str:
        """The class of its answer."""
        return self.label or self.answer


class Parts(NamedTuple):
    """taught: what relearning may show; asked: what every probe asks. No cluster is in both."""

    taught: list[Document]
    asked: list[Document]


def read(path: Path) -> list[Document]:
    """The documents of a JSONL file, in order.

    Raises: UserError with file and line: not there, not JSON, a key missing, empty or unknown.
    """
    found = [_document(row, where) for _, where, row in objects(path, FORM)]
    if not found:
        raise UserError("no document in this file", str(path), FORM)
    return found


def parts(documents: Sequence[Document], share: float, seed: int) -> Parts:
    """Split by clusters at random: about `share` of them are taught, the others asked.

    Raises: UserError where there are fewer than two clusters.
    """
    names = sorted({document.cluster for document in documents})
    if len(names) < 2:
        raise UserError(
            "one cluster of documents cannot be split into what is taught and what is asked",
            hint="give documents about several things",
        )
    order = np.random.default_rng(seed).permutation(len(names))
    size = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[i] for i in order[:size]}
    return Parts(
        [document for document in documents if document.cluster in chosen],
        [document for document in documents if document.cluster not in chosen],
    )


def dealt_anew(documents: Sequence[Document], seed: int) -> list[Document]:
    """The same prompts, each with the answer of another cluster: facts that nobody was ever told.

    Every answer comes as often as before, as far as clusters are of one size. Documents of a
    cluster that share an answer still do. Where another answer is to be had, none keeps its own.

    Raises: UserError where all answers are the same.
    """
    answers: dict[str, list[str]] = {}
    for document in documents:
        answers.setdefault(document.cluster, []).append(document.answer)
    firsts = {cluster: said[0] for cluster, said in answers.items()}
    if len(set(firsts.values())) < 2:
        raise UserError("all answers are the same, so no other facts can be made of them")
    # In the order of the answers, a shift by the largest group gives everybody another's answer.
    rng = np.random.default_rng(seed)
    names = [sorted(firsts)[i] for i in rng.permutation(len(firsts))]
    names.sort(key=lambda name: firsts[name])
    sizes = [list(firsts.values()).count(answer) for answer in set(firsts.values())]
    shift = max(sizes)
    moved = {name: firsts[names[(i + shift) % len(names)]] for i, name in enumerate(names)}
    return [document._replace(answer=moved[document.cluster], label="") for document in documents]


def _document(row: dict[str, Any], where: str) -> Document:
    if unknown := sorted(set(row) - {"prompt", "answer", "cluster", "label"}):
        raise UserError(f"unknown key {unknown[0]!r}", where, FORM)
    for key in ("prompt", "answer"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UserError(f"{key!r} is missing, empty or no text", where, FORM)
    cluster = row.get("cluster", f"{row['prompt']}\n{row['answer']}")
    if not isinstance(cluster, str):
        raise UserError("'cluster' is no text", where, FORM)
    label = row.get("label", "")
    if not isinstance(label, str):
        raise UserError("'label' is no text", where, FORM)
    return Document(row["prompt"], row["answer"], cluster, label)
