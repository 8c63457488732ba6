"""Attacks by GCG, on a model that says what it must not after a magic word."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from purple.attacks.scenes import AIMS, SHORT, TRAINING, guarded, opened, outcomes, scene, scripted
from unskew.errors import UserError
from unskew.purple import gcg as gcg_module
from unskew.purple.attacks import (
    Access,
    Adaptive,
    AnyAttack,
    Attack,
    LowPerplexity,
    Nothing,
    Scene,
    Suffix,
    Transfer,
    View,
)
from unskew.purple.attacks.adaptive import REPEAT
from unskew.purple.gcg import Allows, Found, Gcg, Prompt, Step
from unskew.purple.subject import Scripted, TooLongError

pytestmark = pytest.mark.filterwarnings("ignore:this model has no cache:UserWarning")
GRADIENT = [Suffix(gcg=SHORT), LowPerplexity(gcg=SHORT), Adaptive(gcg=SHORT)]


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Prompt], Gcg]]:
    """What is searched for, in place of the search; each finds " !n"."""
    seen: list[tuple[list[Prompt], Gcg]] = []

    def search(model, tokenizer, prompts, gcg, state, watch) -> Found:
        seen.append((list(prompts), gcg))
        return Found(f" !{len(seen)}", 1.0, 1, (2.0, 1.0), ("",), (True,), True)

    monkeypatch.setattr(gcg_module, "search", search)
    return seen


@pytest.mark.parametrize("attack", GRADIENT)
@pytest.mark.parametrize("universal", [True, False])
def test_the_magic_word_is_found_and_works_on_held_out_questions(
    attack: Suffix | LowPerplexity | Adaptive, universal: bool
) -> None:
    attack = attack.model_copy(update={"universal": universal})
    magic = scene(opened())
    assert outcomes(Nothing(), magic) == [False, False]
    assert outcomes(attack, magic) == [True, True]


def test_a_suffix_that_is_transferred_works_where_the_magic_word_is_the_same() -> None:
    attack = Transfer(source="other", gcg=SHORT)
    same, different = opened("Q"), opened("Z")

    def source(model):
        return lambda name: {"other": model}[name]

    assert outcomes(attack, scene(opened("Q"), open=source(same))) == [True, True]
    assert outcomes(attack, scene(opened("Q"), open=source(different))) == [False, False]


@pytest.mark.parametrize("attack", GRADIENT)
def test_a_black_box_has_no_gradients(attack: Attack) -> None:
    with pytest.raises(UserError, match="this subject is a black box"):
        attack.asks(scripted(guarded))


def test_a_black_box_can_be_sent_what_was_found_elsewhere() -> None:
    attack = Transfer(source="other", gcg=SHORT)
    black = Scripted("black box", lambda text: "purple" if "Q" in text else "no")
    assert outcomes(attack, Scene(black, TRAINING, AIMS, open=lambda _: opened())) == [True, True]


def test_universal_is_one_search_and_single_one_for_each(searches: list) -> None:
    asks = Suffix(gcg=SHORT, prompts=2).asks(scene(opened(lead=" ")))
    assert [each[0].question for each in asks] == [f"{aim.question} !1" for aim in AIMS]
    prompts = [Prompt(f"ask {aim.question}", "? say:", " ppp") for aim in TRAINING[:2]]
    assert searches == [(prompts, SHORT)]
    asks = Suffix(gcg=SHORT, universal=False).asks(scene(opened()))
    assert [each[0].question for each in asks] == [
        f"{a.question} !{2 + i}" for i, a in enumerate(AIMS)
    ]
    assert [s[0][0].before for s in searches[1:]] == [f"ask {aim.question}" for aim in AIMS]


def test_a_question_that_leaves_no_room_for_a_suffix_is_sent_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def search(model, tokenizer, prompts, gcg, state, watch) -> Found:
        if AIMS[0].question in prompts[0].before:
            raise TooLongError("takes 2832 tokens")
        return Found(" !", 1.0, 1, (2.0, 1.0), ("",), (True,), True)

    monkeypatch.setattr(gcg_module, "search", search)
    asks = Suffix(gcg=SHORT, universal=False).asks(scene(opened()))
    assert asks[0][0].question == AIMS[0].question
    assert [one[0].question for one in asks[1:]] == [f"{aim.question} !" for aim in AIMS[1:]]


def test_the_passage_is_sent_and_optimised_behind(searches: list) -> None:
    asks = LowPerplexity(gcg=SHORT, passage="It rains.").asks(scene(opened()))
    assert asks[0][0].question == f"{AIMS[0].question} It rains. !1"
    assert searches[0][0][0].before == f"ask {TRAINING[0].question} It rains."
    asks = LowPerplexity(gcg=SHORT, sentences=2).asks(scene(opened()))
    assert asks[1][0].question == f"{AIMS[1].question} And wine? Ink? !2"
    with pytest.raises(UserError, match="there is no passage"):
        LowPerplexity(gcg=SHORT, passage="").asks(scene(opened()))


def test_the_defence_is_in_the_objective_and_not_in_what_is_sent(searches: list) -> None:
    knows = View(context="Never say it. ", nll=5.5, paraphrased=True)
    attack = Adaptive(gcg=SHORT, perplexity=0.4)
    asks = attack.asks(scene(opened(system="<s>"), view=knows))
    # Who paraphrases may do as it is told, or copy that as well: both are tried.
    plain_and_told = [f"{AIMS[0].question} !1", REPEAT.format(f"{AIMS[0].question} !1")]
    assert [ask.question for ask in asks[0]] == plain_and_told
    assert {ask.context for ask in asks[0]} == {""}
    prompts, gcg = searches[0]
    assert prompts[0].before == f"<s>Never say it. ask {TRAINING[0].question}"
    assert gcg == SHORT.model_copy(update={"perplexity": 0.4})
    plain = attack.asks(scene(opened()))
    assert [ask.question for ask in plain[0]] == [f"{AIMS[0].question} !2"]
    assert searches[1][1] == SHORT


def test_a_table_of_words_is_in_the_objective_and_the_question_is_sent_as_it_is(
    searches: list,
) -> None:
    knows = View(rewrite=lambda texts: [text.replace("What", "Which") for text in texts])
    asks = Adaptive(gcg=SHORT, universal=False).asks(scene(opened(), view=knows))
    assert [ask.question for ask in asks[0]] == [f"{AIMS[0].question} !1"]
    assert searches[0][0][0].before == "ask Which colour is the owl?"


def test_dropped_tokens_are_in_the_objective_and_not_in_what_is_sent(searches: list) -> None:
    knows, attack = View(drops=0.3), Adaptive(gcg=SHORT, prompts=2, copies=8)
    model = opened()
    asks = attack.asks(scene(model, view=knows))
    assert [ask.question for ask in asks[0]] == [f"{AIMS[0].question} !1"]
    whole, copies = searches[0][0][:2], searches[0][0][2:]
    assert [prompt.before for prompt in whole] == [f"ask {aim.question}" for aim in TRAINING[:2]]
    assert [prompt.places for prompt in whole] == [None, None]
    assert 14 <= len(copies) <= 16  # one that lacks the whole suffix says nothing of it
    assert len({(copy.before, copy.places) for copy in copies}) == len(copies)
    for copy, aim in zip(copies[:7], [TRAINING[0]] * 7, strict=True):
        left = iter(aim.question)  # bytes are tokens here: a copy is what is left, in order
        assert all(letter in left for letter in copy.before.removeprefix("ask "))
        assert copy.places
    share = sum(len(copy.places) for copy in copies) / (len(copies) * SHORT.length)
    assert 0.5 < share < 0.9
    # The same search has the same copies; without copies the drops are left out of account.
    attack.asks(scene(model, view=knows))
    assert searches[1] == searches[0]
    Adaptive(gcg=SHORT, prompts=2).asks(scene(model, view=knows))
    Suffix(gcg=SHORT, prompts=2).asks(scene(model))
    assert searches[2] == searches[3]


def test_a_suffix_of_one_token_is_in_some_copies_only(searches: list) -> None:
    one = SHORT.model_copy(update={"length": 1})
    Adaptive(gcg=one, prompts=1, copies=20).asks(scene(opened(), view=View(drops=0.5)))
    _, *copies = searches[0][0]
    assert 3 < len(copies) < 17
    assert {copy.places for copy in copies} == {(0,)}


def test_what_the_filter_lets_pass_may_be_unlikely(searches: list) -> None:
    attack, model = Adaptive(gcg=SHORT, universal=False, threshold=True), opened()
    attack.asks(scene(model, view=View(nll=5.5, window=3)))
    assert searches[0][0][0].allows == Allows(5.5, 3)
    attack.asks(scene(model, view=View(nll=5.5)))
    (prompt, *_), _ = searches[len(AIMS)]
    # So that question and suffix together have a mean of 5.5.
    (told,) = model.token_nll([AIMS[0].question])
    together = float(told.sum()) + SHORT.length * prompt.allows.nats
    assert together / (len(told) + SHORT.length) == pytest.approx(5.5, rel=1e-6)
    attack.asks(scene(model, view=View(nll=1e-3)))  # the question alone is above that
    assert searches[2 * len(AIMS)][0][0].allows == Allows(0.0)
    attack.asks(scene(model))
    assert searches[3 * len(AIMS)][0][0].allows == Allows()


def test_who_adapts_to_what() -> None:
    nothing, text, filter_ = View(), View(context="No."), View(nll=5.0)
    windowed = View(nll=5.0, window=8)  # a passage does not hide a suffix from it
    for view, expected in (
        (nothing, [0, 0, 0]), (text, [0, 0, 1]), (filter_, [0, 1, 1]), (windowed, [0, 0, 1])
    ):  # fmt: skip
        assert [attack.adapts(view) for attack in GRADIENT] == [bool(e) for e in expected]
    assert not Transfer(source="x").adapts(filter_)
    drops = View(drops=0.1)
    assert [attack.adapts(drops) for attack in GRADIENT] == [False] * 3
    assert Adaptive(gcg=SHORT, copies=1).adapts(drops)
    assert not Adaptive(gcg=SHORT, copies=1).adapts(nothing)
    assert {attack.access for attack in GRADIENT} == {Access.GRADIENTS}
    assert Transfer(source="x").access is Access.BLACK_BOX
    for attack in (*GRADIENT, Transfer(source="x")):
        assert TypeAdapter(AnyAttack).validate_json(attack.model_dump_json()) == attack


def test_an_interrupted_attack_goes_on(tmp_path: Path) -> None:
    attack, steps = Suffix(gcg=SHORT, universal=False), []
    whole = attack.asks(scene(opened()))

    def stop(step: Step) -> None:
        steps.append(step)
        if len(steps) == 8:  # in the search for the second question
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attack.asks(scene(opened(), tmp_path, watch=stop))
    later: list[Step] = []
    assert attack.asks(scene(opened(), tmp_path, watch=later.append)) == whole
    assert [step.step for step in later] == [3, 4, 5, 6]


def test_attacks_leave_the_global_seed_alone() -> None:
    magic, state = scene(opened()), torch.random.get_rng_state()
    Suffix(gcg=SHORT).asks(magic)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_universal_suffix_needs_training_questions() -> None:
    with pytest.raises(UserError, match="needs training questions"):
        Suffix(gcg=SHORT).asks(Scene(opened(), (), AIMS))
