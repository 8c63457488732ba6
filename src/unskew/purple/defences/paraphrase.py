"""Paraphrasing: a question is said in other words before it is asked, so that a suffix that was
optimised token by token comes apart.

    asked      a model is asked to say it in other words (the paper's defence)
    repeated   a model of the nursery, which cannot paraphrase, says it again in its own tokens: it
               copies what it knows as it stands, and noise as well as it can
    synonyms   words are swapped for others of the same meaning, by the project's control; no model
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from unskew.conjugation.controls import Paraphrase as Swap
from unskew.errors import UserError
from unskew.purple.attacks.base import View
from unskew.purple.defences.base import Defended, Reply, Setting, passed_on
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen

__all__ = ["Asked", "Paraphrase", "Repeated", "Synonyms"]

INSTRUCTION = "Paraphrase the following question, and say nothing else: {}"
Rewrite = Callable[[Sequence[str]], list[str]]


class Asked(Frozen):
    """By a model.

    Attributes:
        instruction: what it is asked, with {} for the question.
        source: the model; None: the subject itself.
        limit: tokens of a paraphrase.
    """

    kind: Literal["asked"] = "asked"
    instruction: str = INSTRUCTION
    source: str | None = None
    limit: int = Field(default=128, ge=1)

    @field_validator("instruction")
    @classmethod
    def _has_a_place(cls, text: str) -> str:
        if text.count("{}") != 1:
            raise ValueError("an instruction has one {} for the question")
        return text


class Repeated(Frozen):
    """By the subject, a model of the nursery, which is asked to repeat the question."""

    kind: Literal["repeated"] = "repeated"
    limit: int = Field(default=64, ge=1)


class Synonyms(Frozen):
    """By a table of synonyms. language: whose words; None: of all that it has."""

    kind: Literal["synonyms"] = "synonyms"
    language: Literal["en", "fr", "es"] | None = "en"


class Paraphrase(Frozen):
    """Asks another question than was asked. An empty paraphrase is refused."""

    kind: Literal["paraphrase"] = "paraphrase"
    by: Annotated[Asked | Repeated | Synonyms, Field(discriminator="kind")] = Asked()
    input: ClassVar[bool] = True

    def around(self, subject: Subject, setting: Setting) -> Defended:
        """Raises UserError where the subject cannot be asked to repeat."""
        rewrite = self._rewrite(subject, setting)
        # A model can be told to repeat a string. What a table of words does can be computed.
        table = isinstance(self.by, Synonyms)
        known = View(rewrite=rewrite) if table else View(paraphrased=True)
        return _Rewritten(subject, rewrite, setting.refusal, view=known)

    def _rewrite(self, subject: Subject, setting: Setting) -> Rewrite:
        match self.by:
            case Asked(instruction=instruction, source=source, limit=limit):
                writer: Subject = subject if source is None else setting.open(source)
                return lambda texts: writer.answer(
                    [instruction.replace("{}", t) for t in texts], limit
                )
            case Repeated(limit=limit):
                repeater = setting.repeater
                if repeater is None:
                    raise UserError(
                        "only a model of the nursery is asked to repeat its question",
                        subject.name,
                        "take paraphrase.by.kind=asked",
                    )
                return lambda texts: repeater.answer(texts, limit)
            case Synonyms(language=language):
                swap = Swap(language)
                return lambda texts: [swap.forward(text) for text in texts]


@dataclass(frozen=True)
class _Rewritten(Defended):
    rewrite: Rewrite
    refusal: str

    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        texts = [text.strip() or None for text in self.rewrite(questions)]
        return passed_on(self.subject, texts, limit, prefill, context, self.refusal)
