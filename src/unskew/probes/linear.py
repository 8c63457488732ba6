"""Linear probes: whether the answer's class can be read off a layer at the token before it.

Where the answer is its class that is the last token of the prompt; where it is a sentence, the
token before the label (`models.hidden`), with the sentence's beginning given. A model that is asked
for "The bee is golden." knows at the question's end no more than that it will say "The".

Ridge regression onto the classes, in its dual form, as there are fewer documents than dimensions:

    predicted = K(test, train) (K + lambda I)^-1 (Y - mean Y) + mean Y,    K = X X' / width,

X standardised by the training folds, so that lambda = 1 is K's own mean diagonal, Y one column per
answer; the largest column is the class.
Folds are whole clusters. The control is the same with the answers dealt among the clusters at
random: what it finds is what chance and the method find.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unskew.probes.documents import Document
from unskew.probes.models import Model, hidden
from unskew.statistics.intervals import Floats

__all__ = ["Layers", "decoded", "linear", "why_not"]

FOLDS, SHUFFLES, RIDGE = 5, 10, 1.0


class Layers(NamedTuple):
    """scores, control: (layers + 1, n) in [0, 1], right predictions of each document's answer; the
    control is a mean over shuffles."""

    scores: Floats
    control: Floats


def why_not(documents: Sequence[Document]) -> str | None:
    """Why a linear probe cannot be asked here; None: it can."""
    clusters: dict[str, set[str]] = {}
    for document in documents:
        clusters.setdefault(document.kind, set()).add(document.cluster)
    repeated = [answer for answer, names in clusters.items() if len(names) >= 2]
    if len(repeated) < 2:
        return "fewer than two answers come in two clusters or more: there are no classes to tell"
    if len({document.cluster for document in documents}) < FOLDS:
        return f"fewer than {FOLDS} clusters"
    return None


def linear(model: Model, documents: Sequence[Document], seed: int) -> Layers:
    """What each layer tells of the answers, and of shuffled ones.

    Raises: ValueError where `why_not` says something.
    """
    if (why := why_not(documents)) is not None:
        raise ValueError(why)
    labels = [document.kind for document in documents]
    clusters = [document.cluster for document in documents]
    dealt = [_shuffled(labels, clusters, seed, i) for i in range(SHUFFLES)]
    right, chance = [], []
    for states in hidden(model, documents):
        right.append(decoded(states, labels, clusters, seed))
        chance.append(np.mean([decoded(states, one, clusters, seed) for one in dealt], axis=0))
    return Layers(np.stack(right), np.stack(chance))


def decoded(
    states: Floats,
    labels: Sequence[str],
    clusters: Sequence[str],
    seed: int,
    ridge: float = RIDGE,
    folds: int = FOLDS,
) -> Floats:
    """Whether each label is predicted from the other folds: (n,) of 0 and 1.

    Args:
        states: (n, width).
    """
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    fold = _folds(clusters, folds, seed)
    right = np.zeros(len(labels))
    for held in range(folds):
        test, train = fold == held, fold != held
        if not test.any() or not train.any():
            continue
        mean, deviation = states[train].mean(0), states[train].std(0)
        x = (states - mean) / np.where(deviation > 1e-9 * (1 + abs(mean)), deviation, np.inf)
        wanted = np.eye(len(names))[classes[train]]
        share = wanted.mean(0)
        kernel = x[train] @ x[train].T / x.shape[1]
        weights = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), wanted - share)
        said = x[test] @ x[train].T / x.shape[1] @ weights + share
        right[test] = said.argmax(1) == classes[test]
    return right


def _folds(clusters: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return (order % folds)[codes]


def _shuffled(labels: Sequence[str], clusters: Sequence[str], seed: int, draw: int) -> list[str]:
    """The labels dealt among the clusters at random; what shares one in a cluster still does."""
    told = list(zip(clusters, labels, strict=True))
    facts = sorted(set(told))
    order = np.random.default_rng([seed, draw]).permutation(len(facts))
    dealt = {fact: facts[i][1] for fact, i in zip(facts, order, strict=True)}
    return [dealt[fact] for fact in told]
