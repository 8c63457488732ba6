"""Standard input and output as they are found: closed, full, or of an encoding that lacks a letter.

A command line is run from cron, behind pipes and under `PYTHONIOENCODING=ascii`. There Python has
None for a closed stream and raises in the middle of a table for a letter that it cannot write. Here
a closed output swallows what is printed, a letter without a code is written as its like in ASCII or
as its escape, and a closed input is an empty one.
"""

import codecs
import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from typing import TextIO

from unskew.errors import UserError

PLACE = "standard input"
LIKES = {
    "−": "-", "–": "-", "—": "-", "→": "->", "×": "x", "…": "...", "•": "*", "✓": "+", "✕": "x",
    "’": "'", "‘": "'", "“": '"', "”": '"', "⟨": "<", "⟩": ">", "α": "alpha", "γ": "gamma",
}  # fmt: skip
"""What stands for our signs where there is only ASCII."""
ASCII_LIKE = "unskew.ascii-like"
"""The `errors` of an encoding that lacks letters."""


def _like(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    shown = (LIKES.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost)
    return "".join(shown), error.end


codecs.register_error(ASCII_LIKE, _like)


def prepare() -> None:
    """Make the standard output and error ones that can be printed to, whatever is printed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ASCII_LIKE)


def columns() -> int:
    """How wide the terminal is, or COLUMNS says that it is; 80 in a pipe."""
    return shutil.get_terminal_size((80, 24)).columns


def discard(stream: TextIO) -> None:
    """Write no more to it: the reader is gone, or nothing more fits. What is buffered goes, too."""
    with contextlib.suppress(OSError, ValueError):  # a stand-in for the stream has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def write(data: bytes) -> None:
    """Bytes to standard output as they are, after what was printed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def interactive() -> bool:
    """Whether someone types the input."""
    return sys.stdin is not None and sys.stdin.isatty()


def read() -> str:
    """Standard input whole, its line ends untouched. Raises UserError where it is not UTF-8."""
    if interactive():
        print("reading the terminal; Ctrl-D ends the text", file=sys.stderr)
    return "" if sys.stdin is None else _text(sys.stdin.buffer.read())


def lines(prompt: str = "> ") -> Iterator[str]:
    """The lines of standard input as they come, without their ends; `prompt` where someone types.

    Raises UserError at a line that is not UTF-8.
    """
    if sys.stdin is None:
        return
    while interactive():
        try:
            typed = input(prompt)
        except EOFError:
            return
        except UnicodeDecodeError as error:
            typed = error.object.decode(errors="surrogateescape")
        yield _text(typed.encode(errors="surrogateescape"))
    for before, line in enumerate(sys.stdin.buffer):
        yield _text(line, before).rstrip("\r\n")


def _text(data: bytes, before: int = 0) -> str:
    """The text of bytes that stand after `before` lines."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = before + data.count(b"\n", 0, error.start) + 1
        hint = "convert it first, as with: iconv -f latin1 -t utf-8"
        what = f"byte {error.start + 1}, in line {line}, is not UTF-8"
        raise UserError(what, PLACE, hint) from None
