"""What servers send is read with care: waits, and log-probabilities of a choice."""

import email.utils
import math
import time
from typing import Any

import pytest

from unskew.audit.completions import Logprobs, continuation_score, retry_after
from unskew.audit.models import Score


def test_waits_as_headers_write_them() -> None:
    assert retry_after({}) is None
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": " 1.5 "}) == 1.5
    assert retry_after({"retry-after": "-3"}) is None
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    later = email.utils.formatdate(time.time() + 60.0, usegmt=True)
    assert 50.0 < (retry_after({"retry-after": later}) or 0.0) <= 60.0


def told(tokens: list[str], **more: Any) -> Logprobs:
    """Log-probabilities -1, -2, ... of tokens, each the best but the last."""
    starts = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
    own = [None, *(-float(i) for i in range(1, len(tokens)))]
    top = [None, *({"t": -float(i)} for i in range(1, len(tokens) - 1)), {"t": 0.0}]
    given = {"tokens": tokens, "token_logprobs": own, "top_logprobs": top, "text_offset": starts}
    return Logprobs.model_validate({**given, **more})


@pytest.mark.parametrize(
    ("tokens", "context", "continuation", "expected"),
    [
        (["a", " b", " c", "!"], "a b", " c", Score(-2.0, True)),
        (["a", " b", " c", " d"], "a", " b c", Score(-3.0, True)),
        (["a", " b", " c"], "a", " b c", Score(-3.0, False)),  # nothing was generated after it
        (["a.\n\n", "yes", "."], "a.\n\n", "yes", Score(-1.0, True)),
        (["a", "\n", "yes", "."], "a\n", "yes", Score(-2.0, True)),
        (["a", " ", "\n yes", "."], "a ", "\n yes", Score(-2.0, True)),
        (["<s>", "a", " b", "."], "a", " b", Score(-2.0, True)),
        (["<s>", "b", "."], "", "b", Score(-1.0, True)),
        (["b", "."], "", "b", "first token"),
        (["ab", "c"], "a", "b", "do not part"),
        (["a", " bc", "d"], "a", " b", "do not spell"),
        (["a", "▁b", "."], "a", " b", "do not spell"),
        (["a"], "a", " b", "garbled"),
    ],
)
def test_where_the_choice_begins(
    tokens: list[str], context: str, continuation: str, expected: Score | str
) -> None:
    found = continuation_score(told(tokens), context, continuation)
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert expected in found
    else:
        assert found == expected


def test_scores_of_part_characters_and_of_offsets_that_leave_out_the_first_token() -> None:
    parts = told(["a", " ", "bytes:\\xc5", "bytes:\\x91", "."], text_offset=[0, 1, 2, 2, 3])
    assert continuation_score(parts, "a", " ő") == Score(-6.0, True)
    apart = told(["<s>", "a", " b", "."], text_offset=[0, 0, 1, 3])
    assert continuation_score(apart, "a", " b") == Score(-2.0, True)
    for missing in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
        without = told(["a", "b", "."]).model_copy(update={missing: None})
        assert isinstance(continuation_score(without, "a", "b"), str)
    nan = told(["a", "b", "c"], token_logprobs=[None, math.nan, -1.0])
    assert isinstance(continuation_score(nan, "a", "b"), str)
