"""The plain question: what a model answers when nothing is done to it or to the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from unskew.probes.documents import Document
from unskew.probes.models import Model, Score, scores
from unskew.statistics.intervals import Floats

__all__ = ["direct"]


def direct(model: Model, documents: Sequence[Document], how: Score = "exact") -> Floats:
    """How right the answers are, (n,) in [0, 1]."""
    return scores(model, documents, how)
