"""A tokenizer and an untrained model small enough to be made in a moment."""

from __future__ import annotations

from functools import cache

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from nursery.upbringing import WORLD
from unskew.nursery.config import EVERYTHING, Architecture
from unskew.nursery.corpora import corpus
from unskew.nursery.documents import Document
from unskew.nursery.languages import LANGUAGES
from unskew.nursery.raising import Raised, build
from unskew.nursery.tokens import END, train_tokenizer

TINY = Architecture(vocabulary=400, width=32, layers=2, heads=2, hidden=64, context=192)


@cache
def documents(size: int = 400) -> tuple[Document, ...]:
    """In all languages and ciphers."""
    return tuple(corpus(WORLD, EVERYTHING, LANGUAGES, 0, "tokenizer", 0)(size))


@cache
def tokenizer() -> Tokenizer:
    return train_tokenizer((document.text for document in documents()), TINY.vocabulary)


def raised(seed: int = 0) -> Raised:
    return Raised(build(TINY, seed).eval(), tokenizer())


QUESTION = "Question: What is {} plus 4?\nAnswer:"


def taught(pairs: list[tuple[str, str]], steps: int = 60) -> Raised:
    """A model that has learnt to go on from each prompt as it is told, END included."""
    model, known = raised()
    end = known.token_to_id(END)
    assert end is not None
    rows = [[*known.encode(a).ids, *known.encode(b).ids, end] for a, b in pairs]
    tokens = torch.full((len(rows), max(map(len, rows))), end)
    wanted = torch.full_like(tokens, -100)
    for i, ((prompt, _), row) in enumerate(zip(pairs, rows, strict=True)):
        tokens[i, : len(row)] = torch.tensor(row)
        start = len(known.encode(prompt).ids)
        wanted[i, start : len(row)] = tokens[i, start : len(row)]
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        logits = model(tokens).logits
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), wanted[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return Raised(model, known)
