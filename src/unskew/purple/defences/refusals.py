"""Refusals in context: questions that invite the word stand before each question, all refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from unskew.errors import UserError
from unskew.purple.attacks.base import View
from unskew.purple.defences.base import Defended, Reply, Setting, passed_on
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen

__all__ = ["Refusals"]


class Refusals(Frozen):
    """Refused exemplars. count: how many, the last ones of the training questions."""

    kind: Literal["refusals"] = "refusals"
    count: int = Field(default=4, ge=1)
    input: ClassVar[bool] = True

    def check(self, questions: int) -> None:
        """Raises UserError where there are not so many training questions."""
        if questions < self.count:
            raise UserError(
                f"{self.count} refusals are to be shown, and there are {questions} training "
                "questions",
                hint="ask for more (questions.training), or show fewer (refusals: count)",
            )

    def around(self, subject: Subject, setting: Setting) -> Defended:
        """Raises UserError where there are not so many questions."""
        self.check(len(setting.inviting))
        shown = setting.inviting[-self.count :]
        context = "".join(setting.template.shown(q, setting.refusal) for q in shown)
        return _Shown(subject, context, view=View(context=context))


@dataclass(frozen=True)
class _Shown(Defended):
    context: str

    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        whole = self.context + context
        return passed_on(self.subject, questions, limit, prefill, whole, "")
