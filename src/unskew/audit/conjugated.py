"""A model under a conjugation: s_inv(T(s(prompt))), with a trace of all that happened on the way.

Prompts and chat messages go through s, stop strings in both forms, answers through s_inv and to the
plain stop strings again; budgets grow as transformed text has more tokens. A continuation is scored
under s only where that is sound. Nothing is silent: refusals, inexact round trips, answers without
an inverse and truncation are in the trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from unskew.audit.asking import Asker
from unskew.audit.models import Answer, Prompt, Score
from unskew.conjugation.base import Conjugation, Identity, NotAdmissible

UNSOUND = (
    "choice scoring is not sound here: the transform does not split at the choice's boundary; "
    "use a variant of the task that generates its answer"
)


class Question(NamedTuple):
    """A prompt to answer, in plain words."""

    prompt: Prompt
    stops: tuple[str, ...]
    budget: int  # tokens


class Trace(NamedTuple):
    """What happened to one request."""

    prompt: str  # as sent
    raw: str  # as it came back; of a choice, the continuation as sent
    answer: str  # after the inverse
    exact: bool | None = None  # s_inv(s(prompt)) == prompt; None where it was refused
    returned: str | None = None  # s_inv(s(prompt)), where it is another text
    refused: str | None = None  # why the conjugation refuses the prompt
    unanswerable: str | None = None  # why the answer has no inverse
    truncated: str | None = None  # "prompt", "answer", "both"
    score: Score | None = None  # of a choice


class Under:
    """`model` under `conjugation`."""

    def __init__(self, model: Asker, conjugation: Conjugation) -> None:
        self.model, self.conjugation = model, conjugation
        self.plain = isinstance(conjugation, Identity)

    def generate(self, questions: Sequence[Question]) -> list[Trace]:
        """A trace for each question, in order; its `answer` is what the model says in plain words.

        An answer that is no image of anything is taken as it came: it may be right anyhow, and its
        trace says so.
        """
        prompts = [question.prompt for question in questions]
        sent = self._forward(prompts)
        stops = {q: self._stops(q, prompts, sent) for q in {q.stops for q in questions}}
        budgets = self._budgets([question.budget for question in questions], prompts, sent)

        groups: dict[tuple[tuple[str, ...], int], list[int]] = {}
        for i, image in enumerate(sent):
            if not isinstance(image, NotAdmissible):
                groups.setdefault((stops[questions[i].stops], budgets[i]), []).append(i)
        answers: dict[int, Answer] = {}
        for (until, budget), members in groups.items():
            given = self.model.generate([_admitted(sent[i]) for i in members], until, budget)
            answers.update(zip(members, given, strict=True))

        order = list(answers)
        raws = [answers[i].text for i in order]
        carried = raws if self.plain else self.conjugation.inverse_all(raws)
        back = dict(zip(order, carried, strict=True))
        returned = self._round_trips(prompts, sent)
        return [
            Trace("", "", "", refused=image.why)
            if isinstance(image, NotAdmissible)
            else self._traced(questions[i], image, answers[i], back[i], budgets[i], returned[i])
            for i, image in enumerate(sent)
        ]

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[Trace]:
        """log P(s(y) | s(c)) of each (context c, continuation y), where that is sound: s splits at
        the boundary, s(c + y) = s(c) s(y), and its inverse finds c + y again: y is the only one
        that s sends there. Then it is the conjugated model's own log P(y | c)."""
        contexts = [context for context, _ in pairs]
        sent = self._forward(contexts)
        images = [
            image
            if isinstance(image, NotAdmissible)
            else self._continuation(context, continuation, image)
            for (context, continuation), image in zip(pairs, sent, strict=True)
        ]
        sound = [i for i, image in enumerate(images) if isinstance(image, str)]
        asked = [(_admitted(sent[i]), str(images[i])) for i in sound]
        scores = dict(zip(sound, self.model.score(asked), strict=True))
        returned = self._round_trips(contexts, sent)
        return [
            Trace("", "", "", refused=image.why)
            if isinstance(image, NotAdmissible)
            else Trace(
                shown(_admitted(sent[i])),
                image,
                pairs[i][1],
                exact=returned[i] is None,
                returned=returned[i],
                truncated="prompt" if self._too_long(_admitted(sent[i]), image) else None,
                score=scores[i],
            )
            for i, image in enumerate(images)
        ]

    def _traced(
        self,
        question: Question,
        sent: Prompt,
        given: Answer,
        back: str | NotAdmissible,
        budget: int,
        returned: str | None,
    ) -> Trace:
        lost = back.why if isinstance(back, NotAdmissible) else None
        text = given.text if isinstance(back, NotAdmissible) else back
        match self._too_long(sent, budget), bool(given.cut):
            case True, True:
                truncated = "both"
            case True, False:
                truncated = "prompt"
            case False, True:
                truncated = "answer"
            case _:
                truncated = None
        return Trace(
            shown(sent),
            given.text,
            _before(text, question.stops),
            exact=returned is None,
            returned=returned,
            unanswerable=lost,
            truncated=truncated,
        )

    def _forward(self, prompts: Sequence[Prompt]) -> list[Prompt | NotAdmissible]:
        """Each prompt under s; of a chat, each message on its own."""
        if self.plain:
            return list(prompts)
        pieces = [_pieces(prompt) for prompt in prompts]
        images = iter(self.conjugation.forward_all([piece for row in pieces for piece in row]))
        results: list[Prompt | NotAdmissible] = []
        for prompt, row in zip(prompts, pieces, strict=True):
            mine = [next(images) for _ in row]
            refusals = [image for image in mine if isinstance(image, NotAdmissible)]
            if refusals:
                results.append(refusals[0])
            elif isinstance(prompt, str):
                results.append(mine[0])
            else:
                results.append(
                    [
                        {**message, "content": str(image)}
                        for message, image in zip(prompt, mine, strict=True)
                    ]
                )
        return results

    def _round_trips(
        self, prompts: Sequence[Prompt], sent: Sequence[Prompt | NotAdmissible]
    ) -> list[str | None]:
        """What each prompt comes back as; None where the round trip is exact (or was refused)."""
        if self.plain:
            return [None] * len(prompts)
        pieces = [[] if isinstance(image, NotAdmissible) else _pieces(image) for image in sent]
        back = iter(self.conjugation.inverse_all([piece for row in pieces for piece in row]))
        found: list[str | None] = []
        for prompt, row in zip(prompts, pieces, strict=True):
            returned = [next(back) for _ in row]
            texts = ["" if isinstance(text, NotAdmissible) else text for text in returned]
            exact = not row or returned == _pieces(prompt)
            found.append(None if exact else "\n".join(texts))
        return found

    def _continuation(self, context: Prompt, more: str, sent: Prompt) -> str | NotAdmissible:
        if self.plain:
            return more
        try:
            if isinstance(sent, str) and isinstance(context, str):
                whole = self.conjugation.forward(context + more)
                splits = whole.startswith(sent)
                image, returns = whole[len(sent) :], self.conjugation.inverse(whole)
                sound = splits and returns == context + more
            else:
                image = self.conjugation.forward(more)
                sound = self.conjugation.inverse(image) == more
        except NotAdmissible as refusal:
            return refusal
        return image if sound and image else NotAdmissible(self.conjugation.name, UNSOUND)

    def _stops(
        self,
        stops: tuple[str, ...],
        prompts: Sequence[Prompt],
        sent: Sequence[Prompt | NotAdmissible],
    ) -> tuple[str, ...]:
        """The stop strings to send: the plain ones and their images. A plain one that s itself
        writes (the full stop, in Morse) is left out, as it would cut every answer short."""
        if self.plain:
            return stops
        texts = [
            (plain, image)
            for prompt, under in zip(prompts, sent, strict=True)
            if not isinstance(under, NotAdmissible)
            for plain, image in zip(_pieces(prompt), _pieces(under), strict=True)
        ]
        kept = [
            stop
            for stop in stops
            if not any(stop in image and stop not in plain for plain, image in texts)
        ]
        for image in self.conjugation.forward_all(stops):
            if isinstance(image, str) and image and image not in kept:
                kept.append(image)
        return tuple(kept)

    def _budgets(
        self,
        asked: Sequence[int],
        prompts: Sequence[Prompt],
        sent: Sequence[Prompt | NotAdmissible],
    ) -> list[int]:
        """Tokens to answer with. Transformed text has more of them: a budget grows by the largest
        growth among its prompts, and is then cut to what the window has room for."""
        growth: dict[int, float] = {}
        longest: dict[int, int] = {}
        for budget, prompt, image in zip(asked, prompts, sent, strict=True):
            after = None if isinstance(image, NotAdmissible) else self.model.length(image)
            if after is None:
                continue
            before = after if self.plain else self.model.length(prompt)
            growth[budget] = max(growth.get(budget, 1.0), after / max(before or 1, 1))
            longest[budget] = max(longest.get(budget, 0), after)
        grown = {budget: math.ceil(budget * growth.get(budget, 1.0)) for budget in set(asked)}
        if (window := self.model.window) is not None:
            # A prompt that fills the window is cut rather than left without any answer.
            room = {b: max(window - longest.get(b, 0), window // 2) for b in grown}
            grown = {b: min(more, room[b]) for b, more in grown.items()}
        return [grown[budget] for budget in asked]

    def _too_long(self, prompt: Prompt, more: int | str) -> bool:
        """Whether prompt and answer (a budget, or a text to score) do not fit the window."""
        window, length = self.model.window, self.model.length(prompt)
        if window is None or length is None:
            return False
        if isinstance(more, int):
            return length + more > window
        # The last token is predicted, not read.
        return length + (self.model.length(more) or 0) > window + 1


def shown(prompt: Prompt) -> str:
    """A prompt as one text for people; a chat with its roles."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"[{message['role']}] {message['content']}" for message in prompt)


def _before(text: str, stops: Sequence[str]) -> str:
    for stop in stops:
        if stop:
            text = text.split(stop)[0]
    return text


def _pieces(prompt: Prompt) -> list[str]:
    return [prompt] if isinstance(prompt, str) else [message["content"] for message in prompt]


def _admitted(prompt: Prompt | NotAdmissible) -> Prompt:
    if isinstance(prompt, NotAdmissible):
        raise TypeError("a refused prompt is not sent")
    return prompt
