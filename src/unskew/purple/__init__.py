"""The purple problem: a behaviour so well defined that a defence can be judged without doubt.

definition   what must not be said, shared by the judge and the guard
guard        wraps any generation, whole or streamed; what leaves it satisfies the definition
"""

from unskew.purple.definition import (
    ASCII,
    LATIN,
    Definition,
    Forbidden,
    Foreign,
    Tier,
    Violation,
)
from unskew.purple.guard import Guard, Guarded, Raise, Replace, Stop, Stream, Withheld

__all__ = [
    "ASCII",
    "LATIN",
    "Definition",
    "Forbidden",
    "Foreign",
    "Guard",
    "Guarded",
    "Raise",
    "Replace",
    "Stop",
    "Stream",
    "Tier",
    "Violation",
    "Withheld",
]
