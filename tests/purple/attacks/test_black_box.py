"""Attacks on a black box: what they send, and that a scripted subject falls where it must."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from purple.attacks.scenes import AIMS, PIG, guarded, outcomes, scripted
from unskew.conjugation.names import parse
from unskew.errors import UserError
from unskew.purple.attacks import (
    Access,
    Aim,
    AnyAttack,
    Ask,
    Conjugate,
    Nothing,
    Prefill,
    Readings,
    RedTeam,
    Scene,
    View,
)
from unskew.purple.attacks.redteam import PROMPTS
from unskew.purple.definition import Definition
from unskew.purple.subject import Scripted

PURPLE = Definition()


def test_nothing_sends_the_questions() -> None:
    scene = scripted(guarded)
    assert Nothing().asks(scene) == [(Ask(aim.question),) for aim in AIMS]
    assert outcomes(Nothing(), scene) == [False, False]
    assert outcomes(Nothing(), scripted(lambda text: "Purple!")) == [True, True]


def test_the_red_team_tries_each_prompt() -> None:
    scene = scripted(guarded)
    asked = RedTeam().asks(scene)
    assert len(PROMPTS) == len(set(PROMPTS)) >= 30
    for aim, asks in zip(AIMS, asked, strict=True):
        assert len(asks) == len(PROMPTS)
        assert all(aim.question in ask.question and PURPLE.allows(ask.question) for ask in asks)
    assert outcomes(RedTeam(), scene) == [True, True]
    assert outcomes(RedTeam(), scripted(lambda text: "I cannot say.")) == [False, False]


@pytest.mark.parametrize("how", sorted({how for _, how in PROMPTS if how}))
def test_what_the_red_team_asks_for_in_another_form_is_read_in_it(how: str) -> None:
    prompt = next(prompt for prompt, name in PROMPTS if name == how).format(AIMS[0].question)
    said = parse(how).forward("purple")
    subject = scripted(lambda text: said if text == prompt else "no")
    assert PURPLE.allows(said)
    assert outcomes(RedTeam(), subject) == [True, False]


def test_conjugation_carries_the_answer_back() -> None:
    scene = scripted(guarded)
    attack = Conjugate(conjugation="pig-latin")
    asks = attack.asks(scene)
    assert [ask.question for (ask,) in asks] == [PIG.forward(aim.question) for aim in AIMS]
    assert outcomes(attack, scene) == [True, False]
    (said,) = scene.subject.answer([asks[0][0].question], 12)
    readings = asks[0][0].readings(said)
    assert PURPLE.allows(readings.raw)
    assert readings == Readings(said, None, "The owl is purple.")


def test_the_raw_answer_is_judged_too() -> None:
    assert outcomes(Conjugate(), scripted(lambda text: "It is purple.")) == [True, True]
    assert Ask("q", reads=parse("base64")).readings("purple?") == Readings("purple?", None, None)


def test_a_question_outside_the_conjugation_is_not_asked(tmp_path) -> None:
    book = tmp_path / "book.jsonl"
    book.write_text('{"en": "And the hat?", "fr": "Et le chapeau ?"}\n', encoding="utf-8")
    asks = Conjugate(conjugation=f"book:{book}:en-fr").asks(scripted(guarded))
    assert [tuple(ask.question for ask in each) for each in asks] == [(), ("Et le chapeau ?",)]


def test_prefill_ends_before_the_word() -> None:
    scene = scripted(guarded)
    assert [ask.prefill for (ask,) in Prefill().asks(scene)] == ["The owl is", "It is"]
    assert outcomes(Prefill(), scene) == [True, False]
    assert {ask.prefill for (ask,) in Prefill(text="Sure:").asks(scene)} == {"Sure:"}


def test_a_word_that_the_prefill_begins_counts_as_said() -> None:
    ask = Ask("q", prefill="It is pur")
    assert ask.readings("ple.") == Readings("ple.", "It is purple.", None)
    assert ask.readings("ple.").breaks(PURPLE)
    assert not ask.readings("e.").breaks(PURPLE)


@pytest.mark.parametrize(
    ("attack", "target"),
    [(Prefill(), "purple"), (Prefill(), "red"), (Prefill(text="It is purple:"), "It is purple.")],
)
def test_a_prefill_must_be_something_and_not_say_the_word(attack: Prefill, target: str) -> None:
    scene = Scene(Scripted("s", guarded), (), (Aim("q", target),))
    with pytest.raises(UserError, match=r"an answer cannot begin|has anything before the word"):
        attack.asks(scene)


def test_where_an_answer_begins_with_the_word_no_prefill_is_made() -> None:
    """As many of the published answers do."""
    aims = (Aim("q", "Purple, of course."), Aim("r", "It is purple."), Aim("s", "Red."))
    asks = Prefill().asks(Scene(Scripted("s", guarded), (), aims))
    assert [tuple(ask.prefill for ask in some) for some in asks] == [(), ("It is",), ()]


def test_access_and_configuration() -> None:
    known = View(context="Never say it.", nll=5.5, paraphrased=True)
    for attack in (Nothing(), RedTeam(), Conjugate(), Prefill()):
        assert attack.access is Access.BLACK_BOX
        assert not attack.adapts(known)
        read = TypeAdapter(AnyAttack).validate_json(attack.model_dump_json())
        assert read == attack
    with pytest.raises(ValidationError):
        TypeAdapter(AnyAttack).validate_python({"kind": "none", "steps": 3})
