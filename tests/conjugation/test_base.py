"""What a conjugation is: identity, composition in batches, refusals that travel."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conjugation.hard_texts import texts
from conjugation.promises import holds
from unskew.conjugation import (
    Composition,
    Conjugation,
    Identity,
    LetterReversal,
    Morse,
    NotAdmissible,
    Paraphrase,
    PigLatin,
    Promise,
    Rot13,
    UnknownCipher,
    Upper,
    WordReversal,
    Wrapper,
)

PARTS = [PigLatin(), Rot13(), WordReversal(), LetterReversal(), Paraphrase(), UnknownCipher(3)]


class Shout(Conjugation):
    """Adds a sign at the end, in batches of its own; refuses a text that has it."""

    name = "shout"
    version = 3
    promise = Promise(True, "texts without !", True, False, True, "none")

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def forward(self, text: str) -> str:
        if "!" in text:
            raise NotAdmissible(self.name, "shouts already")
        return f"{text}!"

    def inverse(self, text: str) -> str:
        return text.removesuffix("!")

    def forward_all(self, texts):
        self.batches.append(list(texts))
        return super().forward_all(texts)


@settings(max_examples=50)
@given(text=texts)
def test_identity_changes_nothing(text: str) -> None:
    holds(Identity(), text)
    assert Identity().forward(text) == text
    assert Identity().forward_all([text, text]) == [text, text]


def test_the_identity_drops_out_of_a_composition() -> None:
    pig = PigLatin()
    assert pig @ Identity() is pig
    assert Identity() @ pig is pig


@settings(max_examples=150)
@given(outer=st.sampled_from(PARTS), inner=st.sampled_from([*PARTS, Wrapper()]), text=texts)
def test_compositions_promise_what_both_promise(
    outer: Conjugation, inner: Conjugation, text: str
) -> None:
    both = outer @ inner
    assert both.forward(text) == outer.forward(inner.forward(text))
    assert both.promise.exact
    assert both.inverse(both.forward(text)) == text


def test_a_composition_says_what_it_is() -> None:
    both = Upper() @ (Shout() @ WordReversal())
    assert isinstance(both, Composition)
    assert both.name == "upper@shout@word-reversal"
    assert both.promise == Promise(
        False,
        "any Unicode text, then texts without !, then any Unicode text",
        True,
        False,
        False,
        "none",
    )
    assert (Rot13() @ WordReversal()).promise.boundaries == "lines"
    assert (Rot13() @ LetterReversal()).promise == LetterReversal().promise
    assert (Shout() @ Rot13()).version == 3001
    assert repr(Rot13()) == "<conjugation rot13 v1>"


def test_composition_works_in_batches_and_keeps_the_order_of_refusals() -> None:
    shout = Shout()
    both = Morse() @ shout
    texts = ["a", "b!", "c", "π"]
    results = both.forward_all(texts)
    assert [r if isinstance(r, str) else r.conjugation for r in results] == [
        ".- -.-.--",
        "shout",
        "-.-. -.-.--",
        "morse",
    ]
    assert shout.batches == [texts]
    back = both.inverse_all([".- -.-.--", "no", "-.-. -.-.--"])
    assert back[::2] == ["a", "c"]
    assert isinstance(back[1], NotAdmissible)
    with pytest.raises(NotAdmissible, match="shouts already"):
        both.forward("b!")
    assert both.forward_all([]) == []


def test_only_refusals_are_results() -> None:
    class Broken(Shout):
        def forward(self, text: str) -> str:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken().forward_all(["a"])


def test_a_refusal_crosses_processes() -> None:
    refusal = pickle.loads(pickle.dumps(NotAdmissible("morse", "has no π")))
    assert (refusal.conjugation, refusal.why) == ("morse", "has no π")
    assert str(refusal) == "morse: has no π"
