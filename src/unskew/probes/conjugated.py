"""Held-out conjugations: the same question in a guise that unlearning did not train on.

A model that only no longer *infers* the task may answer s(prompt) with s(answer), where s is a
conjugation (arXiv:2309.10105). What s refuses is left out for every model alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unskew.conjugation.base import Conjugation, NotAdmissible
from unskew.probes.documents import Document
from unskew.probes.models import Model, Score, scores, spoken
from unskew.statistics.intervals import Floats

__all__ = ["conjugated", "in_guise"]


def conjugated(model: Model, guise: Sequence[Document | None], how: Score = "exact") -> Floats:
    """How right the answers are, (n,) in [0, 1]; NaN where there is no document in that guise."""
    found = np.full(len(guise), np.nan)
    places = [i for i, document in enumerate(guise) if document is not None]
    if places:
        found[places] = scores(model, [d for d in guise if d is not None], how)
    return found


def in_guise(documents: Sequence[Document], s: Conjugation) -> list[Document | None]:
    """Each document under s, or None where s refuses its prompt or answer.

    Prompt and answer are transformed each by itself, the answer with the space that precedes it.
    """
    prompts = s.forward_all([document.prompt for document in documents])
    answers = s.forward_all([spoken(d.prompt, d.answer) for d in documents])
    found: list[Document | None] = []
    for document, prompt, answer in zip(documents, prompts, answers, strict=True):
        refused = isinstance(prompt, NotAdmissible) or isinstance(answer, NotAdmissible)
        found.append(None if refused else document._replace(prompt=str(prompt), answer=str(answer)))
    return found
