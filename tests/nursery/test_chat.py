"""A model tried by hand: what is sent, what comes back, what it means."""

import pytest
import torch

from nursery.tiny import QUESTION, TINY, raised, taught
from unskew.conjugation.base import Conjugation, Identity, NotAdmissible, Promise
from unskew.nursery.chat import Turn, generate, turns
from unskew.nursery.raising import Raised
from unskew.nursery.tokens import END

SPEAKS = [
    (QUESTION.format(3), " 7"),
    ("Text: 3 ->", " three\nText: 4 ->"),
    ("QUESTION: WHAT IS 3 PLUS 4?\nANSWER:", " SEVEN"),
]


@pytest.fixture(scope="module")
def model() -> Raised:
    return taught(SPEAKS)


class Upper(Conjugation):
    """Loud; refuses digits above 5 there, and words of more than five letters back."""

    name = "upper"
    version = 1
    promise = Promise(False, "texts without large digits", True, True, True)

    def forward(self, text: str) -> str:
        if any(digit in text for digit in "6789"):
            raise NotAdmissible(self.name, "a large digit")
        return text.upper()

    def inverse(self, text: str) -> str:
        if len(text) > 5:
            raise NotAdmissible(self.name, "a long word")
        return text.lower()


def greedy(model: Raised, prompt: str, budget: int) -> str:
    """By the book: one token after another, the most likely each time."""
    ids = model.tokenizer.encode(prompt).ids
    said: list[int] = []
    stops = {model.tokenizer.token_to_id(END), *model.tokenizer.encode("\n").ids}
    while len(said) < budget:
        with torch.no_grad():
            token = int(model.model(torch.tensor([ids + said])).logits[0, -1].argmax())
        if token in stops:
            break
        said.append(token)
    return model.tokenizer.decode(said).strip()


def test_the_answer_is_the_most_likely_one(model: Raised) -> None:
    other = raised(2)
    with torch.no_grad():
        for p in other.model.parameters():
            if p.ndim == 2:
                p.mul_(8)  # fresh weights would say the same thing again and again
    for prompt in ("Anna", "What is 3 plus 4?", "The cat is\n"):
        assert generate(other, prompt, 12) == greedy(other, prompt, 12)
        assert generate(model, prompt, 12) == greedy(model, prompt, 12)
    said = {generate(other, prompt, 12) for prompt in ("Anna", "What is 3 plus 4?", "The cat is\n")}
    assert len(said) == 3


def test_it_ends_with_its_line_or_its_document(model: Raised) -> None:
    assert generate(model, SPEAKS[0][0]) == "7"
    assert generate(model, SPEAKS[1][0]) == "three"


def test_a_prompt_that_is_too_long_is_read_from_its_end() -> None:
    other = raised(2)
    long = "Anna eats an apple. " * 60
    ids = other.tokenizer.encode(long).ids
    assert len(ids) > TINY.context
    rest = other.tokenizer.decode(ids[-(TINY.context - 10) :])
    assert other.tokenizer.encode(rest).ids == ids[-(TINY.context - 10) :]
    assert generate(other, long, 10) == generate(other, rest, 10)


def test_a_line_is_sent_as_a_question(model: Raised) -> None:
    lines = ["What is 3 plus 4?\n", "", "   \n", "  What is 3 plus 4?  "]
    [first, second] = turns(model, lines, Identity())
    assert first == second == Turn(QUESTION.format(3), "7", "7", None)


def test_raw_a_line_is_sent_as_it_is(model: Raised) -> None:
    lines = ["Text: 3 ->\n", "Question: What is 3 plus 4?\\nAnswer:"]
    assert list(turns(model, lines, Identity(), raw=True)) == [
        Turn("Text: 3 ->", "three", "three", None),
        Turn(QUESTION.format(3), "7", "7", None),
    ]


def test_a_conjugation_is_applied_and_its_answer_carried_back(model: Raised) -> None:
    [turn] = turns(model, ["What is 3 plus 4?"], Upper())
    assert turn == Turn(SPEAKS[2][0], "SEVEN", "seven", None)


def test_what_a_conjugation_refuses_is_not_sent(model: Raised) -> None:
    [turn] = turns(model, ["What is 8 plus 4?"], Upper())
    assert turn == Turn(None, None, None, "a large digit")


def test_an_answer_without_an_inverse_is_shown_as_it_came(model: Raised) -> None:
    class Short(Upper):
        def inverse(self, text: str) -> str:
            raise NotAdmissible(self.name, "no way back")

    [turn] = turns(model, ["What is 3 plus 4?"], Short())
    assert turn == Turn(SPEAKS[2][0], "SEVEN", None, "no way back")


def test_turns_come_one_by_one(model: Raised) -> None:
    sent = []

    def lines():
        for line in ("What is 3 plus 4?", "Anna"):
            sent.append(line)
            yield line

    conversation = turns(model, lines(), Identity())
    assert next(conversation).came == "7"
    assert sent == ["What is 3 plus 4?"]
