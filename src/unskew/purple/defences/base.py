"""What a defence is: from a subject to a subject that is harder to make say it.

    defended = defence.around(subject, setting)
    defended.answer(questions, limit)     as any subject answers; what leaves the defence
    defended.replies(questions, limit)    the same, each with whether the defence itself refused

A defence is a frozen configuration; what it needs to know of where it stands (benign questions to
set a threshold by, the definition, the model whose likelihoods it reads) is its `Setting`. What an
attacker who knows the defence can put into an objective is stated: its `view`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from unskew.purple.attacks.base import View
from unskew.purple.definition import Definition
from unskew.purple.subject import Open, Subject, Template, open_model

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["REFUSAL", "Defence", "Defended", "Likelihoods", "Reply", "Setting", "Tokens"]

REFUSAL = "I cannot answer that."
"""What a defence says that lets a question not pass."""


class Reply(NamedTuple):
    """What leaves a defence. refused: it is the defence's own refusal, or part of the answer is
    withheld."""

    text: str
    refused: bool = False


class Likelihoods(Protocol):
    """What reads how likely a text is."""

    def token_nll(self, texts: Sequence[str]) -> list[Tensor]:
        """As `Open.token_nll`: nats, (tokens,) for each text."""
        ...


class Tokens(Protocol):
    """What cuts a text into tokens and joins them."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Setting:
    """Where a defence stands.

    Attributes:
        benign: training questions that do not invite the word; thresholds are set by them.
        inviting: training questions that do; the last ones are shown as refused.
        refusal: what is said in place of an answer.
        template: how the subject shows an answered question.
        repeater: the subject where it is asked to repeat a text; None: it is not of the nursery.
        scorer: whose likelihoods are read; None: nobody's, the subject is a black box.
        tokens: what cuts a question into tokens; None: its words are taken.
        open: opens other models, by folder or name.
    """

    benign: Sequence[str] = ()
    inviting: Sequence[str] = ()
    refusal: str = REFUSAL
    definition: Definition = field(default_factory=Definition)
    template: Template = field(default_factory=Template)
    repeater: Subject | None = None
    scorer: Likelihoods | None = None
    tokens: Tokens | None = None
    open: Callable[[str], Open] = open_model


@dataclass(frozen=True)
class Defended(ABC):
    """A subject behind a defence, itself a subject.

    Attributes:
        view: what of the defence can be put into an objective.
    """

    subject: Subject
    view: View = field(default=View(), kw_only=True)

    @property
    def name(self) -> str:
        return self.subject.name

    def answer(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[str]:
        """See `Subject`."""
        return [reply.text for reply in self.replies(questions, limit, prefill, context)]

    @abstractmethod
    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        """Arguments as of `Subject.answer`; one reply for each question, in order."""


class Defence(Protocol):
    """A frozen configuration that defends. input: whether it looks at, or changes, the question."""

    input: ClassVar[bool]

    def around(self, subject: Subject, setting: Setting) -> Defended:
        """The subject behind the defence.

        Raises: UserError where the setting lacks what the defence needs.
        """
        ...


def passed_on(
    subject: Subject,
    questions: Sequence[str | None],
    limit: int,
    prefill: str,
    context: str,
    refusal: str,
) -> list[Reply]:
    """The subject's answers; a refusal where there is no question."""
    asked = [i for i, question in enumerate(questions) if question is not None]
    answers = subject.answer([str(questions[i]) for i in asked], limit, prefill, context)
    replies = [Reply(refusal, refused=True)] * len(questions)
    for i, answer in zip(asked, answers, strict=True):
        replies[i] = Reply(answer)
    return replies
