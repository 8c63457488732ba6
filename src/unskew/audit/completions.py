"""What an OpenAI-compatible server sends, read with care: completions, waits, log-probabilities."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from unskew.audit.models import Score


class Shape(BaseModel):
    # Servers add fields of their own.
    model_config = ConfigDict(extra="ignore", strict=True)


class Logprobs(Shape):
    """Log-probabilities of an echoed prompt, by token. Servers leave out what they do not know."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] | None = None


class Choice(Shape):
    text: str
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Message(Shape):
    content: str | None = None
    refusal: str | None = None


class ChatChoice(Shape):
    message: Message
    finish_reason: str | None = None


class Completion(Shape):
    choices: list[Choice] = Field(min_length=1, max_length=1)


class Chat(Shape):
    choices: list[ChatChoice] = Field(min_length=1, max_length=1)


class Model(Shape):
    id: str


class Models(Shape):
    data: list[Model]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a response asks to wait, from Retry-After as a number or a date; None: it does
    not say. RFC 9110, section 10.2.3."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000.0, 0.0)
        said = headers.get("retry-after", "")
        if re.fullmatch(r"\s*\d+(\.\d*)?\s*", said):
            return float(said)
        return max(email.utils.parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def continuation_score(told: Logprobs, context: str, continuation: str) -> Score | str:
    """The score of a continuation from the log-probabilities of context + continuation.

    The tokens that count are those from the boundary on. Where no token begins there, the white
    space at the end of the context is scored too, as the harness does ("Answer: " + "yes" is read
    as "Answer:" + " yes").

    Returns:
        The score, or in words why there is none.
    """
    tokens, logprobs, offsets = told.tokens, told.token_logprobs, told.text_offset
    if tokens is None or logprobs is None or offsets is None or told.top_logprobs is None:
        return "it does not give the tokens, offsets and log-probabilities of the prompt"
    if not len(tokens) == len(logprobs) == len(offsets) == len(told.top_logprobs) > 1:
        return "it gives no log-probabilities of the prompt, or garbled ones"
    text = context + continuation
    # A token that begins no prompt, as <s> does, is put before it; some servers count its letters.
    special = not text.startswith(tokens[0]) and not _bytes(tokens[0])
    starts = [offset - offsets[1 if special else 0] for offset in offsets]
    bare = len(context.rstrip())
    boundary = next((at for at in (len(context), bare) if at in starts[int(special) :]), None)
    if boundary is None:
        return "its tokens do not part where the choice begins"
    places = [
        i
        for i, start in enumerate(starts)
        if boundary <= start < len(text) and not (special and i == 0)
    ]
    spelt = "".join(tokens[i] for i in places)
    if spelt != text[boundary:] and not any(_bytes(tokens[i]) for i in places):
        return "its tokens do not spell the choice"
    total, greedy = 0.0, True
    for i in places:
        logprob, top = logprobs[i], told.top_logprobs[i]
        if logprob is None or logprob != logprob or not top:
            return "it gives no log-probability of the choice's first token"
        total += logprob
        greedy = greedy and logprob >= max(top.values())
    return Score(total, greedy)


def _bytes(token: str) -> bool:
    """A token that is part of a character."""
    return token == "" or "\ufffd" in token or token.startswith("bytes:")
