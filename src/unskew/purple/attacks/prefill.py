"""Words put into the model's mouth: the answer begins as the target does, up to the word."""

from __future__ import annotations

from typing import ClassVar, Literal

from unskew.errors import UserError
from unskew.purple.attacks.base import Access, Aim, Ask, Scene, View
from unskew.purple.definition import Forbidden
from unskew.purple.subject import Open
from unskew.runs.config import Frozen


class Prefill(Frozen):
    """The answer's beginning is given.

    Attributes:
        text: the same for all questions; None: of each target what stands before the word. On a
            target that begins with the word no attempt is made.
    """

    kind: Literal["prefill"] = "prefill"
    text: str | None = None
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        lead = scene.subject.template.lead if isinstance(scene.subject, Open) else ""
        texts = [self._text(scene, aim) for aim in scene.held]
        if self.text is not None and not (texts and all(texts)):
            raise UserError(
                f"an answer cannot begin with {self.text!r}: it must be a text, and not say the "
                "word",
                hint="give another Prefill.text",
            )
        if not any(texts):
            raise UserError(
                "no answer that is aimed at has anything before the word",
                hint="give the beginning: Prefill.text",
            )
        return [
            (Ask(aim.question, prefill=lead + text),) if text else ()
            for aim, text in zip(scene.held, texts, strict=True)
        ]

    def _text(self, scene: Scene, aim: Aim) -> str:
        """What an answer is to begin with; "" where there is nothing that could be said."""
        text = self.text
        if text is None:
            match scene.definition.violation(aim.target):
                case Forbidden(at=at):
                    text = aim.target[: at + 1].rpartition(" ")[0]
                case _:
                    text = ""
        return text if scene.definition.allows(text) else ""
