"""A subject that is asked nothing twice.

What it said, and how long that took, is kept in an append-only file of JSON lines as it comes: what
a run knew before it was killed, it knows when it continues, and two defences that ask the same
question share its answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from unskew.errors import UserError
from unskew.purple.subject import Open, Subject, Template
from unskew.runs.lines import kept

__all__ = ["Answers", "Remembered"]

AT_ONCE = 128
"""Questions between two writes to the file."""


class Answers:
    """Answers by the hash of what was asked.

    Attributes:
        asked: how many questions were put to the subject.
        spent: seconds that all answers given so far took, when they were first given.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.asked, self.spent = 0, 0.0
        self._known = {} if path is None else _read(path)

    def get(self, keys: Sequence[str], ask: Callable[[list[int]], list[str]]) -> list[str]:
        """The answer to each key; `ask` answers those at the given places."""
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            if key not in self._known:
                first.setdefault(key, place)
        places = list(first.values())
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            begun = time.perf_counter()
            answers = ask(some)
            seconds = (time.perf_counter() - begun) / len(some)
            self.asked += len(some)
            self._keep({keys[i]: (text, seconds) for i, text in zip(some, answers, strict=True)})
        self.spent += sum(self._known[key][1] for key in set(keys))
        return [self._known[key][0] for key in keys]

    def _keep(self, found: dict[str, tuple[str, float]]) -> None:
        self._known |= found
        if self.path is None:
            return
        lines = "".join(
            json.dumps([key, text, round(seconds, 6)], ensure_ascii=True) + "\n"
            for key, (text, seconds) in found.items()
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write in append mode: a kill leaves whole lines, but for a torn last one.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, lines.encode())
        finally:
            os.close(descriptor)


class Remembered:
    """A subject whose answers are kept."""

    def __init__(self, subject: Subject, answers: Answers) -> None:
        self.subject, self.answers = subject, answers

    @property
    def name(self) -> str:
        return self.subject.name

    def asked_by(self, template: Template | None) -> Remembered:
        """The same in another form of prompt; None: as it is. A rule has no form."""
        if template is None or not isinstance(self.subject, Open):
            return self
        return Remembered(self.subject.asked_by(template), self.answers)

    def answer(
        self, questions: Sequence[str], limit: int, prefill: str = "", context: str = ""
    ) -> list[str]:
        """See `Subject`."""

        def ask(places: list[int]) -> list[str]:
            return self.subject.answer([questions[i] for i in places], limit, prefill, context)

        keys = [_key(self._put(q, prefill, context), limit) for q in questions]
        return self.answers.get(keys, ask)

    def _put(self, question: str, prefill: str, context: str) -> list[str]:
        if isinstance(self.subject, Open):
            stop = self.subject.template.stop
            return [self.subject.prompt(question, context, prefill), *stop]
        return [context, question, prefill]


def _key(asked: Sequence[str], limit: int) -> str:
    text = json.dumps([list(asked), limit], ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(path: Path) -> dict[str, tuple[str, float]]:
    """The answers of an earlier session, each with its seconds."""
    try:
        rows = kept(path, width=2).items()
        return {key: (str(text), float(seconds)) for key, (text, seconds) in rows}
    except (ValueError, TypeError) as error:
        hint = "remove the file: what it held is asked anew"
        raise UserError("damaged: an answer without its seconds", str(path), hint) from error
