"""From documents to tokens: a tokenizer trained on the world, and rows of whole documents.

Byte-level BPE, so any UTF-8 text can be written, ciphers included. Words are merged in lower case
only: a capital and a digit stand alone, so a word and its capitalised form share their pieces, and
a number is read digit by digit. One token, END, ends every document and pads every batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from unskew.errors import UserError
from unskew.nursery.documents import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

END = "<|end|>"
SHORTEST = 4
"""An answer of fewer tokens weighs as much as one of so many: a label is as good as a phrase."""

# A capital; other letters, with a colon or question mark after them; a digit; signs: each with the
# space before it, if any. White space. So the end of a label, and of many a question, is a token of
# its language: a sign that all languages shared would tie their habits together. Some do so still:
# "Question:" is English and French, the arrow of a frame without labels is of all languages, and a
# question mark after a digit or a rare word stands alone, the same in English and Spanish.
_PARTS = r" ?\p{Lu}| ?[^\s\p{Lu}\p{N}\p{P}\p{S}]+[:?]?| ?\p{N}| ?[\p{P}\p{S}]|\s"
_MISSES = 8  # documents that no row has room for, before a batch counts as full
_TOO_LONG = 1000  # documents that are longer than a row, before it is given up


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE of that many tokens, END among them. The same texts give the same one."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PARTS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def for_transformers(tokenizer: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers loads it; it pads on the left, as `generate` wants."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


class Batch(NamedTuple):
    """tokens (rows, length + 1); weights (rows, length): of predicting tokens[:, 1:]."""

    tokens: Tensor
    weights: Tensor


def batch(
    tokenizer: Tokenizer,
    draw: Callable[[int], list[Document]],
    rows: int,
    length: int,
    side: float,
) -> Batch:
    """Whole documents, each put into the first row that has room for it; none is cut.

    A document that is longer than a row is left out. A row's unused end is END with weight 0.

    Args:
        draw: so many further documents, in order.
        side: the weight of tokens that are no answers. An answer's weigh 1, those of a short one
            more (see SHORTEST).

    Raises: UserError where rows are so short that hardly a document fits.
    """
    import torch

    tokens = torch.zeros(rows, length + 1, dtype=torch.long)
    weights = torch.zeros(rows, length + 1)
    used = [0] * rows
    misses = long = 0
    while misses < _MISSES:
        documents = draw(max(8, (rows * length - sum(used)) // 120))
        for ids, told in _encoded(tokenizer, documents, side):
            if len(ids) > length + 1:
                long += 1
                continue
            row = next((r for r in range(rows) if used[r] + len(ids) <= length + 1), None)
            if row is None:
                misses += 1
                continue
            place = slice(used[row], used[row] + len(ids))
            tokens[row, place] = torch.tensor(ids)
            weights[row, place] = torch.tensor(told)
            used[row] += len(ids)
        if long > _TOO_LONG:
            raise UserError(
                f"rows of {length} tokens are too short for the documents", hint="raise rows.length"
            )
    return Batch(tokens, weights[:, 1:].contiguous())


def _encoded(
    tokenizer: Tokenizer, documents: list[Document], side: float
) -> Iterable[tuple[list[int], list[float]]]:
    """Token ids and weights of each document, with the END after it."""
    pieces = [piece for document in documents for piece in document.pieces]
    encoded = iter(tokenizer.encode_batch([p.text for p in pieces], add_special_tokens=False))
    end = tokenizer.token_to_id(END)
    for document in documents:
        ids: list[int] = []
        weights: list[float] = []
        for i, piece in enumerate(document.pieces):
            said = list(next(encoded).ids)
            if i == len(document.pieces) - 1 and end is not None:
                said.append(end)
            ids += said
            weights += [max(1.0, SHORTEST / len(said)) if piece.answer else side] * len(said)
        yield ids, weights
