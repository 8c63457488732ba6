"""Held-out guises: asked through them, and left out where a conjugation refuses."""

import numpy as np

from probes import facts
from unskew.conjugation import NotAdmissible, WordReversal
from unskew.conjugation.base import Conjugation, Promise
from unskew.probes.conjugated import conjugated, in_guise
from unskew.probes.models import scores


class OddOnly(Conjugation):
    """Refuses what holds an even number of a thing."""

    name, version = "odd-only", 1
    promise = Promise(True, "odd things", True, True, True)

    def forward(self, text: str) -> str:
        if any(w[:1] == "t" and w[1:].isdigit() and int(w[1:]) % 2 == 0 for w in text.split()):
            raise NotAdmissible(self.name, "even")
        return text

    inverse = forward


def test_prompt_and_answer_are_transformed_each_by_itself() -> None:
    found = in_guise(facts.colours(), WordReversal())
    wanted = [d._replace(answer=f" {d.answer}") for d in facts.backwards(facts.colours())]
    assert found == wanted


def test_what_is_refused_has_no_score_and_the_rest_is_as_asked_alone() -> None:
    model = facts.untrained(3)
    guise = in_guise(facts.colours(), OddOnly())
    found = conjugated(model, guise, "probability")
    assert np.isnan(found[::2]).all()
    np.testing.assert_allclose(
        found[1::2], scores(model, facts.colours()[1::2], "probability"), rtol=1e-5
    )
    assert np.isnan(conjugated(model, [None, None])).all()
