"""No defence: what the subject says leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from unskew.purple.defences.base import Defended, Reply, Setting, passed_on
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen


class Undefended(Frozen):
    """No defence."""

    kind: Literal["none"] = "none"
    input: ClassVar[bool] = False

    def around(self, subject: Subject, setting: Setting) -> Defended:
        return _Bare(subject)


@dataclass(frozen=True)
class _Bare(Defended):
    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        return passed_on(self.subject, questions, limit, prefill, context, "")
