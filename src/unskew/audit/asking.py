"""A model that is asked nothing twice.

Answers are kept in memory and, given a path, in an append-only file of JSON lines written as they
arrive: what a run knew before it was killed, it knows when it continues. One file belongs to one
model (revision, dtype, template and all), so a question alone is the key.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unskew.audit.models import Answer, Model, Prompt, Score
from unskew.runs.lines import kept


class Asker:
    """Asks `model`, remembers, and tells `heard` how many answers more there are.

    Args:
        model: what is asked.
        path: the file of answers; None keeps them in memory only.
        heard: called with a count whenever answers arrive or are remembered.

    Attributes:
        asked: questions put to the model. remembered: questions answered without it.
    """

    def __init__(
        self,
        model: Model,
        path: Path | None = None,
        heard: Callable[[int], object] = lambda count: None,
    ) -> None:
        self.model, self.path, self.heard = model, path, heard
        self.record, self.window = model.record, model.window
        self.asked = self.remembered = 0
        self._answers: dict[str, Any] = {} if path is None else kept(path)
        self._lengths: dict[str, int | None] = {}

    def generate(
        self, prompts: Sequence[Prompt], stop: Sequence[str], max_tokens: int
    ) -> list[Answer]:
        """Greedy answers, in order; see `Model.generate`."""
        keys = [_key("generate", prompt, list(stop), max_tokens) for prompt in prompts]
        self._ask(
            keys,
            prompts,
            lambda some, tell: self.model.generate(some, stop, max_tokens, tell),
        )
        return [Answer(*self._answers[key]) for key in keys]

    def score(self, pairs: Sequence[tuple[Prompt, str]]) -> list[Score]:
        """Log-likelihoods of continuations, in order; see `Model.score`."""
        keys = [_key("score", prompt, continuation) for prompt, continuation in pairs]
        self._ask(keys, pairs, self.model.score)
        return [Score(*self._answers[key]) for key in keys]

    def length(self, prompt: Prompt) -> int | None:
        """Tokens of a prompt; None where the model cannot tell."""
        key = prompt if isinstance(prompt, str) else _key(prompt)
        if key not in self._lengths:
            self._lengths[key] = self.model.length(prompt)
        return self._lengths[key]

    def _ask(self, keys: Sequence[str], questions: Sequence[Any], ask: Callable) -> None:
        new: dict[str, Any] = {}
        for key, question in zip(keys, questions, strict=True):
            if key not in self._answers:
                new.setdefault(key, question)
        self.remembered += len(keys) - len(new)
        self.asked += len(new)
        self.heard(len(keys) - len(new))
        waiting = list(new)
        for start in range(0, len(waiting), max(self.model.batch, 1)):
            some = waiting[start : start + max(self.model.batch, 1)]

            def tell(i: int, answer: Any, some: list[str] = some) -> None:
                if some[i] not in self._answers:
                    self._keep(some[i], answer)

            for i, answer in enumerate(ask([new[key] for key in some], tell)):
                tell(i, answer)

    def _keep(self, key: str, answer: Any) -> None:
        self._answers[key] = list(answer)
        if self.path is not None:
            line = json.dumps([key, *answer], ensure_ascii=True) + "\n"
            # One write in append mode: a kill leaves whole lines, but for a torn last one.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        self.heard(1)


def _key(*question: Any) -> str:
    text = json.dumps(question, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
