"""GCG's settings, what it is asked and what it gives back; gcg.py has the search itself.

Without torch, so that a configuration that holds a search is read quickly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field

from unskew.runs.config import Frozen


class Gcg(Frozen):
    """A search for a suffix.

    Attributes:
        steps: of the search.
        candidates: suffixes whose loss is computed in a step, all different.
        top_k: tokens at each place, by the gradient, that replacements are drawn from; at most all.
        length: tokens of the suffix.
        seed: of the draws.
        start: what the suffix is at first, repeated until it has `length` tokens.
        ascii: printable ASCII only.
        perplexity: weight of the suffix's own negative log-likelihood, against a filter: of what is
            above `Prompt.allows`.
    """

    steps: int = Field(default=250, ge=0)
    candidates: int = Field(default=512, ge=1)
    top_k: int = Field(default=256, ge=1)
    length: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0)
    start: str = Field(default=" x", min_length=1)
    ascii: bool = True
    perplexity: float = Field(default=0.0, ge=0)


class Allows(NamedTuple):
    """How unlikely a suffix may be for nothing: in nats a token, of its mean negative
    log-likelihood, or of the largest such mean of any `window` of its tokens in a row. By default
    every nat costs."""

    nats: float = 0.0
    window: int | None = None


class Prompt(NamedTuple):
    """A prompt `before + suffix + after`, and what the model shall go on with. Special tokens are
    written out; none is added.

    places: of the suffix that reach the model, where others are dropped on the way; None: all. Of
    what is left no text is made: whether a tokenizer would read it as the same tokens is not asked.
    """

    before: str
    after: str
    target: str
    allows: Allows = Allows()
    places: tuple[int, ...] | None = None


class Step(NamedTuple):
    """A step that is done. loss: of the suffix after it; best: the lowest so far."""

    step: int
    loss: float
    best: float
    suffix: str


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        suffix: the best suffix, as text.
        loss: its loss in nats, with the perplexity term if there is one.
        step: the step that found it; 0 is the start.
        losses: after each step, the start's first.
        said: what the model says to each prompt with the suffix's text in it, greedily.
        reached: whether that begins with the prompt's target.
        cached: whether what candidates share was read once (see Objective).
    """

    suffix: str
    loss: float
    step: int
    losses: tuple[float, ...]
    said: tuple[str, ...]
    reached: tuple[bool, ...]
    cached: bool
