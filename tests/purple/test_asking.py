"""A subject that is asked nothing twice, and whose answers outlive it."""

from __future__ import annotations

from pathlib import Path

import pytest

from unskew.errors import UserError
from unskew.purple.asking import AT_ONCE, Answers, Remembered
from unskew.purple.subject import Scripted


class Told:
    """A subject that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def remembered(self, path: Path | None) -> Remembered:
        def rule(text: str) -> str:
            self.asked.append(text)
            return text.upper()

        return Remembered(Scripted("told", rule), Answers(path))


@pytest.mark.parametrize("kept", [True, False])
def test_each_question_is_asked_once(kept: bool, tmp_path: Path) -> None:
    told = Told()
    subject = told.remembered(tmp_path / "a" / "b.jsonl" if kept else None)
    assert subject.answer(["a", "b", "a"], 5) == ["A", "B", "A"]
    assert subject.answer(["b", "c"], 5) == ["B", "C"]
    assert told.asked == ["a", "b", "c"]
    assert (subject.answers.asked, subject.name) == (3, "told")
    assert subject.asked_by(None) is subject


def test_limit_beginning_and_context_are_other_questions() -> None:
    told = Told()
    subject = told.remembered(None)
    for given in ((5, "", ""), (6, "", ""), (5, "b", ""), (5, "", "b"), (5, "", "")):
        subject.answer(["a"], *given)
    assert told.asked == ["a", "a", "ab", "ba"]


def test_answers_outlive_the_process_and_their_time_is_counted_again(tmp_path: Path) -> None:
    first, second = Told(), Told()
    questions = [str(i) for i in range(2 * AT_ONCE + 3)]
    before = first.remembered(tmp_path / "a.jsonl")
    before.answer(questions, 5)
    after = second.remembered(tmp_path / "a.jsonl")
    assert after.answer(questions, 5) == questions
    assert second.asked == []
    assert before.answers.spent > 0
    assert after.answers.spent == pytest.approx(before.answers.spent, abs=1e-3)


def test_a_torn_last_line_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    Told().remembered(path).answer(["a", "b"], 5)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    told = Told()
    assert told.remembered(path).answer(["a", "b"], 5) == ["A", "B"]
    assert told.asked == ["b"]
    assert len(path.read_bytes().splitlines()) == 2
    path.write_bytes(b"[]\n" + whole)
    with pytest.raises(UserError, match="line 1 is no answer"):
        Answers(path)
