"""Round trips are counted as they are: exact, inexact with chrF, refused."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conjugation.hard_texts import texts
from unskew.conjugation import (
    Conjugation,
    Failure,
    Morse,
    NotAdmissible,
    PigLatin,
    Promise,
    RoundTrip,
    Upper,
    roundtrip_report,
)
from unskew.errors import UserError


class OneWay(Conjugation):
    """Has no way back for what begins with x."""

    name = "one-way"
    version = 1
    promise = Promise(False, "any text", True, True, True, "none")

    def forward(self, text: str) -> str:
        return text

    def inverse(self, text: str) -> str:
        if text.startswith("x"):
            raise NotAdmissible(self.name, "begins with x")
        return text


@settings(max_examples=30)
@given(st.lists(texts, max_size=4))
def test_all_exact(given_texts: list[str]) -> None:
    n = len(given_texts)
    share, chrf = (1.0, 100.0) if n else (None, None)
    assert roundtrip_report(PigLatin(), given_texts) == RoundTrip(n, n, n, share, chrf, [])


def test_inexact_texts_have_a_corpus_chrf() -> None:
    chrf = pytest.importorskip("sacrebleu.metrics.chrf")
    sent = ["all the same", "Then McDonald said so", "Yes, NATO"]
    back = ["All the same", "Then mcdonald said so", "Yes, nato"]
    found = roundtrip_report(Upper(), ["Exactly.", *sent])
    expected = chrf.CHRF().corpus_score(["Exactly.", *back], [["Exactly.", *sent]]).score
    assert found[:4] == (4, 4, 1, 0.25)
    assert found.chrf == pytest.approx(expected)
    assert 30 < expected < 100
    assert found.failures == [
        Failure(k + 1, a, b, None) for k, (a, b) in enumerate(zip(sent, back, strict=True))
    ]


def test_refused_texts_count_as_not_exact_and_not_admissible() -> None:
    found = roundtrip_report(Morse(), ["sos", "π"])
    assert found[:5] == (2, 1, 1, 0.5, 100.0)
    [failure] = found.failures
    assert failure[:3] == (1, "π", None)
    assert "'π'" in str(failure.why)
    assert roundtrip_report(Morse(), ["π"])[:5] == (1, 0, 0, 0.0, None)


def test_an_image_without_a_way_back_is_admissible_and_counts_as_nothing() -> None:
    pytest.importorskip("sacrebleu")
    found = roundtrip_report(OneWay(), ["xa", "xb"])
    assert found[:5] == (2, 2, 0, 0.0, 0.0)
    assert found.failures[0] == Failure(0, "xa", None, "begins with x")
    one = roundtrip_report(OneWay(), ["a whole sentence", "xy"])
    assert one.chrf is not None
    assert 50 < one.chrf < 100


def test_only_the_first_failures_are_kept() -> None:
    pytest.importorskip("sacrebleu")
    found = roundtrip_report(Upper(), [f"not so {k}" for k in range(9)])
    assert [failure.at for failure in found.failures] == [0, 1, 2, 3, 4]


def test_without_sacrebleu_only_inexact_texts_are_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("sacrebleu", "sacrebleu.metrics", "sacrebleu.metrics.chrf"):
        monkeypatch.setitem(sys.modules, name, None)
    assert roundtrip_report(Upper(), ["Exactly."]).chrf == 100.0
    with pytest.raises(UserError, match=r"pip install 'unskew\[lm\]'"):
        roundtrip_report(Upper(), ["inexact"])
