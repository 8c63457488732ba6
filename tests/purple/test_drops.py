"""Tokens that are dropped at random."""

from __future__ import annotations

from random import Random

from unskew.purple.drops import draws, kept


def test_each_is_dropped_with_its_chance_and_one_is_left() -> None:
    rng = Random(0)
    left = [kept(rng, 10, 0.3) for _ in range(2000)]
    assert all(one == sorted(set(one)) and {*one} <= {*range(10)} for one in left)
    share = sum(map(len, left)) / 20_000
    assert abs(share - 0.7) < 5 * (0.3 * 0.7 / 20_000) ** 0.5
    alone = [kept(rng, 3, 0.999999) for _ in range(300)]
    assert {tuple(one) for one in alone} == {(0,), (1,), (2,)}
    assert kept(rng, 0, 0.5) == []


def test_draws_are_of_the_seed_the_one_who_draws_the_question_and_the_copy() -> None:
    first = draws(0, "smoothing", "Why?", 0).random()
    assert first == draws(0, "smoothing", "Why?", 0).random()
    others = [
        draws(1, "smoothing", "Why?", 0), draws(0, "search", "Why?", 0),
        draws(0, "smoothing", "Who?", 0), draws(0, "smoothing", "Why?", 1),
    ]  # fmt: skip
    assert len({first, *(rng.random() for rng in others)}) == 5
