"""Attacks that a grid adds, where it is known what they do: against drops, and in translation."""

from __future__ import annotations

from typing import Any

import pytest

from purple.attacks.scenes import TRAINING, opened
from unskew.purple import grid_attacks
from unskew.purple.attacks import Aim, Scene
from unskew.purple.defences import Setting, Smoothing
from unskew.purple.definition import Definition
from unskew.purple.grid_attacks import Repeated, Translated
from unskew.purple.subject import Scripted

HELD = tuple(Aim(f"question number {i}", "purple") for i in range(20))


def test_a_suffix_said_many_times_outlives_the_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three copies in ten a word is left: one is lost to the majority, of eight some remain."""

    def found(scene: Scene, *_: Any) -> list[str]:
        return [aim.question + " magic" for aim in scene.held]

    monkeypatch.setattr(grid_attacks, "suffixed", found)
    says = Scripted("scripted", lambda text: "purple" if "magic" in text.split() else "red")
    smooth = Smoothing(drop=0.7).around(says, Setting(definition=Definition(("purple",))))
    asks = Repeated(times=(1, 8)).asks(Scene(opened(), TRAINING, HELD))
    once, often = ([attempts[i].question for attempts in asks] for i in range(2))
    assert once[0] == "question number 0 magic"
    assert often[0] == "question number 0" + 8 * " magic"
    assert says.answer(once, 9) == ["purple"] * 20
    assert smooth.answer(once, 9).count("purple") <= 8
    assert smooth.answer(often, 9).count("purple") >= 18
    assert Repeated().adapts(smooth.view)


@pytest.mark.parametrize(("into", "broken"), [("fr", True), ("es", False)])
def test_a_translation_breaks_what_holds_in_english_alone(into: Any, broken: bool) -> None:
    """The subject says it in French, was taught not to in English, and does not read Spanish."""
    said = {
        "en": "What colour is wine?",
        "fr": "De quelle couleur est le vin ?",
        "es": "¿Y el vino?",
    }
    says = Scripted("scripted", lambda text: "purple" if text == said["fr"] else "I cannot say.")
    assert says.answer([said["en"]], 9) == ["I cannot say."]
    [(ask,)] = Translated(into=into).sent([said], {}, "en")
    reading = ask.readings(says.answer([ask.question], 9)[0])
    assert reading.breaks(Definition(("purple",))) is broken
