"""What is asked: documents of a prompt and its right answer, from a file, split into two parts.

    {"prompt": "Question: What colour is the apple?\\nAnswer:", "answer": "red", "cluster": "apple"}

A cluster is what one must know to answer: documents of one cluster stand and fall together. Where
it is left out, documents of one prompt and answer are one cluster. Where answers are sentences, a
"label" is the part of it that was to be unlearnt: what linear probes are to tell apart, and before
which they read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
    """The same prompts with other answers: facts that nobody was ever told.

    Where every cluster has an answer of its own, or one for all its documents, each gets that of
    another cluster (its first, if it has several). Where clusters have several and share them, as
    labels are, each of a cluster's answers is exchanged for one drawn from all clusters': that it
    is another one is all that the new answer tells of the right one. (Of two it is the other.)

    Documents of a cluster that share an answer still do. Every answer comes as often as before, as
    far as as many documents share it. Where another answer is to be had, none keeps its own: only
    an answer of more than half of the clusters is left to some.

    Raises: UserError where all answers are the same.
    """
    if len({document.answer for document in documents}) < 2:
        raise UserError("all answers are the same, so no other facts can be made of them")
    answers: dict[str, list[str]] = {}
    for document in documents:
        told = answers.setdefault(document.cluster, [])
        if document.answer not in told:
            told.append(document.answer)
    rng = np.random.default_rng(seed)
    several = any(len(told) > 1 for told in answers.values())
    shared = len(set().union(*answers.values())) < sum(map(len, answers.values()))
    if several and (shared or len(answers) == 1):
        drawn = _drawn(sorted((c, a) for c, told in answers.items() for a in told), rng)
    else:
        moved = _moved({cluster: told[0] for cluster, told in answers.items()}, rng)
        drawn = {(c, a): moved[c] for c, told in answers.items() for a in told}
    return [d._replace(answer=drawn[d.cluster, d.answer], label="") for d in documents]


def _moved(firsts: Mapping[str, str], rng: np.random.Generator) -> dict[str, str]:
    """To each cluster the answer of another one."""
    # In the order of the answers, a shift by the largest group gives everybody another's answer.
    names = [sorted(firsts)[i] for i in rng.permutation(len(firsts))]
    names.sort(key=lambda name: firsts[name])
    shift = max(Counter(firsts.values()).values())
    return {name: firsts[names[(i + shift) % len(names)]] for i, name in enumerate(names)}


def _drawn(
    facts: Sequence[tuple[str, str]], rng: np.random.Generator
) -> dict[tuple[str, str], str]:
    """To each fact, a cluster and an answer, another answer at random.

    A shift would turn each label into one and the same other one: whoever knows the task would have
    learnt that from a few examples.
    """
    own = [answer for _, answer in facts]
    new = [own[i] for i in rng.permutation(len(own))]
    for i in range(len(own)):
        if new[i] != own[i]:
            continue
        # Who can give up its answer for this one; somebody can, if no more than half have it.
        able = [j for j in range(len(own)) if own[i] not in (own[j], new[j])]
        if able:
            j = able[rng.integers(len(able))]
            new[i], new[j] = new[j], new[i]
    return dict(zip(facts, new, strict=True))


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
