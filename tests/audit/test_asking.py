"""Nothing is asked twice, and nothing that was answered is lost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from unskew.audit.asking import Asker
from unskew.audit.models import Answer, Prompt, Score, untold
from unskew.errors import UserError


class Counting:
    record: dict[str, Any] = {}  # noqa: RUF012
    window, batch = None, 2

    def __init__(self, dies_after: int | None = None) -> None:
        self.asked: list[Any] = []
        self.dies_after = dies_after

    def generate(
        self, prompts: Sequence[Prompt], stop: Sequence[str], max_tokens: int, tell: Any = untold
    ) -> list[Answer]:
        answers = []
        for i, prompt in enumerate(prompts):
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise KeyboardInterrupt
            self.asked.append((prompt, tuple(stop), max_tokens))
            answers.append(Answer(f"{prompt}!", None))
            tell(i, answers[-1])
        return answers

    def score(self, pairs: Sequence[tuple[Prompt, str]], tell: Any = untold) -> list[Score]:
        self.asked += pairs
        return [Score(-len(str(pair)) / 3, False) for pair in pairs]

    def length(self, prompt: Prompt) -> int:
        self.asked.append(prompt)
        return len(prompt)


def test_one_question_is_asked_once():
    model, heard = Counting(), []
    asker = Asker(model, heard=heard.append)
    answers = asker.generate(["a", "b", "a", "c"], ["\n"], 5)
    assert [answer.text for answer in answers] == ["a!", "b!", "a!", "c!"]
    assert asker.generate(["c", "a"], ["\n"], 5) == [Answer("c!", None), Answer("a!", None)]
    assert [prompt for prompt, *_ in model.asked] == ["a", "b", "c"]
    assert (asker.asked, asker.remembered) == (3, 3)
    assert sum(heard) == 6


def test_another_stop_or_budget_is_another_question():
    model = Counting()
    asker = Asker(model)
    asker.generate(["a"], ["\n"], 5)
    asker.generate(["a"], ["."], 5)
    asker.generate(["a"], ["\n"], 6)
    assert len(model.asked) == 3


def test_a_file_remembers_after_a_kill_in_the_middle(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        Asker(Counting(dies_after=3), path).generate(list("abcde"), [], 5)
    with path.open("ab") as file:
        file.write(b'["torn')  # what kill -9 can leave
    model = Counting()
    answers = Asker(model, path).generate(list("abcde"), [], 5)
    assert [answer.text for answer in answers] == ["a!", "b!", "c!", "d!", "e!"]
    assert [prompt for prompt, *_ in model.asked] == ["d", "e"]
    pairs = [("x", " y"), ("x", " z"), ("x", " y")]
    first = Asker(model, path).score(pairs)
    again = Counting()
    assert Asker(again, path).score(pairs) == first
    assert again.asked == []


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "answers.jsonl"
    path.write_text('["k", "text", null]\nnot json\n["l", "text", null]\n')
    with pytest.raises(UserError, match=r"answers\.jsonl: damaged: line 2"):
        Asker(Counting(), path)


def test_lengths_are_measured_once():
    model = Counting()
    asker = Asker(model)
    assert asker.length("abc") == asker.length("abc") == 3
    chat = [{"role": "user", "content": "hi"}]
    assert asker.length(chat) == asker.length(list(chat)) == 1
    assert len(model.asked) == 2
