"""A model under a conjugation, on made-up models and transforms whose truth is known."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from unskew.audit.asking import Asker
from unskew.audit.conjugated import UNSOUND, Question, Under
from unskew.audit.models import Answer, Prompt, Score
from unskew.conjugation.base import Conjugation, Identity, NotAdmissible, Promise

ANYWHERE = Promise(True, "any text", True, True, True, "characters")


class Echo:
    """Answers with what it is told to; notes all that it was sent."""

    record: dict[str, Any] = {"kind": "echo"}  # noqa: RUF012
    batch = 2

    def __init__(self, say: Callable[[str], str], window: int | None = None) -> None:
        self.say, self.window = say, window
        self.asked: list[tuple[Prompt, tuple[str, ...], int]] = []
        self.scored: list[tuple[Prompt, str]] = []

    def generate(
        self, prompts: Sequence[Prompt], stop: Sequence[str], max_tokens: int, tell: Any = None
    ) -> list[Answer]:
        self.asked += [(prompt, tuple(stop), max_tokens) for prompt in prompts]
        texts = [p if isinstance(p, str) else p[-1]["content"] for p in prompts]
        return [Answer(self.say(text)[:max_tokens], False) for text in texts]

    def score(self, pairs: Sequence[tuple[Prompt, str]], tell: Any = None) -> list[Score]:
        self.scored += pairs
        return [Score(-float(len(continuation)), False) for _, continuation in pairs]

    def length(self, prompt: Prompt) -> int:
        return len(prompt if isinstance(prompt, str) else "".join(m["content"] for m in prompt))


class Swap(Conjugation):
    name, version, promise = "swap", 1, ANYWHERE

    def forward(self, text: str) -> str:
        return text.swapcase()

    def inverse(self, text: str) -> str:
        return text.swapcase()


class Doubled(Conjugation):
    """Every character twice: longer, and most texts are no image."""

    name, version, promise = "doubled", 1, ANYWHERE

    def forward(self, text: str) -> str:
        if "?" in text:
            raise NotAdmissible(self.name, "a question mark")
        return "".join(c + c for c in text)

    def inverse(self, text: str) -> str:
        if len(text) % 2 or any(a != b for a, b in zip(text[::2], text[1::2], strict=True)):
            raise NotAdmissible(self.name, "not doubled")
        return text[::2]


class Reversed(Conjugation):
    """The whole text backwards: exact, but it splits nowhere."""

    name, version, promise = "reversed", 1, ANYWHERE

    def forward(self, text: str) -> str:
        return text[::-1]

    def inverse(self, text: str) -> str:
        return text[::-1]


def under(model: Echo, conjugation: Conjugation) -> Under:
    return Under(Asker(model), conjugation)


def test_the_answer_is_carried_back():
    model = Echo(lambda prompt: prompt + "|rest")
    trace = under(model, Swap()).generate([Question("Say Hello", ("|",), 50)])[0]
    assert model.asked == [("sAY hELLO", ("|",), 50)]
    assert (trace.prompt, trace.raw, trace.answer) == ("sAY hELLO", "sAY hELLO|rest", "Say Hello")
    assert trace.exact
    assert trace.truncated is None


def test_both_forms_of_a_stop_are_sent_and_the_plain_one_cuts_again():
    model = Echo(lambda prompt: "oneENDtwo")
    trace = under(model, Swap()).generate([Question("x", ("END",), 50)])[0]
    assert model.asked[0][1] == ("END", "end")
    assert trace.answer == "ONEendTWO"  # END was sent as it is; the inverse holds none
    model = Echo(lambda prompt: "oneendtwo")  # a server that did not stop
    assert under(model, Swap()).generate([Question("x", ("END",), 50)])[0].answer == "ONE"


def test_a_stop_that_the_transform_writes_is_not_sent():
    class Dots(Swap):
        name = "dots"

        def forward(self, text: str) -> str:
            return "." + text

        def inverse(self, text: str) -> str:
            return text.removeprefix(".")

    model = Echo(lambda prompt: "..yes")
    trace = under(model, Dots()).generate([Question("so", (".",), 9)])[0]
    assert model.asked[0][1] == ("..",)
    assert trace.answer == ""  # and yet the plain stop cuts what was carried back


def test_a_refused_prompt_is_not_asked():
    model = Echo(str.lower)
    traces = under(model, Doubled()).generate(
        [Question("ok", (), 8), Question("why?", (), 8), Question("ab", (), 8)]
    )
    assert [trace.refused for trace in traces] == [None, "a question mark", None]
    assert [prompt for prompt, *_ in model.asked] == ["ookk", "aabb"]
    assert traces[1].prompt == ""
    assert traces[1].exact is None


def test_an_answer_without_an_inverse_is_taken_as_it_is_and_said():
    trace = under(Echo(lambda _: "plain"), Doubled()).generate([Question("ok", (), 9)])[0]
    assert trace.answer == trace.raw == "plain"
    assert trace.unanswerable == "not doubled"


def test_budgets_grow_with_the_text_and_fit_the_window():
    model = Echo(lambda prompt: "")
    under(model, Doubled()).generate([Question("abcd", (), 5), Question("a", (), 5)])
    assert {budget for *_, budget in model.asked} == {10}
    model = Echo(lambda prompt: "", window=30)
    traces = under(model, Doubled()).generate([Question("a" * 12, (), 5), Question("b", (), 5)])
    assert {budget for *_, budget in model.asked} == {10}
    assert [trace.truncated for trace in traces] == ["prompt", None]


@pytest.mark.parametrize("conjugation", [Identity(), Swap()])
def test_a_continuation_is_scored_where_the_transform_splits(conjugation: Conjugation):
    model = Echo(str.lower)
    traces = under(model, conjugation).score([("So it is", " Yes"), ("So it is", " no, Not")])
    sent = [(conjugation.forward("So it is"), conjugation.forward(c)) for c in (" Yes", " no, Not")]
    assert model.scored == sent
    assert [trace.score for trace in traces] == [Score(-4.0, False), Score(-8.0, False)]
    assert [trace.answer for trace in traces] == [" Yes", " no, Not"]


def test_a_continuation_is_refused_where_it_does_not():
    model = Echo(str.lower)
    trace = under(model, Reversed()).score([("So it is", " Yes")])[0]
    assert trace.refused == UNSOUND
    assert trace.score is None
    assert model.scored == []


def test_of_a_chat_each_message_is_transformed():
    model = Echo(str.lower)
    chat = [{"role": "system", "content": "Be Brief"}, {"role": "user", "content": "Hi"}]
    trace = under(model, Swap()).generate([Question(chat, (), 9)])[0]
    assert model.asked[0][0] == [
        {"role": "system", "content": "bE bRIEF"},
        {"role": "user", "content": "hI"},
    ]
    assert trace.exact
    assert trace.prompt == "[system] bE bRIEF\n[user] hI"
