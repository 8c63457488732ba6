r"""Spans of a chat template (`<|im_start|>`, `</s>`, `[INST]`, ...) pass every cipher unchanged.

`around` enciphers what lies between the spans and keeps them; `undo` is its exact inverse. An
enciphered piece must never read as a span: rot13 turns `<f>` into `<s>`, upper-casing `[inst]` into
`[INST]`. Such a piece gets a backslash after its bracket (`<\s>`), and what has backslashes there
already gets one more, so that the inverse can always tell them apart. No span begins inside another
one, so this holds at the edges of the pieces too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# What follows the first bracket: ChatML, Llama 3 and Phi; DeepSeek; sentence marks; Gemma; Llama 2;
# Mistral.
_ANGLE = (
    r"\|[A-Za-z0-9_-]+\|>"
    r"|｜[A-Za-z0-9_▁]+｜>"
    r"|/?s>"
    r"|(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>"
    r"|</?SYS>>"
)
_SQUARE = r"/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_RESULTS)\]|TOOL_CALLS\]"

SPAN = re.compile(rf"<(?:{_ANGLE})|\[(?:{_SQUARE})")
"""A delimiter, whole. It never holds white space."""

_STUFFABLE = re.compile(rf"<\\*(?={_ANGLE})|\[\\*(?={_SQUARE})")
_STUFFED = re.compile(rf"(<\\*)\\(?={_ANGLE})|(\[\\*)\\(?={_SQUARE})")


def around(text: str, encode: Callable[[str], str]) -> str:
    """`encode` applied to every piece between the spans; no new span comes to be."""
    return _between(text, lambda piece: _STUFFABLE.sub(r"\g<0>\\", encode(piece)))


def undo(text: str, decode: Callable[[str], str]) -> str:
    """The inverse of `around(., encode)`, where `decode` is the inverse of `encode`."""
    return _between(text, lambda piece: decode(_STUFFED.sub(r"\1\2", piece)))


def _between(text: str, change: Callable[[str], str]) -> str:
    pieces, end = [], 0
    for span in SPAN.finditer(text):
        pieces += [change(text[end : span.start()]), span[0]]
        end = span.end()
    pieces.append(change(text[end:]))
    return "".join(pieces)
