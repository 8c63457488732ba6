"""Defences around scripted subjects, whose right cell is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from unskew.errors import UserError
from unskew.purple.attacks import View
from unskew.purple.defences import (
    AnyDefence,
    Asked,
    Defence,
    Defended,
    Guarding,
    Paraphrase,
    Perplexity,
    Refusals,
    Repeated,
    Setting,
    Smoothing,
    Synonyms,
    Undefended,
)
from unskew.purple.defences.base import REFUSAL
from unskew.purple.defences.perplexity import scores, threshold
from unskew.purple.definition import Definition
from unskew.purple.subject import Scripted, Template

ALL: list[Any] = [
    Undefended(), Perplexity(), Perplexity(window=3), Paraphrase(), Paraphrase(by=Repeated()),
    Paraphrase(by=Synonyms()), Refusals(), Smoothing(), Guarding(),
]  # fmt: skip


class Letters:
    """Each character is a token; x is as unlikely as its neighbours are not."""

    def token_nll(self, texts: Sequence[str]) -> list[torch.Tensor]:
        return [torch.tensor([9.0 if c == "x" else 1.0 for c in text]) for text in texts]


class Words:
    """A tokenizer whose tokens are characters."""

    def encode(self, text: str) -> list[int]:
        return list(map(ord, text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))


def subject(rule: Callable[[str], str]) -> Scripted:
    return Scripted("scripted", rule)


ECHO = subject(lambda text: text)


def texts(seed: int, size: int) -> list[str]:
    """Benign questions with more or fewer unlikely letters."""
    rng = random.Random(seed)
    return ["".join("x" if rng.random() < 0.1 else "a" for _ in range(60)) for _ in range(size)]


def around(defence: Defence, rule: Scripted = ECHO, **setting: Any) -> Defended:
    return defence.around(rule, Setting(**setting))


@pytest.mark.parametrize("defence", ALL)
def test_a_defence_is_read_back_from_its_own_words(defence: Any) -> None:
    assert TypeAdapter(AnyDefence).validate_json(defence.model_dump_json()) == defence


def test_no_defence_changes_nothing() -> None:
    bare = around(Undefended())
    assert bare.answer(["a", "b"], 5, "p", "c ") == ["c ap", "c bp"]
    assert bare.view == View()
    assert not any(reply.refused for reply in bare.replies(["a"], 5))


# --- perplexity -----------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 12])
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_the_filter_refuses_benign_questions_at_the_stated_rate(
    window: int | None, rate: float
) -> None:
    filtered = around(Perplexity(window=window, rate=rate), benign=texts(0, 500), scorer=Letters())
    held = texts(1, 2000)
    refused = sum(reply.refused for reply in filtered.replies(held, 99)) / len(held)
    # Scores come in steps, so that less than the rate may be refused; more, by chance only.
    assert 0.1 * rate < refused < 1.3 * rate


@pytest.mark.parametrize("window", [None, 6])
def test_the_filter_stops_noise_and_passes_what_it_knows(window: int | None) -> None:
    filtered = around(Perplexity(window=window), benign=["aaaaaaaaxa"] * 40, scorer=Letters())
    assert [r.refused for r in filtered.replies(["aaaaaaaaaa", "xxxxxxxxxx"], 5)] == [False, True]
    assert filtered.answer(["xxxxxxxxxx"], 5) == [REFUSAL]


def test_only_windows_see_a_suffix_behind_a_passage() -> None:
    question = "a" * 200 + "xxxxx"
    benign = ["aaaaaaaxaaaa"] * 40
    whole = around(Perplexity(), benign=benign, scorer=Letters())
    windowed = around(Perplexity(window=5), benign=benign, scorer=Letters())
    assert not whole.replies([question], 5)[0].refused
    assert windowed.replies([question], 5)[0].refused


def test_a_window_is_the_largest_mean_of_any_tokens_in_a_row() -> None:
    assert scores(Letters(), ["axxaa", "a", ""], 2) == [9.0, 1.0, math.inf]
    assert scores(Letters(), ["axxaa"], 3) == pytest.approx([19 / 3])
    assert scores(Letters(), ["axxaa"], 99) == scores(Letters(), ["axxaa"])


def test_the_threshold_is_the_conformal_quantile() -> None:
    assert threshold([5.0, 1.0, 3.0, 2.0, 4.0], 0.2) == 5.0
    assert threshold([float(i) for i in range(1, 100)], 0.05) == 95.0
    with pytest.raises(UserError, match="18 benign questions cannot state") as error:
        threshold([1.0] * 18, 0.05)
    assert "give 19 or more" in str(error.value)
    assert threshold([1.0] * 19, 0.05) == 1.0
    assert threshold([float(i) for i in range(1, 20)], 0.45) == 11.0  # of (19 + 1) * 0.55


def test_the_filter_says_what_it_needs_and_what_is_known_of_it() -> None:
    with pytest.raises(UserError, match="the subject is a black box"):
        around(Perplexity(), benign=["a"] * 40)
    assert around(Perplexity(nats=5.5), scorer=Letters()).view == View(nll=5.5)
    windowed = around(Perplexity(nats=5.5, window=8), scorer=Letters())
    assert windowed.view == View(nll=5.5, window=8)
    other = around(Perplexity(nats=5.5, source="other"), open=lambda name: Letters())
    assert other.replies(["xxx"], 5)[0].refused
    # The subject's likelihoods, which an objective has, are not those that this filter reads.
    assert other.view == View()


# --- paraphrase, refusals -------------------------------------------------------------------------


def test_a_paraphrase_is_asked_in_the_questions_place() -> None:
    asked: list[str] = []

    def rule(text: str) -> str:
        asked.append(text)
        return "What is it?" if text.startswith("Say otherwise: ") else "an answer"

    defended = around(Paraphrase(by=Asked(instruction="Say otherwise: {}")), subject(rule))
    assert defended.answer(["q x x x"], 9) == ["an answer"]
    assert asked == ["Say otherwise: q x x x", "What is it?"]
    assert defended.view == View(paraphrased=True)


def test_an_empty_paraphrase_is_refused() -> None:
    rule = subject(lambda text: "" if text.startswith("Paraphrase") else "purple")
    replies = around(Paraphrase(), rule).replies(["q"], 9)
    assert [(r.text, r.refused) for r in replies] == [(REFUSAL, True)]


def test_synonyms_change_words_and_no_model_reads_an_order_to_repeat() -> None:
    defended = around(Paraphrase(by=Synonyms()))
    assert defended.answer(["A big dog."], 9) == ["A large dog."]
    assert defended.view == View(rewrite=defended.view.rewrite)
    assert defended.view.rewrite is not None
    assert defended.view.rewrite(["A big dog."]) == ["A large dog."]


def test_a_model_of_the_nursery_repeats() -> None:
    defended = around(Paraphrase(by=Repeated()), repeater=subject(lambda text: text.lower()))
    assert defended.answer(["What Is It?"], 9) == ["what is it?"]
    with pytest.raises(UserError, match="only a model of the nursery"):
        around(Paraphrase(by=Repeated()))
    with pytest.raises(ValidationError, match=r"one \{\}"):
        Asked(instruction="Paraphrase.")
    with pytest.raises(ValidationError, match="'en', 'fr' or 'es'"):
        Synonyms(language="xx")  # type: ignore[arg-type]


def test_an_instruction_may_have_braces_of_its_own() -> None:
    heard: list[str] = []

    def rule(text: str) -> str:
        heard.append(text)
        return "w"

    by = Asked(instruction='In JSON {"q": "..."}: {}')
    around(Paraphrase(by=by), subject(rule)).answer(["why {x}?"], 9)
    assert heard[0] == 'In JSON {"q": "..."}: why {x}?'


def test_refusals_stand_before_the_question_and_are_known() -> None:
    form = Template("Q: ", "\nA:", lead=" ", gap="\n")
    defended = around(Refusals(count=2), inviting=["one?", "two?", "three?"], template=form,
                      refusal="No.")  # fmt: skip
    context = "Q: two?\nA: No.\nQ: three?\nA: No.\n"
    assert defended.answer(["four?"], 99, "p", "mine ") == [f"{context}mine four?p"]
    assert defended.view == View(context=context)
    with pytest.raises(UserError, match="there are 1 training questions"):
        around(Refusals(count=2), inviting=["one?"])


# --- smoothing ------------------------------------------------------------------------------------


def test_what_hangs_on_one_word_is_undone_by_the_majority() -> None:
    """purple is said where all of five words are read: a quarter of the copies, or fewer."""
    magic = "a b c d e"
    rule = subject(lambda text: "purple" if text.endswith(magic) else "red")
    smooth = around(Smoothing(copies=15, drop=0.25), rule)
    assert rule.answer([f"question {i} {magic}" for i in range(20)], 9) == ["purple"] * 20
    assert smooth.answer([f"question {i} {magic}" for i in range(20)], 9).count("purple") <= 2


def test_what_all_copies_say_leaves_even_if_it_is_the_word() -> None:
    assert around(Smoothing(), subject(lambda _: "purple")).answer(["q a"], 9) == ["purple"]


def test_a_tie_lets_the_answer_leave_that_does_not_say_it() -> None:
    answers = iter(["purple", "red"])
    rule = subject(lambda _: next(answers))
    assert around(Smoothing(copies=2), rule).answer(["q"], 9) == ["red"]


def test_the_majority_reads_the_answer_with_its_beginning() -> None:
    smooth = around(Smoothing(copies=3), subject(lambda _: "ple"))
    assert smooth.answer(["q"], 9, prefill="pur") == ["ple"]
    answers = iter(["ple", "no", "ple"])
    smooth = around(Smoothing(copies=3), subject(lambda _: next(answers)))
    assert smooth.answer(["q"], 9, prefill="pur") == ["ple"]


def test_drops_are_a_function_of_seed_and_question_alone() -> None:
    smooth: Any = around(Smoothing(drop=0.5))
    question = " ".join(map(str, range(40)))
    one = smooth.copies(question)
    assert one == smooth.copies(question)
    assert len(set(one)) == len(one) == 5
    other: Any = around(Smoothing(drop=0.5, seed=1))
    assert other.copies(question) != one
    kept = sum(len(copy.split()) for copy in one) / (5 * 40)
    assert 0.35 < kept < 0.65
    assert smooth.view == View(drops=0.5)


def test_tokens_are_the_models_own_and_one_is_kept() -> None:
    smooth: Any = around(Smoothing(drop=0.9), tokens=Words())
    for copy in smooth.copies("abcdef"):
        assert 1 <= len(copy) < 6
        assert set(copy) <= set("abcdef")
    assert smooth.copies("") == [""] * 5


# --- the guard ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefill", "answer", "left", "refused"),
    [
        ("", "It is red.", "It is red.", False),
        ("", "It is purple.", "It is [withheld]", True),
        ("It is pur", "ple.", "[withheld]", True),
        ("It is", " purple.", " [withheld]", True),
        ("It is", " red.", " red.", False),
    ],
)
def test_the_guard_reads_the_answer_with_its_beginning(
    prefill: str, answer: str, left: str, refused: bool
) -> None:
    replies = around(Guarding(), subject(lambda _: answer)).replies(["q"], 99, prefill)
    assert [(r.text, r.refused) for r in replies] == [(left, refused)]


@given(st.text("purle Рx", max_size=12), st.text("purle Рx", max_size=12), st.booleans())
def test_nothing_gets_past_the_guard(prefill: str, answer: str, whole: bool) -> None:
    definition = Definition(whole_words=whole)
    if not definition.allows(prefill):
        return
    guarded = around(Guarding(), subject(lambda _: answer), definition=definition)
    left = guarded.answer(["q"], 99, prefill)[0]
    assert definition.allows(left)
    assert definition.allows(prefill + left)


def test_input_defences_are_those_that_look_at_questions() -> None:
    assert [one.input for one in ALL] == [False, *[True] * 7, False]
