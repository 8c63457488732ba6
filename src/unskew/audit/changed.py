"""A model with other weights, asked as the first one is: rounded, or taught a few examples.

The harness's own object is copied around the new weights, so that prompts, tokens and stop strings
are read exactly as before. Needs a model that transformers opened (an HFLM of the harness).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import ceil
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch

from unskew.audit.config import Probes
from unskew.audit.engine import Harnessed
from unskew.errors import UserError
from unskew.probes import rounding
from unskew.probes.documents import Document
from unskew.probes.models import Model, scores
from unskew.probes.relearning import taught_copy
from unskew.training import Adam, Training

WARMUP = 2
LARGE, LARGE_LR, HIGHEST_LR = 7e9, 2e-5, 2e-3


class Relearnt(NamedTuple):
    """learnt: the share of what it was shown that it then answers right, greedily."""

    model: Harnessed
    learnt: float


def rounded(model: Harnessed, bits: int) -> Harnessed:
    """Its linear maps rounded to so many bits, but for the output's; see `unskew.probes`."""
    return _around(model, rounding.rounded(opened(model), bits).model)


def relearnt(model: Harnessed, examples: Sequence[Document], how: Probes, seed: int) -> Relearnt:
    """A copy after fine-tuning, in float32, of all its weights on the answers of `examples`.

    Raises: UserError where the training diverges.
    """
    source = opened(model)
    net: Any = source.model
    batch = min(how.batch, len(examples))
    training = Training(
        steps=ceil(how.epochs * len(examples) / batch), batch=batch, warmup=WARMUP, decay=0.0,
        optimiser=Adam(lr=how.lr or learning_rate(sum(p.numel() for p in net.parameters()))),
    )  # fmt: skip
    new = taught_copy(source, examples, training, seed)
    return Relearnt(_around(model, new.model), float(scores(new, examples).mean()))


def learning_rate(weights: int) -> float:
    """The learning rate of a model of so many weights, where none is given; see `Probes`."""
    return min(HIGHEST_LR, LARGE_LR * (LARGE / weights) ** 0.5)


def opened(model: Harnessed) -> Model:
    """The network and its tokenizer as the harness reads with it. An adapter is merged into a copy.

    Raises: UserError for what is no causal language model of transformers.
    """
    lm: Any = model.lm
    net = getattr(lm, "model", None)
    if getattr(lm, "backend", None) != "causal" or not isinstance(net, torch.nn.Module):
        raise UserError(
            "probes are for causal language models that transformers opens",
            where=type(lm).__name__,
            hint="leave --probes out",
        )
    merge = getattr(net, "merge_and_unload", None)
    if callable(merge):
        net = copy.deepcopy(net).merge_and_unload()  # type: ignore[operator]
    tokenizer: Any = _Reading(lm)
    return Model("the model", net, tokenizer)  # type: ignore[arg-type]


class _Reading:
    """The tokenizer as the harness uses it: no second start token where a template wrote one."""

    def __init__(self, lm: Any) -> None:
        self.lm, self.eos_token_id = lm, lm.eot_token_id

    def __call__(self, texts: str | list[str], **how: Any) -> SimpleNamespace:
        if isinstance(texts, str):
            return SimpleNamespace(input_ids=self.lm.tok_encode(texts, **how))
        return SimpleNamespace(input_ids=[self.lm.tok_encode(text, **how) for text in texts])


def _around(model: Harnessed, net: Any) -> Harnessed:
    lm: Any = copy.copy(model.lm)
    # What `Harnessed` put there watches the first one.
    lm.__dict__.pop("_model_generate", None)
    lm._model = net.eval()
    return Harnessed(lm, model.record)
