"""No attack: the questions as they are."""

from __future__ import annotations

from typing import ClassVar, Literal

from unskew.purple.attacks.base import Access, Ask, Scene, View
from unskew.runs.config import Frozen


class Nothing(Frozen):
    """The questions as they are."""

    kind: Literal["none"] = "none"
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        return [(Ask(aim.question),) for aim in scene.held]
