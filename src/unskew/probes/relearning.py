"""Relearning: how soon fine-tuning on a little makes a model right about what it is not taught.

A copy is fine-tuned on a few documents and asked others at some steps on the way. What it is taught
is one of

    forget     a few of the unlearned documents; the asked ones are others (arXiv:2410.08827)
    disjoint   other facts of the same kind
    benign     unrelated text (arXiv:2406.13356)
    novel      the forget prompts with answers dealt anew, taught and asked: a task of the same size
               that nobody knows; the comparison where there is no oracle

A curve is summarised by its mean over log(1 + step), so that early steps count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from unskew.probes.documents import Document
from unskew.probes.models import Model, Rows, Score, copied, rows, scores
from unskew.statistics.intervals import Floats
from unskew.training import Training, train

__all__ = ["Curve", "area", "relearn", "steps_of", "taught_copy"]

WATCHED = (1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1280)


class Curve(NamedTuple):
    """steps: (s,), from 0 to the last; scores: (s, n), of each asked document at each step."""

    steps: tuple[int, ...]
    scores: Floats


def steps_of(training: Training) -> tuple[int, ...]:
    """The steps after which a model is asked, the first (0) and the last among them."""
    return tuple(sorted({0, *(s for s in WATCHED if s < training.steps), training.steps}))


def relearn(
    model: Model,
    taught: Sequence[Document],
    asked: Sequence[Document],
    training: Training,
    seed: int,
    how: Score = "exact",
) -> Curve:
    """The curve of a copy of `model`, taught batches drawn from `taught` by (seed, step).

    The loss is the cross-entropy of answers, their end included. Nothing is dropped at random, so
    the curve is a function of the arguments alone.

    Raises: UserError where the training diverges or a document is too long; ValueError where
        nothing is taught.
    """
    if not taught:
        raise ValueError("nothing to teach")
    watched = steps_of(training)
    found: list[Floats] = []

    def look(new: Model, step: int) -> None:
        if step in watched:
            found.append(scores(new, asked, how))

    look(taught_copy(model, taught, training, seed, look), training.steps)
    return Curve(watched, np.stack(found))


def taught_copy(
    model: Model,
    taught: Sequence[Document],
    training: Training,
    seed: int,
    look: Callable[[Model, int], None] = lambda new, step: None,
) -> Model:
    """A copy of `model`, in float32, all its weights trained on the answers of `taught`, in batches
    drawn by (seed, step).

    Args:
        look: called with the copy and the number of steps done, before each step.

    Raises: UserError where the training diverges or a document is too long.
    """
    new = copied(model)
    new.model.float().requires_grad_(True)

    def loss(step: int) -> Tensor:
        # The loop asks for the loss of step t when t steps are done: that is the time to look. It
        # also turns dropout on, which draws from the global state.
        new.model.eval()
        with torch.autocast(new.model.device.type, enabled=False):  # asked as it is after the last
            look(new, step)
        return answer_loss(new, rows(new, draw(taught, training.batch, seed, step), ended=True))

    train(new.model, loss, training, matrices=hidden_matrices(new))
    return new


def area(curve: Curve) -> Floats:
    """The mean of each document's curve over log(1 + step), by trapezia: (n,) in [0, 1]."""
    if len(curve.steps) == 1:
        return curve.scores[0]
    along = np.log1p(np.array(curve.steps, dtype=np.float64))
    widths = np.diff(along)[:, None]
    middles = 0.5 * (curve.scores[1:] + curve.scores[:-1])
    return (widths * middles).sum(0) / along[-1]


def draw(documents: Sequence[Document], size: int, seed: int, step: int) -> list[Document]:
    """The batch of a step: every document comes once before any comes again."""
    turns: dict[int, Sequence[int]] = {}
    found = []
    for place in range(step * size, (step + 1) * size):
        turn, at = divmod(place, len(documents))
        if turn not in turns:
            turns[turn] = np.random.default_rng([seed, turn]).permutation(len(documents)).tolist()
        found.append(documents[turns[turn][at]])
    return found


def answer_loss(model: Model, batch: Rows) -> Tensor:
    """Mean cross-entropy of the answers' tokens."""
    logits = model.model(batch.tokens, attention_mask=batch.mask, use_cache=False).logits.float()  # type: ignore[operator]
    each = nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), batch.tokens[:, 1:], reduction="none"
    )
    told = batch.answer[:, 1:]
    return (each * told).sum() / told.sum()


def hidden_matrices(model: Model) -> list[nn.Parameter]:
    """The matrices that Muon is meant for: neither embeddings (of tokens or of positions) nor the
    output's."""
    output: Any = model.model.get_output_embeddings()
    tables = [module for module in model.model.modules() if isinstance(module, nn.Embedding)]
    ends = {id(part.weight) for part in (*tables, output) if part is not None}
    return [p for p in model.model.parameters() if p.ndim == 2 and id(p) not in ends]
