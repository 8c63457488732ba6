"""Losses on answers: supervised fine-tuning and direct preference optimisation.

    SFT   -mean log p(token), over the tokens of the chosen answers
    DPO   -log sigmoid(beta * m),  m = [log p(chosen) - log p(rejected)]
                                     - [log q(chosen) - log q(rejected)]

p is the model, q the one that it started from; the log-probability of an answer is the sum over its
tokens given the question, whose own tokens do not count (Rafailov et al. 2023, equation 7). All is
computed from logits in float32 at least, and never leaves the log domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Answered", "Likelihood", "Preference", "answered", "dpo", "likelihood", "sft"]


class Answered(NamedTuple):
    """Questions with their answers, padded on the right.

    Attributes:
        tokens: (rows, length).
        mask: (rows, length), 1 where there is a token.
        said: (rows, length), whether a token is part of the answer.
    """

    tokens: Tensor
    mask: Tensor
    said: Tensor


class Likelihood(NamedTuple):
    """Of answers, given their questions. logprobs: (rows,), nats, summed over tokens; tokens:
    (rows,), how many."""

    logprobs: Tensor
    tokens: Tensor


class Preference(NamedTuple):
    """loss: a scalar. margins: (rows,), m above, nats; a positive one prefers the chosen answer
    more than the reference does."""

    loss: Tensor
    margins: Tensor


def answered(rows: Sequence[tuple[Sequence[int], Sequence[int]]], pad: int) -> Answered:
    """Token ids of questions and of answers, as a batch.

    Raises: ValueError for a question or an answer without tokens.
    """
    if not rows or any(not question or not answer for question, answer in rows):
        raise ValueError("a question and an answer have one token each at least")
    shape = (len(rows), max(len(question) + len(answer) for question, answer in rows))
    tokens = torch.full(shape, pad)
    mask, said = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool)
    for i, (question, answer) in enumerate(rows):
        size = len(question) + len(answer)
        tokens[i, :size] = torch.tensor([*question, *answer])
        mask[i, :size] = 1
        said[i, len(question) : size] = True
    return Answered(tokens, mask, said)


def likelihood(model: nn.Module, batch: Answered) -> Likelihood:
    """Log-probabilities of the answers under a causal language model of transformers."""
    logits = model(input_ids=batch.tokens, attention_mask=batch.mask, use_cache=False).logits
    return of_logits(logits[:, :-1], batch.tokens[:, 1:], batch.said[:, 1:])


def of_logits(logits: Tensor, tokens: Tensor, said: Tensor) -> Likelihood:
    """As `likelihood`: logits (rows, length, vocabulary), each for the token at its place."""
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    each = -functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return Likelihood(each.masked_fill(~said, 0.0).sum(1), said.sum(1))


def sft(chosen: Likelihood) -> Tensor:
    """Mean negative log-likelihood per token of all answers together."""
    return -chosen.logprobs.sum() / chosen.tokens.sum()


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
) -> Preference:
    """From the log-probabilities of answers (rows,) under the model and under the reference."""
    margins = (chosen - rejected) - (reference_chosen - reference_rejected)
    return Preference(-functional.logsigmoid(beta * margins).mean(), margins.detach())
