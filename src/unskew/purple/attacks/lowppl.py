"""A suffix behind a long natural passage, which brings the mean perplexity of the question down.

It adapts to a filter of the whole question's mean likelihood; a filter that looks at windows still
sees the suffix.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from unskew.errors import UserError
from unskew.purple.attacks.base import Access, Ask, Scene, View
from unskew.purple.attacks.suffix import suffixed
from unskew.purple.gcg_types import Gcg
from unskew.runs.config import Frozen


class LowPerplexity(Frozen):
    """A passage between the question and the suffix.

    Attributes:
        passage: natural text; None: the last training questions, which the model knows the like of.
        sentences: how many of them.
        universal, prompts: as of Suffix.
    """

    kind: Literal["low-perplexity"] = "low-perplexity"
    passage: str | None = None
    sentences: int = Field(default=8, ge=1)
    gcg: Gcg = Gcg()
    universal: bool = True
    prompts: int = Field(default=10, ge=1)
    access: ClassVar[Access] = Access.GRADIENTS

    def adapts(self, view: View) -> bool:
        return view.nll is not None and view.window is None

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        passage = self.passage
        if passage is None:
            passage = " ".join(aim.question for aim in scene.training[-self.sentences :])
        if not passage:
            raise UserError(
                "there is no passage", hint="give training questions, or LowPerplexity.passage"
            )
        universal = self.prompts if self.universal else None
        texts = suffixed(scene, scene.inside(), self.gcg, universal, passage=f" {passage}")
        return [(Ask(text),) for text in texts]
