"""A perplexity filter: questions that are unlikely under a model are refused.

    whole      mean negative log-likelihood of the question's tokens, in nats
    windowed   the largest such mean over any `window` tokens in a row

The threshold is a quantile of benign training questions' scores. With n of them it is the
ceil((n + 1)(1 - rate))-th smallest, so that of further benign questions like them at most `rate`
are refused, in expectation (split conformal prediction: Vovk et al. 2005). What is refused of
held-out ones is measured beside it. The filter of the paper is a fixed threshold of 5.5 nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from unskew.errors import UserError
from unskew.purple.attacks.base import View
from unskew.purple.defences.base import Defended, Likelihoods, Reply, Setting, passed_on
from unskew.purple.subject import Subject
from unskew.runs.config import Frozen

__all__ = ["Perplexity", "scores", "threshold"]


class Perplexity(Frozen):
    """Refuses what is unlikely.

    Attributes:
        window: tokens; None: the question is scored as a whole.
        rate: of benign questions, the share that may be refused.
        nats: a fixed threshold, in place of one from benign questions.
        source: the model whose likelihoods are read: a folder, `nursery:NAME`, or an id of the hub;
            None: the subject itself.
    """

    kind: Literal["perplexity"] = "perplexity"
    window: int | None = Field(default=None, ge=1)
    rate: float = Field(default=0.05, gt=0, lt=1)
    nats: float | None = Field(default=None, gt=0)
    source: str | None = None
    input: ClassVar[bool] = True

    def check(self, benign: int, black_box: str | None = None) -> None:
        """Raises UserError where so many benign questions set no threshold, or where a subject is a
        black box, of that name, and no other model reads likelihoods."""
        if self.nats is None:
            _place(benign, self.rate)
        if black_box is not None and self.source is None:
            raise UserError(*_unread(black_box))

    def around(self, subject: Subject, setting: Setting) -> Defended:
        """Raises UserError where no likelihoods can be read, or benign questions are too few.

        What an attacker can put into an objective is the subject's own likelihood: a filter that
        reads another model's has no view.
        """
        scorer = setting.scorer if self.source is None else setting.open(self.source)
        if scorer is None:
            raise UserError(*_unread(subject.name))
        limit = self.nats
        if limit is None:
            limit = threshold(scores(scorer, setting.benign, self.window), self.rate)
        known = View(nll=limit, window=self.window) if self.source is None else View()
        return _Filter(subject, scorer, self.window, limit, setting.refusal, view=known)


def scores(scorer: Likelihoods, texts: Sequence[str], window: int | None = None) -> list[float]:
    """The score of each text, in nats; infinite for an empty one."""
    told = [i for i, text in enumerate(texts) if text]
    found = [math.inf] * len(texts)
    for i, each in zip(told, scorer.token_nll([texts[i] for i in told]), strict=True):
        values: Any = each.double()
        size = len(values) if window is None else min(window, len(values))
        found[i] = float(values.unfold(0, size, 1).mean(1).max())
    return found


def threshold(benign: Sequence[float], rate: float) -> float:
    """The score above which at most `rate` of further benign questions lie, in expectation.

    Raises: UserError where there are too few to say so.
    """
    return sorted(benign)[_place(len(benign), rate) - 1]


def _unread(subject: str) -> tuple[str, str, str]:
    return (
        "a perplexity filter reads likelihoods, and the subject is a black box",
        subject,
        "give perplexity: source, a model that reads them",
    )


def _place(benign: int, rate: float) -> int:
    """Which of so many scores, from the smallest, is the threshold; counted from 1."""
    place = math.ceil((benign + 1) * (1 - rate) - 1e-9)  # 20 * 0.55 is more than 11
    if place > benign:
        least = math.ceil(1 / rate) - 1
        raise UserError(
            f"{benign} benign questions cannot state a false-positive rate of {rate:g}",
            hint=f"give {least} or more, or a larger rate",
        )
    return place


@dataclass(frozen=True)
class _Filter(Defended):
    scorer: Likelihoods
    window: int | None
    nats: float
    refusal: str

    def replies(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[Reply]:
        found = scores(self.scorer, questions, self.window)
        passing = [
            question if score <= self.nats else None
            for question, score in zip(questions, found, strict=True)
        ]
        return passed_on(self.subject, passing, limit, prefill, context, self.refusal)
