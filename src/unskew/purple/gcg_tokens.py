"""GCG's texts and tokens: which tokens a suffix may have, and that its text means those tokens.

An attack sends text. So a suffix of tokens counts only if the tokenizer, given the whole prompt
with the suffix's text in it, reads the very tokens that were optimised, in the prompt of every
question: a suffix that is read back alone may still melt into the word before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from unskew.errors import UserError
from unskew.purple.gcg_types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Tokens(NamedTuple):
    """A prompt's token ids around the suffix, and the places of it that are read (None: all)."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    target: tuple[int, ...]
    places: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Vocabulary:
    """The text of each token where it follows another one, and which tokens may be used.

    Attributes:
        pieces: by token id; "" where a token has no text of its own.
        allowed: their ids, ascending, (allowed,).
    """

    tokenizer: PreTrainedTokenizerBase
    pieces: tuple[str, ...]
    allowed: Tensor

    def text(self, ids: Sequence[int]) -> str:
        return "".join(self.pieces[i] for i in ids)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text; nothing is added."""
        call: Any = self.tokenizer
        encoded = call(texts, add_special_tokens=False, return_attention_mask=False)
        return [list(ids) for ids in encoded["input_ids"]]

    def read_back(
        self, prompts: Sequence[Prompt], tokens: Sequence[Tokens], suffixes: Tensor
    ) -> Tensor:
        """Which suffixes (n, length) are read as they are in every prompt that they reach whole:
        (n,) of bool."""
        rows = suffixes.tolist()
        texts = [self.text(row) for row in rows]
        good = list(range(len(rows)))
        for prompt, ids in zip(prompts, tokens, strict=True):
            if not good:
                break
            if prompt.places is not None:
                continue
            before, after = list(ids.before), list(ids.after)
            read = self.encode([prompt.before + texts[i] + prompt.after for i in good])
            good = [i for i, r in zip(good, read, strict=True) if r == [*before, *rows[i], *after]]
        kept = torch.zeros(len(rows), dtype=torch.bool)
        kept[good] = True
        return kept


def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int, ascii: bool) -> Vocabulary:
    """What a suffix may be made of.

    Args:
        size: tokens that the model knows; a tokenizer may have fewer or more.
        ascii: printable ASCII only. Otherwise any token that is text by itself: of characters
            that are spread over several tokens, none is.

    Raises: UserError where fewer than two tokens are left.
    """
    made: Any = tokenizer
    size = min(size, len(made))
    anchor = list(made.encode("a", add_special_tokens=False))[-1:]

    def decoded(rows: list[list[int]]) -> list[str]:
        return list(
            made.batch_decode(rows, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    # After an anchor, as some tokenizers drop the space that a text begins with.
    lead = decoded([anchor])[0] if anchor else ""
    texts = decoded([[*anchor, i] for i in range(size)])
    pieces = tuple(text[len(lead) :] if text.startswith(lead) else "" for text in texts)
    special = {*made.all_special_ids, *made.get_added_vocab().values()}

    def may(i: int, piece: str) -> bool:
        if not piece or i in special or "�" in piece:
            return False
        return not ascii or (piece.isascii() and piece.isprintable())

    allowed = [i for i, piece in enumerate(pieces) if may(i, piece)]
    if len(allowed) < 2:
        raise UserError(
            f"of the tokenizer's {size} tokens a suffix may be made of {len(allowed)} only",
            made.name_or_path or None,
            "allow more than ASCII (ascii=False)" if ascii else None,
        )
    return Vocabulary(tokenizer, pieces, torch.tensor(allowed))


def begin(
    words: Vocabulary, prompts: Sequence[Prompt], start: str, length: int
) -> tuple[Tensor, list[Tokens]]:
    """The first suffix, (length,): `start`, repeated until it has so many tokens; and the prompts'
    tokens around it.

    Raises: UserError where a suffix has no tokens of its own, as it melts into what stands around
        it, or a target into the prompt, or where a prompt's places are not of it.
    """
    first = words.encode([prompts[0].before])[0]
    # Twice, as some of it may be read together.
    whole = words.encode([prompts[0].before + start * (2 * length)])[0]
    suffix = whole[len(first) : len(first) + length]
    text = words.text(suffix)
    if len(suffix) < length:
        raise UserError(f"{start!r} as the start of a suffix is no text to this tokenizer")
    tokens: list[Tokens] = []
    for prompt in prompts:
        if prompt.places is not None and not (
            prompt.places and all(0 <= place < length for place in prompt.places)
        ):
            raise UserError(f"{prompt.places} are no places of a suffix of {length} tokens")
        asked = prompt.before + text + prompt.after
        before, ids, answered = words.encode([prompt.before, asked, asked + prompt.target])
        end = len(before) + length
        if ids[:end] != [*before, *suffix]:
            raise UserError(
                f"the tokenizer does not read {text!r} in this prompt as the {length} tokens of a "
                "suffix",
                f"...{prompt.before[-30:]}{text}{prompt.after[:30]}...",
                "give another start of the suffix, such as ' x' or ' !', or another length",
            )
        target = answered[len(ids) :]
        if answered[: len(ids)] != ids or not target:
            raise UserError(
                f"the target {prompt.target!r} has no tokens of its own after this prompt",
                f"...{asked[-40:]}",
                "let the target begin with the space that the prompt ends with",
            )
        tokens.append(Tokens(tuple(before), tuple(ids[end:]), tuple(target), prompt.places))
    return torch.tensor(suffix), tokens
