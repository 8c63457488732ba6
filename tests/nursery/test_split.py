"""Held-out words: none in what training may say, the right share, the same for the same seed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nursery.surface_tables import words
from unskew.errors import UserError
from unskew.nursery.languages import LANGUAGES, say
from unskew.nursery.lexicon import CATEGORY, Lexicon, Noun, Time, lexicon
from unskew.nursery.sampling import KINDS, meanings
from unskew.nursery.split import forms, split


def content(part: Lexicon) -> set:
    shared = {w for w in part if isinstance(w, Time) or getattr(w, "kind", "") == CATEGORY}
    return set(part) - shared


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_of_a_side_has_a_word_of_the_other(seed: int, language: str) -> None:
    sides = split(lexicon(), seed)
    for here, there in (sides, sides[::-1]):
        forbidden = {form for word in content(there) for form in forms(word, language)}  # type: ignore[arg-type]
        for meaning in meanings(here, seed, "leak", 0, 400):
            found = forbidden & set(words(say(meaning, language)))  # type: ignore[arg-type]
            assert not found


@settings(max_examples=15)
@given(seed=st.integers(0, 2**64), share=st.floats(0.05, 0.6))
def test_it_is_a_partition_with_the_right_shares(seed: int, share: float) -> None:
    seen, held = split(lexicon(), seed, share)
    whole = content(lexicon())
    assert content(seen) | content(held) == whole
    assert not content(seen) & content(held)
    for kind in {n.kind for n in lexicon().nouns} - {CATEGORY, "food"}:
        size = sum(noun.kind == kind for noun in lexicon().nouns)
        count = sum(noun.kind == kind for noun in held.nouns)
        assert count == max(1, round(share * size))
    for side in (seen, held):  # times and categories belong to both, in the order of the files
        assert side.times == lexicon().times
        assert side.nouns == tuple(n for n in lexicon().nouns if n in set(side.nouns))
        assert sum(noun.kind == CATEGORY for noun in side.nouns) == 9


def test_both_sides_can_say_every_kind_of_sentence() -> None:
    for side in split(lexicon(), 3, 0.05):
        for kind in KINDS:
            assert len(meanings(side, 0, "each", 0, 50, [kind])) == 50


def test_seeds_differ_and_a_seed_does_not() -> None:
    assert split(lexicon(), 5) == split(lexicon(), 5)
    assert len({frozenset(content(split(lexicon(), seed).held)) for seed in range(6)}) == 6


def test_the_split_of_a_seed_is_forever() -> None:
    held = split(lexicon(), 0).held.nouns
    fruit = [noun.en.singular for noun in held if isinstance(noun, Noun) and noun.kind == "fruit"]
    assert fruit == ["peach", "strawberry", "plum"]


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_must_leave_words_on_both_sides(share: float) -> None:
    with pytest.raises(UserError, match="between 0 and 1"):
        split(lexicon(), 0, share)
