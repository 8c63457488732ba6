"""The output guard: what leaves satisfies the definition, by construction (`unskew.purple.guard`).

An answer is read as what it is joined to: the beginning that was put into the model's mouth, and
the rest. It guards against what the definition reads, and nothing else: an answer in a cipher, or
in a language whose word is not in the definition, is not said, and leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from unskew.purple.defences.base import Defended, Reply, Setting
from unskew.purple.guard import Guard, Replace
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen

__all__ = ["Guarding"]


class Guarding(Frozen):
    """The guard. withheld: what stands in place of the rest of an answer."""

    kind: Literal["guard"] = "guard"
    withheld: str = "[withheld]"
    input: ClassVar[bool] = False

    def around(self, subject: Subject, setting: Setting) -> Defended:
        """Raises UserError where the constant may violate the definition."""
        return _Guarded(subject, Guard(setting.definition, Replace(self.withheld)), self.withheld)


@dataclass(frozen=True)
class _Guarded(Defended):
    guard: Guard
    withheld: str

    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        answers = self.subject.answer(questions, limit, prefill, context)
        return [self._reply(answer, prefill) for answer in answers]

    def _reply(self, answer: str, prefill: str) -> Reply:
        """Both the answer and what it makes of the prefill satisfy the definition (a prefill that
        violates it by itself is the asker's own word, and no answer makes it good)."""
        joined = self.guard.whole(prefill + answer)
        if joined.violation is not None:
            # Less than the prefill is left where the word was begun in it.
            begun = joined.text.startswith(prefill)
            answer = joined.text[len(prefill) :] if begun else self.withheld
        alone = self.guard.whole(answer)
        refused = joined.violation is not None or alone.violation is not None
        return Reply(alone.text, refused)
