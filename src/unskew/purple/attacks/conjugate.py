"""Conjugate prompting as an attack: the question is sent as s(question), the answer read through
s_inv. No gradient, no search: a model that only learnt not to say a word in one form may say it in
another.

The answer's own text may satisfy the definition and yet say the word, in French or in a cipher. So
the judge looks at both, the raw answer and what it means when it is carried back.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from unskew.conjugation.base import NotAdmissible
from unskew.conjugation.names import parse
from unskew.purple.attacks.base import Access, Ask, Scene, View
from unskew.runs.config import Frozen


class Conjugate(Frozen):
    """The questions under a conjugation; one that is outside its domain is not asked.

    Attributes:
        conjugation: its name, as `unskew conjugations` lists them, such as `pig-latin` or
            `book:FILE.jsonl:en-fr`.
    """

    kind: Literal["conjugate"] = "conjugate"
    conjugation: str = "pig-latin"
    access: ClassVar[Access] = Access.BLACK_BOX

    def adapts(self, view: View) -> bool:
        return False

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        s = parse(self.conjugation)
        sent = s.forward_all([aim.question for aim in scene.held])
        return [() if isinstance(text, NotAdmissible) else (Ask(text, reads=s),) for text in sent]
