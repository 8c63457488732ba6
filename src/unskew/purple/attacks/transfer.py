"""A universal suffix that was found on another model: the attacked one is a black box."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unskew.purple.attacks.base import Access, Ask, Scene, View
from unskew.purple.attacks.suffix import suffixed
from unskew.purple.gcg_types import Gcg
from unskew.runs.config import Frozen


class Transfer(Frozen):
    """A suffix from another model.

    Attributes:
        source: that model: a folder, `nursery:NAME`, or an id of the Hugging Face hub.
        prompts: training questions that it is found on, the first ones.
    """

    kind: Literal["transfer"] = "transfer"
    source: str
    gcg: Gcg = Gcg()
    prompts: int = Field(default=10, ge=1)
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        texts = suffixed(scene, scene.open(self.source), self.gcg, self.prompts)
        return [(Ask(text),) for text in texts]
