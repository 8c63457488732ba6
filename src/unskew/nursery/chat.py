"""Try a model by hand: what is sent, what comes back, and what it means.

A line is sent as a question of the world ("Question: ...", "Answer:") or, raw, as it is, with \\n
for a line break. Under a conjugation s the model reads s(prompt), and its answer is carried back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch

from unskew.conjugation.base import Conjugation, NotAdmissible
from unskew.nursery.documents import QUESTIONS
from unskew.nursery.probes import BUDGET
from unskew.nursery.raising import Raised
from unskew.nursery.tokens import END

__all__ = ["Turn", "generate", "turns"]


class Turn(NamedTuple):
    """sent: None where the conjugation refuses the prompt; came: the model's first line; means:
    None where it has no inverse. refused: why."""

    sent: str | None
    came: str | None
    means: str | None
    refused: str | None


def turns(
    raised: Raised, lines: Iterable[str], s: Conjugation, raw: bool = False
) -> Iterator[Turn]:
    """A turn for each line that is not empty."""
    for line in lines:
        if line.strip():
            said = line.rstrip("\n")
            prompt = said.replace("\\n", "\n") if raw else QUESTIONS[0].asked(said.strip(), "en")
            yield _turn(raised, prompt, s)


def _turn(raised: Raised, prompt: str, s: Conjugation) -> Turn:
    try:
        sent = s.forward(prompt)
    except NotAdmissible as refusal:
        return Turn(None, None, None, refusal.why)
    came = generate(raised, sent)
    try:
        return Turn(sent, came, s.inverse(came), None)
    except NotAdmissible as refusal:
        return Turn(sent, came, None, refusal.why)


@torch.no_grad()
def generate(raised: Raised, prompt: str, budget: int = BUDGET) -> str:
    """The greedy answer up to the end of its first line."""
    ids = raised.tokenizer.encode(prompt).ids
    context = raised.model.config.max_position_embeddings
    tokens = torch.tensor([ids[-(context - budget) :]], device=raised.model.device)
    end = raised.tokenizer.token_to_id(END)
    stops = [end, *raised.tokenizer.encode("\n").ids]
    model: Any = raised.model
    out = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=budget,
        do_sample=False,
        eos_token_id=stops,
        pad_token_id=end,
    )
    said = raised.tokenizer.decode(out[0, tokens.shape[1] :].tolist(), skip_special_tokens=True)
    return said.strip("\n").strip()
