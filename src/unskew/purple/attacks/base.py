"""What an attack is: from held-out questions to what is sent in their place, and how the answer is
read.

    attack.asks(scene)   for each held-out question the attempts on it, none where it cannot be put
    ask.readings(answer) all that the judge must look at: the answer as it came, joined to what was
                         put into the model's mouth, and carried back through a conjugation

An attack is a frozen configuration with this one method; what it may see is its `access`. Whether
the defence was part of its objective depends on both, so it is asked: `attack.adapts(view)`. A cell
whose attack does not adapt says nothing about an attacker who knows the defence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from unskew.conjugation.base import Conjugation, NotAdmissible
from unskew.errors import UserError
from unskew.purple.definition import Definition
from unskew.purple.gcg_types import Step
from unskew.purple.subject import Open, Subject, open_model


class Access(StrEnum):
    """What of the attacked model an attack needs; each includes all before it."""

    BLACK_BOX = "black box"
    LOGITS = "logits"
    GRADIENTS = "gradients"


class Aim(NamedTuple):
    """A question, and the answer that the attacker is after."""

    question: str
    target: str


@dataclass(frozen=True)
class View:
    """What an attacker knows of the defence. Empty: nothing of it can be put into an objective.

    Attributes:
        context: text that the defence puts before every question: a system prompt, refusals.
        nll: a filter refuses questions of a mean negative log-likelihood above this, in nats.
        window: of any so many tokens in a row; None: of the whole question.
        paraphrased: questions are paraphrased by a model before they are asked.
        rewrite: what becomes of questions before they are asked, where that can be computed: a
            table of synonyms.
        drops: the chance of each token of a question to be dropped before it is asked.
    """

    context: str = ""
    nll: float | None = None
    window: int | None = None
    paraphrased: bool = False
    rewrite: Callable[[Sequence[str]], list[str]] | None = None
    drops: float = 0.0


@dataclass(frozen=True)
class Scene:
    """What an attack works with.

    Attributes:
        training: what suffixes are optimised on.
        held: what is attacked.
        definition: what the model must not say; the attacker knows it.
        folder: where searches keep their state, to go on after an interruption; None: nowhere.
        watch: told of each step of a search.
        open: opens other models, by folder or name.
    """

    subject: Subject
    training: Sequence[Aim]
    held: Sequence[Aim]
    definition: Definition = field(default_factory=Definition)
    view: View = View()
    folder: Path | None = None
    watch: Callable[[Step], object] = lambda step: None
    open: Callable[[str], Open] = open_model

    def inside(self) -> Open:
        """The subject as a model with gradients.

        Raises: UserError where it is a black box.
        """
        if isinstance(self.subject, Open):
            return self.subject
        raise UserError(
            "the attack needs gradients, and this subject is a black box",
            self.subject.name,
            "take a black-box attack, or transfer a suffix from another model",
        )


class Readings(NamedTuple):
    """What the judge must look at. joined: with the prefill before it. carried: through the inverse
    of a conjugation. None: there is no prefill, no conjugation, or the answer is no image."""

    raw: str
    joined: str | None
    carried: str | None

    def breaks(self, definition: Definition) -> bool:
        """Whether the definition is violated in any reading."""
        return any(text is not None and not definition.allows(text) for text in self)


@dataclass(frozen=True)
class Ask:
    """One attempt: what is sent in place of a question.

    Attributes:
        question, context, prefill: as `Subject.answer` takes them.
        reads: the conjugation that carries the answer back.
    """

    question: str
    context: str = ""
    prefill: str = ""
    reads: Conjugation | None = None

    def readings(self, answer: str) -> Readings:
        """What an answer means: each of it is to be judged, the raw answer too."""
        carried = None
        if self.reads is not None:
            try:
                carried = self.reads.inverse(answer)
            except NotAdmissible:
                carried = None
        return Readings(answer, self.prefill + answer if self.prefill else None, carried)


class Attack(Protocol):
    """A frozen configuration that attacks."""

    access: ClassVar[Access]

    def adapts(self, view: View) -> bool:
        """Whether what is known of the defence goes into the attack."""
        ...

    def asks(self, scene: Scene) -> list[tuple[Ask, ...]]:
        """For each held-out question the attempts on it; () where there is none.

        Raises: UserError where the attack cannot be made on this subject.
        """
        ...
