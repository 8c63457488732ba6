"""Smoothing: copies of a question, each without some of its tokens, are all answered; the majority
decides what kind of answer leaves.

As SmoothLLM (Robey et al. 2023, algorithm 1, there with other perturbations): each copy's answer is
judged by the definition; the answer that leaves is the first one of the kind that more than half of
the copies are of, one that says the word as well as one that does not. Who has such a judge could
as well not let out what says the word at all, which is the guard; what is asked here is how often
dropped tokens alone undo an attack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from unskew.purple.attacks.base import View
from unskew.purple.defences.base import Defended, Reply, Setting, Tokens
from unskew.purple.definition import Definition
from unskew.purple.drops import draws, kept
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen

__all__ = ["Smoothing"]


class Smoothing(Frozen):
    """Random drops.

    Attributes:
        copies: of each question; an even number's tie lets an answer leave that does not say it.
        drop: the chance of each token; one at least is kept.
        seed: of the drops, which are a function of it and of the question.
    """

    kind: Literal["smoothing"] = "smoothing"
    copies: int = Field(default=5, ge=1)
    drop: float = Field(default=0.15, gt=0, lt=1)
    seed: int = 0
    input: ClassVar[bool] = True

    def around(self, subject: Subject, setting: Setting) -> Defended:
        view = View(drops=self.drop)
        return _Smoothed(subject, self, setting.definition, setting.tokens, view=view)


@dataclass(frozen=True)
class _Smoothed(Defended):
    config: Smoothing
    definition: Definition
    tokens: Tokens | None

    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        copies = [copy for question in questions for copy in self.copies(question)]
        answers = self.subject.answer(copies, limit, prefill, context)
        size = self.config.copies
        return [
            Reply(self._majority(answers[i * size : (i + 1) * size], prefill))
            for i in range(len(questions))
        ]

    def copies(self, question: str) -> list[str]:
        """What is asked in a question's place."""
        parts = question.split() if self.tokens is None else self.tokens.encode(question)
        found = []
        for copy in range(self.config.copies):
            rng = draws(self.config.seed, "smoothing", question, copy)
            left = kept(rng, len(parts), self.config.drop)
            found.append(self._joined([parts[i] for i in left]))
        return found

    def _joined(self, parts: Sequence[Any]) -> str:
        return " ".join(parts) if self.tokens is None else self.tokens.decode(parts)

    def _majority(self, answers: Sequence[str], prefill: str) -> str:
        fine = [
            self.definition.allows(answer) and self.definition.allows(prefill + answer)
            for answer in answers
        ]
        says_it = 2 * sum(not good for good in fine) > len(fine)
        return next(a for a, good in zip(answers, fine, strict=True) if good != says_it)
