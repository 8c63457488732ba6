"""Try a model by hand: what is sent, what comes back, and what it means.

A line is sent as a question of the world ("Question: ...", "Answer:") or, raw, as it is, with \\n
for a line break. Under a conjugation s the model reads s(prompt), and its answer is carried back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from unskew.conjugation.base import Conjugation, NotAdmissible
from unskew.nursery.documents import QUESTIONS
from unskew.nursery.probes import BUDGET, QUESTIONED
from unskew.nursery.raising import Raised
from unskew.nursery.tokens import END
from unskew.nursery.wording import word

__all__ = ["Turn", "example", "generate", "turns"]

EXAMPLE = "What is 3 plus 4?"


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


def example(s: Conjugation, probes: Path, raw: bool = False) -> str | None:
    """A line that can be typed: one that s does not refuse. A book of phrases knows few sums; what
    the probes ask, it knows. None where s refuses that, too.

    Args:
        probes: a folder of probes, as `probes.write` writes it.
    """
    for question in (EXAMPLE, *_questions(probes)):
        prompt = QUESTIONS[0].asked(question, "en")
        try:
            s.forward(prompt)
        except NotAdmissible:
            continue
        return prompt.replace("\n", "\\n") if raw else question
    return None


def _questions(probes: Path) -> Iterator[str]:
    """The first question of each probe that asks one, in English and without its label."""
    for name in QUESTIONED:
        file = probes / f"{name}.jsonl"
        if file.is_file():
            first = file.read_text(encoding="utf-8").partition("\n")[0]
            line = json.loads(first)["en"]["text"].partition("\n")[0]
            yield line.removeprefix(word("question", "en")).strip()


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
