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
        text: the same for all questions; None: of each target what stands before the word.
    """

    kind: Literal["prefill"] = "prefill"
    text: str | None = None
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        lead = scene.subject.template.lead if isinstance(scene.subject, Open) else ""
        return [(Ask(aim.question, prefill=lead + self._text(scene, aim)),) for aim in scene.held]

    def _text(self, scene: Scene, aim: Aim) -> str:
        text = self.text
        if text is None:
            match scene.definition.violation(aim.target):
                case Forbidden(at=at):
                    text = aim.target[: at + 1].rpartition(" ")[0]
                case _:
                    text = ""
        if not text or not scene.definition.allows(text):
            raise UserError(
                f"an answer cannot begin with {text!r}: it must be a text, and not say the word",
                f"target {aim.target!r}",
                "give another Prefill.text",
            )
        return text
